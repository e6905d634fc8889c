/**
 * A PROCESS THAT LIVES RANGES of seeds, one seed after the other, and says of each how it went. Started
 * by crew.ts, which asks for a range at a time.
 */
import { runSeed } from "../seeds.ts";
import type { Range } from "./ledger.ts";

/** What it says after each seed. */
export interface SeedEnded {
  readonly seed: number;
  readonly ms: number;
  readonly tally: readonly (readonly [string, number])[];
  /** Undefined: it passed. */
  readonly why: string | undefined;
}

process.on("message", async ({ scenario, from, seeds }: Range) => {
  for (let seed = from; seed < from + seeds; seed++) {
    const startedMs = performance.now();
    const { failure, tally } = await runSeed({ scenario, seed });
    const why = failure instanceof Error ? (failure.stack ?? failure.message) : failure;
    const ended: SeedEnded = {
      seed,
      ms: performance.now() - startedMs,
      tally: tally.entries(),
      why: why === undefined ? undefined : String(why),
    };
    process.send?.(ended);
  }
});
