import { Command, Option } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { UsageError } from "./exit.ts";
import { readSwitches } from "./switches.ts";

afterEach(() => vi.unstubAllEnvs());

test.each([
  ["1", true],
  ["true", true],
  ["0", false],
  ["false", false],
  ["", false],
  [undefined, false],
])("a variable that says %j is %j", async (text, isOn) => {
  expect(await loud(text, [])).toBe(isOn);
});

test.each(["yes", "no", "TRUE", " 1"])("a variable that says %j is wrong usage", async (text) => {
  await expect(loud(text, [])).rejects.toThrow(UsageError);
});

test("the option on the command line wins, whatever the variable says", async () => {
  for (const text of ["0", "yes"]) expect(await loud(text, ["--loud"])).toBe(true);
});

/** What a command finds, with this variable and these arguments. */
async function loud(text: string | undefined, argv: readonly string[]): Promise<unknown> {
  vi.stubEnv("BOP_LOUD", text);
  let found: unknown;
  const command = new Command("sing")
    .addOption(new Option("--loud", "how it is sung").env("BOP_LOUD").default(false))
    .action((options: { readonly loud: unknown }) => {
      found = options.loud;
    });
  const program = new Command("choir").hook("preAction", readSwitches).addCommand(command);
  await program.parseAsync(["sing", ...argv], { from: "user" });
  return found;
}
