/**
 * OPTIONS THAT STAND BEFORE A COMMAND hold for it, too: `bop --directory d list` is
 * `bop list --directory d`. What stands behind it wins.
 *
 * (1) A variable of the environment loses to both: what is handed down counts as given on the command
 *     line. As given by a file of settings it would lose, as all that commander calls "config" does.
 */
import type { Command } from "commander";

const SHARED = ["directory", "io", "sink", "durability", "diskBytes", "json"];
/** On the command line, or handed down from there: see (1). */
const GIVEN = "cli";

/** A hook for `preSubcommand`: gives a command what stood before its name. */
export function handDown(parent: Command, command: Command): void {
  for (const name of SHARED) {
    if (parent.getOptionValueSource(name) !== GIVEN) continue;
    command.setOptionValueWithSource(name, parent.getOptionValue(name), GIVEN);
  }
}
