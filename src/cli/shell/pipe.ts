/**
 * THE SHELL IN A SCRIPT: lines from a pipe or a file, no prompt.
 *
 * (1) The first error ends it, unless it is told to go on; either way it has failed.
 * (2) The end of the input ends the last statement, with or without a semicolon.
 * (3) Who reads the output may leave (`… | grep -q ok`): the rest is run all the same, its COMMIT
 *     included, and nothing is written.
 */
import { linesOf } from "./lines.ts";
import type { ShellSession } from "./session.ts";
import type { LineOutcome } from "./shell.ts";

export interface PipeOptions {
  readonly input: NodeJS.ReadableStream;
  /** Goes on after an error. */
  readonly goesOn: boolean;
}

/** False if a statement failed. */
export async function runPipe(session: ShellSession, options: PipeOptions): Promise<boolean> {
  let isGood = true;
  const goesOn = (outcome: LineOutcome): boolean => {
    if (outcome === "failed") isGood = false;
    return outcome === "ok" || (outcome === "failed" && options.goesOn);
  };
  for await (const line of linesOf(options.input)) {
    if (!goesOn(await session.line(line))) return isGood;
  }
  goesOn(await session.end());
  return isGood;
}
