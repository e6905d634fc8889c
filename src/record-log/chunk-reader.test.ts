/** Entries that have left memory: damage in their chunk is reported, and nothing of it is served. */
import { describe, expect, test } from "vitest";
import type { File } from "../base/env.ts";
import { type ChunkId, chunkId, lsn } from "../base/units.ts";
import { RecordChunkEncoder } from "../chunk/index.ts";
import { type SimulatedWorld, simulatedWorld } from "../io/index.ts";
import { Writer } from "./bytes.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { encodeEntries, type StoredEntry } from "./operations.ts";

const STORE_ID = new Uint8Array(16).fill(3);
const CHUNK = chunkId(5);
const PATH = "/chunk";

const entryOf = (index: number): StoredEntry => ({
  term: 2n,
  field: Uint8Array.of(index),
  payload: new Uint8Array(30).fill(index),
});

function chunk(id = CHUNK): Uint8Array {
  const encoder = new RecordChunkEncoder({ chunk: id, generation: 1, storeId: STORE_ID });
  const parts = [1, 11, 21].map((first) => {
    const entries = Array.from({ length: 10 }, (_, at) => entryOf(first + at));
    const into = new Writer();
    encodeEntries(into, entries);
    const body = into.written();
    const firstIndex = BigInt(first);
    return encoder.add({ stream: 4, firstIndex, entryCount: 10, lsn: lsn(9), body });
  });
  const { header, end } = encoder.finish();
  return new Uint8Array(Buffer.concat([header, ...parts, end]));
}

/** Puts what the bucket has in the place of a damaged file. */
type Heal = (world: SimulatedWorld) => boolean;

const nothingElsewhere: Heal = () => false;

/** A reader over a file of these bytes; undefined: there is none. */
async function reading<T>(
  bytes: Uint8Array | undefined,
  use: (reader: ChunkReader, world: SimulatedWorld) => Promise<T>,
  heal = nothingElsewhere,
): Promise<T> {
  const world = simulatedWorld({ seed: 1 });
  const { storage } = world.start();
  return world.run(async () => {
    if (bytes !== undefined) {
      const file = await storage.open(PATH, "create");
      await file.write(bytes, 0);
      await file.close();
    }
    const reader = new ChunkReader({
      storeId: STORE_ID,
      path: () => PATH,
      open: () => storage.open(PATH, "read"),
      damaged: () => heal(world),
      isInBucket: () => heal !== nothingElsewhere,
    });
    try {
      return await use(reader, world);
    } finally {
      await reader.close();
    }
  });
}

