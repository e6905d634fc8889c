/**
 * RECORD LOGS: entries of 256 bytes appended durably, by one caller and by 64, against LMDB and
 * LevelDB as log stores use them, and against two bare loops over a preallocated file that keep no
 * index, no checksum and no promise but that of the device.
 */
import assert from "node:assert/strict";
import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { callers, type Metric, type Scenario, type Side } from "../harness.ts";
import { latency, perSecond } from "../metrics.ts";
import { openOurs } from "../ours.ts";

const ENTRY_BYTES = 256;
const BLOCK_BYTES = 4096;
const FILE_BYTES = 256 * 1024 * 1024;
const ZEROS = new Uint8Array(1024 * 1024);

interface Shape {
  readonly callers: number;
  readonly operations: number;
}

/** The first bytes of a payload are the number of its entry. */
function payloadOf(index: number): Uint8Array {
  const payload = new Uint8Array(ENTRY_BYTES).fill(index & 255);
  new DataView(payload.buffer).setFloat64(0, index, true);
  return payload;
}

/** Rounds of appends `1, 2, 3 …`, each by whoever is free. */
function appending(shape: Shape, append: (index: number) => Promise<unknown> | unknown) {
  let appended = 0;
  return {
    appended: () => appended,
    round: async () => {
      const latenciesMs: number[] = [];
      const seconds = await callers({ count: shape.callers, operations: shape.operations }, () => {
        appended += 1;
        const began = performance.now();
        const done = append(appended);
        if (done === undefined) {
          latenciesMs.push(performance.now() - began);
          return undefined;
        }
        return (done as Promise<unknown>).then(() => {
          latenciesMs.push(performance.now() - began);
        });
      });
      return { operations: shape.operations, seconds, latenciesMs };
    },
  };
}

async function ours(shape: Shape, directory: string): Promise<Side> {
  const manager = await openOurs(join(directory, "ours"));
  const log = await manager.log("bench");
  const { round, appended } = appending(shape, (index) => {
    return log.append([{ term: 1n, index: BigInt(index), payload: payloadOf(index) }]);
  });
  return {
    name: "bop-storage",
    round,
    async verify() {
      assert.equal(log.durableIndex, BigInt(appended()));
      for (let from = 1n; from <= BigInt(appended()); ) {
        const found = await log.read({ from });
        for (const { index, payload } of found) assert.deepEqual(payload, payloadOf(Number(index)));
        from += BigInt(found.length);
      }
    },
    close: () => manager.close(),
  };
}

/** LMDB as lmdb-js gives it: concurrent puts share a transaction, and each waits for its sync. */
async function lmdb(shape: Shape, directory: string): Promise<Side> {
  const { open } = await import("lmdb");
  const store = open<Uint8Array, number>({
    path: join(directory, "lmdb"),
    encoding: "binary",
    keyEncoding: "uint32",
    overlappingSync: false,
  });
  const { round, appended } = appending(shape, (index) => {
    return store.put(index, Buffer.from(payloadOf(index)));
  });
  return {
    name: "lmdb",
    round,
    async verify() {
      for (let index = 1; index <= appended(); index++) {
        assert.ok(Buffer.from(payloadOf(index)).equals(Buffer.from(store.get(index) ?? [])));
      }
    },
    close: () => store.close(),
  };
}

interface LevelDatabase {
  put(key: string, value: Uint8Array, options: { sync: boolean }): Promise<void>;
  get(key: string): Promise<Uint8Array>;
  close(): Promise<void>;
}
type LevelConstructor = new (
  path: string,
  options: { valueEncoding: string },
) => LevelDatabase & { open(): Promise<void> };

async function level(shape: Shape, directory: string): Promise<Side> {
  const { ClassicLevel } = createRequire(join(import.meta.dirname, "../package.json"))(
    "classic-level",
  ) as { ClassicLevel: LevelConstructor };
  const database = new ClassicLevel(join(directory, "level"), { valueEncoding: "view" });
  await database.open();
  const keyOf = (index: number) => String(index).padStart(12, "0");
  const { round, appended } = appending(shape, (index) => {
    return database.put(keyOf(index), payloadOf(index), { sync: true });
  });
  return {
    name: "classic-level",
    round,
    async verify() {
      for (let index = 1; index <= appended(); index++) {
        assert.deepEqual(new Uint8Array(await database.get(keyOf(index))), payloadOf(index));
      }
    },
    close: () => database.close(),
  };
}

