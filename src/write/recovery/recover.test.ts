import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { lsn } from "../../base/units.ts";
import type { SimulatedWorld } from "../../io/index.ts";
import { BATCH_HEADER, BLOCK_BYTES, encodeSegmentHeader, SEGMENT_HEADER } from "../../wal/index.ts";
import { LogStore, type Sealed, STORE_ID, worldOf } from "../log.fixture.ts";
import { DRIVERS, FLUSH } from "../running.fixture.ts";

interface Stopped {
  readonly world: SimulatedWorld;
  readonly store: LogStore;
  /** Its first segment. */
  readonly whole: Uint8Array;
}

/** A log of three commits, each in a batch of its own, whose process was killed before the proof. */
async function threeCommits(): Promise<Stopped> {
  const world = await worldOf(1);
  const store = new LogStore();
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    for (const bytes of [10, 20, 30]) await store.commitDurably(log, bytes);
  });
  world.kill();
  const whole = world.disk.contents(store.path(1))?.slice();
  if (whole === undefined) throw new Error("there is no first segment");
  return { world, store, whole };
}

/** The same world with its first segment changed, from what it was when it was stopped. */
function damaged({ world, store, whole }: Stopped, change: (bytes: Uint8Array) => Uint8Array) {
  world.disk.replace(store.path(1), change(whole.slice()));
  return world;
}

async function outcome(world: SimulatedWorld, store: LogStore): Promise<Sealed[] | string> {
  const env = world.start();
  try {
    return await world.run(async () => (await store.recover(env)).found);
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    throw error;
  } finally {
    world.kill();
  }
}

/** Bytes of the file that carry something: the header, and each batch up to its padding. */
function meaningful(bytes: Uint8Array): { offset: number; batch: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const places = Array.from({ length: SEGMENT_HEADER.sizeBytes }, (_, offset) => {
    return { offset, batch: 0 };
  });
  for (let batch = 1; batch <= 3; batch++) {
    const start = batch * BLOCK_BYTES;
    const payload = view.getUint32(start + BATCH_HEADER.offset.payloadBytes, true);
    for (let i = 0; i < BATCH_HEADER.sizeBytes + payload; i++) {
      places.push({ offset: start + i, batch });
    }
  }
  return places;
}

