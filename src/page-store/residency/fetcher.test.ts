import { expect, test } from "vitest";
import { chunkId } from "../../base/units.ts";
import { Fetcher } from "./fetcher.ts";
import type { RemoteChunks } from "./remote-chunks.ts";

/** A bucket that answers nobody, and gives up some turns after it was told to. */
function silentBucket(): Pick<RemoteChunks, "fetch"> {
  return {
    fetch: (_chunk, _range, signal) =>
      new Promise((_, reject) => {
        const giveUp = async (): Promise<void> => {
          for (let turn = 0; turn < 5; turn++) await Promise.resolve();
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", () => void giveUp());
      }),
  };
}

test("who waits for his turn when the store closes hears so, however many are under way", async () => {
  const fetcher = new Fetcher(silentBucket() as RemoteChunks);
  const asked = Array.from({ length: 20 }, (_, at) => {
    return fetcher.fetch(chunkId(at + 1), { offset: 0, bytes: 10 }).catch(({ code }) => code);
  });
  expect(fetcher.stats.inFlight).toBe(8);
  fetcher.close();
  expect(new Set(await Promise.all(asked))).toEqual(new Set(["BOP_CLOSED"]));
  expect(fetcher.stats.inFlight).toBe(0);
});