/** A file of zeros on the device, so that no write allocates. */
function preallocated(directory: string, name: string): number {
  const fd = openSync(join(directory, name), "w+");
  for (let at = 0; at < FILE_BYTES; at += ZEROS.length) writeSync(fd, ZEROS, 0, ZEROS.length, at);
  fdatasyncSync(fd);
  return fd;
}

/** Write a block, flush it, all within the call: the least that a lone append can cost. */
async function bareLoop(shape: Shape, directory: string): Promise<Side> {
  const fd = preallocated(directory, "loop");
  const block = new Uint8Array(BLOCK_BYTES);
  let at = 0;
  const { round } = appending(shape, (index) => {
    block.set(payloadOf(index));
    writeSync(fd, block, 0, BLOCK_BYTES, at);
    fdatasyncSync(fd);
    at = (at + BLOCK_BYTES) % FILE_BYTES;
  });
  return {
    name: "bare loop",
    round,
    verify: async () => undefined,
    close: async () => closeSync(fd),
  };
}

/** Who comes while a flush runs shares the next one. A checksum, and nothing else. */
async function bareGroup(shape: Shape, directory: string): Promise<Side> {
  const fd = preallocated(directory, "group");
  const flush = promisify(fdatasync);
  const buffer = new Uint8Array(1024 * 1024);
  let [at, used, isRunning] = [0, 0, false];
  let waiting: (() => void)[] = [];
  const run = async (): Promise<void> => {
    isRunning = true;
    await undefined;
    while (waiting.length > 0) {
      const released = waiting;
      const bytes = Math.ceil((used + 8) / BLOCK_BYTES) * BLOCK_BYTES;
      buffer[used] = crc32(buffer.subarray(0, used)) & 255;
      if (at + bytes > FILE_BYTES) at = 0;
      writeSync(fd, buffer, 0, bytes, at);
      at += bytes;
      [waiting, used] = [[], 0];
      await flush(fd);
      for (const release of released) release();
      await undefined;
    }
    isRunning = false;
  };
  const { round } = appending(shape, (index) => {
    buffer.set(payloadOf(index), used);
    used += ENTRY_BYTES;
    const done = new Promise<void>((resolve) => waiting.push(resolve));
    if (!isRunning) void run();
    return done;
  });
  return {
    name: "bare group commit",
    round,
    verify: async () => undefined,
    close: async () => closeSync(fd),
  };
}

const rate = (targets: Metric["targets"]) => perSecond("durable appends", targets);
const latencies = [50, 99].map((p) => latency(p, { name: `latency p${p}` }));

export const logMany: Scenario = {
  name: "log-64",
  what: "an entry of 256 bytes appended to a record log, durable; 64 callers",
  metrics: [
    rate([
      { against: "lmdb", atLeast: 3 },
      { against: "bare group commit", atLeast: 0.6 },
    ]),
    ...latencies,
  ],
  async open({ directory, scale }) {
    const shape = { callers: 64, operations: Math.ceil(64_000 * scale) };
    const fewer = { ...shape, operations: Math.ceil(shape.operations / 8) };
    return [
      await ours(shape, directory),
      await lmdb(fewer, directory),
      await level(fewer, directory),
      await bareGroup(shape, directory),
    ];
  },
};

export const logOne: Scenario = {
  name: "log-1",
  what: "an entry of 256 bytes appended to a record log, durable; one caller",
  metrics: [rate([{ against: "bare loop", atLeast: 0.95 }]), ...latencies],
  async open({ directory, scale }) {
    const shape = { callers: 1, operations: Math.ceil(4000 * scale) };
    return [
      await ours(shape, directory),
      await lmdb(shape, directory),
      await level(shape, directory),
      await bareLoop(shape, directory),
    ];
  },
};
