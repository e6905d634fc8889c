import { expect, test } from "vitest";
import { chunkId } from "../../base/units.ts";
import { simulatedWorld } from "../../io/index.ts";
import { BLOCK_BYTES } from "./blocks.ts";
import { FetchedChunk } from "./fetched-chunk.ts";
import { Fetcher } from "./fetcher.ts";
import { ResidentFile } from "./resident-file.ts";

const CHUNK = chunkId(7);
const READ_BYTES = 4096;

test("what its own file does not give back is read from what was fetched, which nobody doubts", () => {
  const { start, run, random, disk } = world();
  const whole = random.bytes(3 * BLOCK_BYTES);
  return run(async () => {
    const { storage } = start();
    const path = "/chunk";
    await (await storage.open(path, "create")).close();
    disk.replace(path, whole.subarray(0, 1000));
    const fetcher = new Fetcher({
      find: () => ({ fileBytes: whole.length }),
      isSafe: () => true,
      fetch: async (_, { offset, bytes }) => whole.slice(offset, offset + bytes),
    });
    const ground = { storage, fetcher, newPartPath: () => "/part", makeRoom: async () => false };
    const chunk = { chunk: CHUNK, fileBytes: whole.length, minePath: path };
    const fetched = new FetchedChunk(ground, chunk);
    await fetched.bring([0, 1, 2]);
    const file = new ResidentFile(fetched, { storage, path });
    const into = new Uint8Array(READ_BYTES);
    for (let at = 0; at < whole.length; at += READ_BYTES) {
      expect(file.readSync(into, at)).toBe(READ_BYTES);
      expect(Buffer.compare(into, whole.subarray(at, at + READ_BYTES))).toBe(0);
    }
    expect(fetched.blocks.isWhole).toBe(true);
    await file.close();
  });
});

function world() {
  const made = simulatedWorld({ seed: 1 });
  const { random, disk } = made;
  return {
    random,
    disk,
    start: () => made.start(),
    run: <T>(body: () => Promise<T>) => made.run(body),
  };
}
