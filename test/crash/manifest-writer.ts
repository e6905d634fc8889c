/**
 * THE PROCESS THAT IS KILLED while it commits to a manifest's key-value store. Arguments: directory,
 * number of the first batch.
 *
 *   A <number>   acknowledged: the batch is there for ever, wholly
 *   R            ready: the load has begun
 *
 * (1) Batch `n` puts `n` under the key of the newest batch and under ROWS other keys, and removes rows
 *     of a batch before: half a batch can be told from a whole one.
 * (2) Batches are large enough for the file to grow under them.
 */
import { writeSync } from "node:fs";
import { openLmdbStore } from "../../src/manifest/index.ts";
import { batchOf } from "./manifest-batches.ts";

const STANDARD_OUTPUT = 1;
/** Batches that wait for their commit at the same time. */
const IN_FLIGHT = 4;

async function main(): Promise<void> {
  const [directory = "", first = "1"] = process.argv.slice(2);
  const store = await openLmdbStore(directory);
  let next = Number(first);
  writeSync(STANDARD_OUTPUT, "R\n");
  const work = async (): Promise<void> => {
    while (true) {
      const number = next++;
      await store.commit(batchOf(number));
      writeSync(STANDARD_OUTPUT, `A ${number}\n`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

await main();