// evidence: G16
// evidence: G4
describe("entries in a record chunk", () => {
  test("are found by their index, in the first block, the last and between", async () => {
    await reading(chunk(), async (reader) => {
      for (const index of [1, 10, 11, 17, 30]) {
        const { firstIndex, entries } = await reader.block(CHUNK, 4, BigInt(index));
        const found = entries[index - Number(firstIndex)];
        expect(found?.payload).toEqual(entryOf(index).payload);
      }
      expect(reader.blocksRead).toBe(3);
    });
  });

  test("that are not in it are reported as damage, for the manifest said that they are", async () => {
    await reading(chunk(), async (reader) => {
      const absent = expect.objectContaining({ code: "BOP_CORRUPT" });
      await expect(reader.block(CHUNK, 4, 31n)).rejects.toEqual(absent);
      await expect(reader.block(CHUNK, 9, 1n)).rejects.toEqual(absent);
      await expect(reader.block(chunkId(6), 4, 1n)).rejects.toEqual(absent);
    });
  });

  test("of a file that is missing are reported with the file's name", async () => {
    await reading(undefined, async (reader) => {
      await expect(reader.block(CHUNK, 4, 1n)).rejects.toMatchObject({
        code: "BOP_CORRUPT",
        details: { file: PATH, why: "the file is missing" },
      });
    });
  });

  test("are not served when any byte that they depend on was changed", async () => {
    const whole = chunk();
    for (let at = 0; at < whole.length; at += 3) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
      const outcome = await reading(bytes, (reader) =>
        reader.block(CHUNK, 4, 15n).then(
          ({ entries }) => entries.map(({ payload }) => payload[0]),
          (error: { code?: string }) => error.code,
        ),
      );
      const isWhole = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
      // Bytes of other blocks do no harm to this one.
      if (Array.isArray(outcome)) expect(outcome, `byte ${at}`).toEqual(isWhole);
      else expect(["BOP_CORRUPT", "BOP_FORMAT"], `byte ${at}`).toContain(outcome);
    }
  });

  // evidence: G39
  test("are read again from elsewhere, whatever byte that they depend on was changed", async () => {
    const whole = chunk();
    const heal: Heal = ({ disk }) => {
      disk.replace(PATH, whole);
      return true;
    };
    for (let at = 0; at < whole.length; at += 3) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
      const { entries } = await reading(bytes, (reader) => reader.block(CHUNK, 4, 15n), heal);
      expect(entries, `byte ${at}`).toEqual(Array.from({ length: 10 }, (_, n) => entryOf(11 + n)));
    }
  });

  test("that stay damaged wherever they are read from are refused in the end", async () => {
    const bytes = chunk();
    bytes[200] = (bytes[200] ?? 0) ^ 0x41;
    const refused = reading(
      bytes,
      (reader) => reader.block(CHUNK, 4, 1n),
      () => true,
    );
    await expect(refused).rejects.toMatchObject({
      code: "BOP_CORRUPT",
      details: { why: expect.stringContaining("its copy in the bucket is no better") },
    });
  });

  test("that the device refuses to read are BOP_IO, and can be read when it does not", async () => {
    await reading(chunk(), async (reader, world) => {
      world.disk.failNext({ operation: "read" });
      await expect(reader.block(CHUNK, 4, 1n)).rejects.toMatchObject({ code: "BOP_IO" });
      expect((await reader.block(CHUNK, 4, 1n)).entries).toHaveLength(10);
    });
  });
});

describe("files of record chunks", () => {
  /** A reader over so many chunks, and how many files it has open. */
  async function readingMany(
    count: number,
    use: (reader: ChunkReader, chunks: ChunkId[], open: () => number) => Promise<void>,
  ): Promise<void> {
    const world = simulatedWorld({ seed: 1 });
    const { storage } = world.start();
    const pathOf = (id: ChunkId) => `/${id}.chunk`;
    let open = 0;
    const closing = (file: File): File => {
      let isOpen = true;
      open += 1;
      return Object.assign(Object.create(file) as File, {
        read: (into: Uint8Array, at: number) => file.read(into, at),
        size: () => file.size(),
        close: async () => {
          if (isOpen) open -= 1;
          isOpen = false;
          await file.close();
        },
      });
    };
    await world.run(async () => {
      const chunks = Array.from({ length: count }, (_, n) => chunkId(n + 1));
      for (const id of chunks) {
        const file = await storage.open(pathOf(id), "create");
        await file.write(chunk(id), 0);
        await file.close();
      }
      const reader = new ChunkReader({
        storeId: STORE_ID,
        path: pathOf,
        open: async (id) => closing(await storage.open(pathOf(id), "read")),
        damaged: () => false,
        isInBucket: () => false,
      });
      await use(reader, chunks, () => open);
      await reader.close();
      expect(open).toBe(0);
    });
  }

  test("are closed when their chunk is forgotten, also one that is just being opened", () =>
    readingMany(2, async (reader, [first = CHUNK, second = CHUNK], open) => {
      await reader.block(first, 4, 1n);
      expect(open()).toBe(1);
      await reader.forget(first);
      expect(open()).toBe(0);
      const read = reader.block(second, 4, 1n);
      await reader.forget(second);
      expect((await read).entries).toHaveLength(10);
      expect(open()).toBe(0);
    }));

  test("are few at a time, and one that is being read is closed when that is done", () =>
    readingMany(40, async (reader, chunks, open) => {
      const reads = chunks.map((id) => reader.block(id, 4, 15n));
      const blocks = await Promise.all(reads);
      expect(blocks.every(({ entries }) => entries.length === 10)).toBe(true);
      expect(open()).toBeLessThanOrEqual(16);
    }));
});
