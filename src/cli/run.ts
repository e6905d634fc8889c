/**
 * ONE COMMAND OF `bop`, from its arguments to its ending (exit.ts). Never throws: what goes wrong is
 * written to standard error, and is the exit code of the process.
 */
import { CommanderError } from "commander";
import { EXIT, endingJson, endingOf, endingText } from "./exit.ts";
import { program } from "./program.ts";

export async function run(argv: readonly string[]): Promise<void> {
  try {
    await (await program(argv)).parseAsync(argv, { from: "user" });
  } catch (error) {
    const ending = endingOf(error);
    process.exitCode = ending.exitCode;
    // Commander has already said what is wrong with the usage.
    const isSaid = error instanceof CommanderError;
    if (!isSaid) {
      const asJson = argv.includes("--json") && ending.exitCode !== EXIT.usage;
      process.stderr.write(asJson ? endingJson(ending) : endingText(ending));
    }
    if (process.env.BOP_DEBUG !== undefined && error instanceof Error && !isSaid) {
      process.stderr.write(`${error.stack}\n`);
    }
  }
}