describe("log recovery", () => {
  // evidence: G4
  test("a flipped byte below the last batch is corruption; in the last it is a torn tail, unless it was known to be durable", async () => {
    const stopped = await threeCommits();
    const { store } = stopped;
    const whole = [...store.sealed];
    const places = meaningful(stopped.whole);
    expect(places.length).toBeGreaterThan(300);
    for (const { offset, batch } of places) {
      const world = damaged(stopped, (bytes) => {
        bytes[offset] = (bytes[offset] ?? 0) ^ 0x10;
        return bytes;
      });
      const found = await outcome(world, store);
      expect({ offset, found }).toEqual({
        offset,
        found: batch === 3 ? whole.slice(0, 2) : "BOP_CORRUPT",
      });
      if (batch !== 3) continue;
      store.durableFloorLsn = lsn(whole.at(-1)?.lsn ?? 0);
      expect(await outcome(world, store)).toBe("BOP_CORRUPT");
      store.durableFloorLsn = lsn(0);
    }
  }, 60_000);

  test("a byte flipped between the batches changes nothing", async () => {
    const stopped = await threeCommits();
    for (const offset of [
      SEGMENT_HEADER.sizeBytes,
      BLOCK_BYTES - 1,
      2 * BLOCK_BYTES - 1,
      4 * BLOCK_BYTES + 5,
    ]) {
      const world = damaged(stopped, (bytes) => {
        bytes[offset] = 0xff;
        return bytes;
      });
      expect(await outcome(world, stopped.store)).toEqual(stopped.store.sealed);
    }
  });

  // evidence: G1
  test("a log cut off at a block holds the commits before it, as far as they were all that was known", async () => {
    const stopped = await threeCommits();
    const { store } = stopped;
    const whole = [...store.sealed];
    for (let blocks = 0; blocks <= 6; blocks++) {
      const expected = blocks < 1 ? "BOP_CORRUPT" : whole.slice(0, Math.max(0, blocks - 1));
      const known = blocks < 4 ? "BOP_CORRUPT" : expected;
      const cut = (bytes: Uint8Array) => bytes.slice(0, blocks * BLOCK_BYTES);
      const zeroed = (bytes: Uint8Array) => bytes.fill(0, blocks * BLOCK_BYTES);
      for (const change of [cut, zeroed]) {
        const world = damaged(stopped, change);
        store.durableFloorLsn = lsn(blocks < 1 ? (whole[0]?.lsn ?? 0) : 0);
        expect(await outcome(world, store)).toEqual(expected);
        store.durableFloorLsn = lsn(whole.at(-1)?.lsn ?? 0);
        expect(await outcome(world, store)).toEqual(known);
      }
    }
  });

  test("a tail that cannot be read is an I/O error, never the end of the log", async () => {
    const { world, store } = await threeCommits();
    world.disk.failNext({ operation: "read", skip: 1, times: Number.POSITIVE_INFINITY });
    expect(await outcome(world, store)).toBe("BOP_IO");
  });

  test("a read that is cut short is continued, and does not pass for the end of the log", async () => {
    const world = await worldOf(3);
    const store = new LogStore();
    const env = world.start();
    await world.run(async () => {
      const log = await store.open(env);
      for (let i = 0; i < 6; i++) await store.commitDurably(log, 30_000);
    });
    world.kill();
    for (let skip = 0; skip < 6; skip++) {
      world.disk.failNext({ operation: "read", error: "SHORT", times: 3, skip });
      expect(await outcome(world, store)).toEqual(store.sealed);
    }
  });

  test("a registered segment that is missing is corruption; one that was only reserved is not", async () => {
    const { world, store } = await threeCommits();
    expect([...store.registered]).toEqual([1, 2]);
    expect(await outcome(world, store)).toEqual(store.sealed);
    const { storage } = world.start();
    await world.run(() => storage.unlink(store.path(1)));
    world.kill();
    expect(await outcome(world, store)).toBe("BOP_CORRUPT");
  });

  test("a segment that holds log and is not registered is refused, for the register is an old copy", async () => {
    const { world, store } = await threeCommits();
    const path = store.path(1);
    const header = { storeId: STORE_ID, sequence: 7, firstLsn: 4096, durableLsn: 0, createdMs: 0 };
    const { storage } = world.start();
    await world.run(async () => {
      await (await storage.open(store.path(7), "create")).close();
      await (await storage.open(store.path(6), "create")).close();
    });
    world.kill();
    expect(await outcome(world, store)).toEqual(store.sealed);
    world.disk.replace(store.path(7), encodeSegmentHeader(header));
    expect(await outcome(world, store)).toBe("BOP_CORRUPT");
    expect(world.disk.contents(path)).toBeDefined();
  });

  test("a file that nobody needs is removed by the next start", async () => {
    const { world, store } = await threeCommits();
    const env = world.start();
    await world.run(async () => {
      await (await env.storage.open(store.path(7), "create")).close();
      const log = await store.open(env);
      expect(await env.storage.stat(store.path(7))).toBeUndefined();
      await log.close();
    });
  });

  test("a segment of another store, or of a newer format, is named as such", async () => {
    const stopped = await threeCommits();
    const foreign = new Uint8Array(16).fill(1);
    const header = { sequence: 1, firstLsn: 0, durableLsn: 0, createdMs: 0 };
    const other = damaged(stopped, (bytes) => {
      bytes.set(encodeSegmentHeader({ ...header, storeId: foreign }));
      return bytes;
    });
    expect(await outcome(other, stopped.store)).toBe("BOP_CORRUPT");
    const misplaced = damaged(stopped, (bytes) => {
      bytes.set(encodeSegmentHeader({ ...header, storeId: STORE_ID, sequence: 2 }));
      return bytes;
    });
    expect(await outcome(misplaced, stopped.store)).toBe("BOP_CORRUPT");
    const newer = damaged(stopped, (bytes) => {
      const { version, checksum } = SEGMENT_HEADER.offset;
      const view = new DataView(bytes.buffer);
      view.setUint16(version, 2, true);
      view.setUint32(checksum, crc32(bytes.subarray(0, checksum)), true);
      return bytes;
    });
    expect(await outcome(newer, stopped.store)).toBe("BOP_FORMAT");
  });

  test("the file and the place of the damage are in the error", async () => {
    const stopped = await threeCommits();
    const world = damaged(stopped, (bytes) => {
      bytes[2 * BLOCK_BYTES + 60] = 0xff;
      return bytes;
    });
    const env = world.start();
    const error = await world.run(() => stopped.store.recover(env).catch((it) => it));
    expect(isStorageError(error, "BOP_CORRUPT") && error.details).toMatchObject({
      file: stopped.store.path(1),
      offset: 2 * BLOCK_BYTES,
    });
  });

  // evidence: G1
  test("a start that is cut off by the power after it copied the tail is recovered from the original", async () => {
    for (let seed = 1; seed <= 8; seed++) {
      for (let n = 1; n <= 8; n++) {
        const world = await worldOf(seed * 100 + n);
        const store = new LogStore();
        await untilUnsynced(world, store);
        const next = world.start();
        world.disk.crashAt(n, "power");
        await world.run(() => store.open(next)).catch(() => undefined);
        if (world.alive) world.powerCut();
        const last = world.start();
        await world.run(async () => (await store.open(last)).close());
      }
    }
  }, 60_000);

  // evidence: G1
  test("a copied tail stays though two starts were killed before its header was durable, and then the power went", async () => {
    for (let first = 5; first <= 9; first++) {
      for (let second = 3; second <= 9; second++) {
        const world = await worldOf(first * 100 + second);
        const store = new LogStore();
        await untilUnsynced(world, store);
        for (const n of [first, second]) {
          const env = world.start();
          world.disk.crashAt(n, "kill");
          await world.run(() => store.open(env)).catch(() => undefined);
          if (world.alive) world.kill();
        }
        const served = world.start();
        await world.run(async () => {
          // What this start has served is there after the next one.
          const log = await store.open(served);
          store.acknowledgedLsn = log.durableLsn;
        });
        world.powerCut();
        const last = world.start();
        await world.run(async () => (await store.open(last)).close());
      }
    }
  }, 60_000);

  // evidence: G9
  test("a log that a checkpoint has wholly is found though a start was killed before the header of its segment was durable, and the power went when the next one had let the older segment go", async () => {
    for (let first = 6; first <= 9; first++) {
      for (let second = 1; second <= 20; second++) {
        const world = await worldOf(first * 100 + second);
        const store = new LogStore();
        const env = world.start();
        await world.run(async () => {
          const log = await store.open(env);
          await store.commitDurably(log, 100);
          store.checkpointLsn = log.durableLsn;
        });
        world.kill();
        for (const [n, how] of [
          [first, "kill"],
          [second, "power"],
        ] as const) {
          const next = world.start();
          world.disk.crashAt(n, how);
          await world.run(() => store.open(next)).catch(() => undefined);
          if (world.alive) world.kill();
        }
        const last = world.start();
        await world.run(async () => (await store.open(last)).close());
      }
    }
  }, 60_000);

  // evidence: G1
  test.each(DRIVERS)(
    "a copied tail stays though the flush of its header had failed, and the next start could read it, %s",
    async (io) => {
      for (let skip = 0; skip < 4; skip++) {
        for (let seed = 1; seed <= 4; seed++) {
          const world = await worldOf(skip * 100 + seed);
          const store = new LogStore();
          store.io = io;
          await untilRefused(world, store, FLUSH[io]);
          const refused = world.start();
          world.disk.failNext({ operation: FLUSH[io], pathPattern: WAL_FILE, after: "kept", skip });
          await world.run(() => store.open(refused)).catch(() => undefined);
          world.kill();
          world.disk.heal();
          const served = world.start();
          await world.run(async () => {
            const log = await store.open(served);
            store.acknowledgedLsn = log.durableLsn;
            await store.commitDurably(log, 50);
          });
          world.powerCut();
          const last = world.start();
          await world.run(async () => (await store.open(last)).close());
        }
      }
    },
    60_000,
  );

  // evidence: G9
  test("a log that a checkpoint has wholly is found though the sync of its segment's header had failed, and the power went when the next start had let the older segment go", async () => {
    for (let skip = 0; skip < 4; skip++) {
      for (let second = 1; second <= 16; second++) {
        const world = await worldOf(skip * 100 + second);
        const store = new LogStore();
        store.io = "standard";
        const env = world.start();
        await world.run(async () => {
          const log = await store.open(env);
          await store.commitDurably(log, 100);
          store.checkpointLsn = log.durableLsn;
        });
        world.kill();
        const refused = world.start();
        world.disk.failNext({ operation: "sync", pathPattern: WAL_FILE, after: "kept", skip });
        await world.run(() => store.open(refused)).catch(() => undefined);
        world.kill();
        world.disk.heal();
        const next = world.start();
        world.disk.crashAt(second, "power");
        await world.run(() => store.open(next)).catch(() => undefined);
        if (world.alive) world.powerCut();
        const last = world.start();
        await world.run(async () => (await store.open(last)).close());
      }
    }
  }, 60_000);
});

const WAL_FILE = /\.wal$/;

/** Killed when the flush of its last batch has failed: the batch can be read, and no sync helps. */
async function untilRefused(world: SimulatedWorld, store: LogStore, operation: "sync" | "write") {
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    world.disk.capacityBytes = 0; // No other segment takes over.
    await store.commitDurably(log, 100);
    world.disk.failNext({ operation, pathPattern: WAL_FILE, after: "kept" });
    store.commit(log, 3000);
    log.kick();
    while (!world.disk.injected.has(`${operation} EIO`)) await env.clock.sleep(0.01);
  });
  world.kill();
  world.disk.capacityBytes = Number.POSITIVE_INFINITY;
}

/** Killed while its last batch is in the page cache only. */
async function untilUnsynced(world: SimulatedWorld, store: LogStore): Promise<void> {
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    await store.commitDurably(log, 100);
    store.commit(log, 3000);
    log.kick();
    const before = world.disk.calls.sync ?? 0;
    while ((world.disk.calls.sync ?? 0) === before) await env.clock.sleep(0.01);
  });
  world.kill();
}
