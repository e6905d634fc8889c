/**
 * SWITCHES IN THE ENVIRONMENT: the variable of an option that takes no value says on or off.
 *
 * (1) Commander asks only whether such a variable is there: `BOP_ALLOW_INSECURE=false` would allow it.
 *     What it says is read here, before any command begins.
 * (2) What says neither on nor off is wrong usage. An option on the command line wins, whatever the
 *     variable says.
 */
import type { Command } from "commander";
import { UsageError } from "./exit.ts";

const ON = ["1", "true"];
/** Empty is how a script gives no value to a variable that it names. */
const OFF = ["0", "false", ""];

/** A hook for `preAction`. */
export function readSwitches(_program: Command, command: Command): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (!option.isBoolean() || command.getOptionValueSource(name) !== "env") continue;
    command.setOptionValueWithSource(name, isOn(option.envVar ?? ""), "env");
  }
}

function isOn(variable: string): boolean {
  const text = process.env[variable] ?? "";
  if (ON.includes(text)) return true;
  if (OFF.includes(text)) return false;
  throw new UsageError(`${variable} is ${JSON.stringify(text)}; want 1 or true, 0 or false`);
}
