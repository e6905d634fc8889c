/**
 * OPTIONS THAT STAND BEFORE A COMMAND hold for it, too: `bop --directory d list` is
 * `bop list --directory d`. What stands behind it wins.
 */
import type { Command } from "commander";

const SHARED = ["directory", "io", "sink", "durability", "diskBytes", "json"];
/** Given on the command line, or handed down from there. */
const GIVEN = ["cli", "config"];

/** A hook for `preSubcommand`: gives a command what stood before its name. */
export function handDown(parent: Command, command: Command): void {
  for (const name of SHARED) {
    const isGiven = GIVEN.includes(parent.getOptionValueSource(name) ?? "");
    if (isGiven) command.setOptionValueWithSource(name, parent.getOptionValue(name), "config");
  }
}
