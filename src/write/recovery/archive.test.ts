import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import { segmentSequence } from "../../base/units.ts";
import type { SimulatedWorld } from "../../io/index.ts";
import { BLOCK_BYTES } from "../../wal/index.ts";
import { recoverLog } from "../index.ts";
import { LogStore, STORE_ID, WAL, worldOf } from "../log.fixture.ts";
import type { SegmentArchive } from "./archive.ts";

const ARCHIVE = "/archive";

/** An archive that is a folder: files under the names that they had. */
function folder(env: Env): SegmentArchive {
  return {
    async fetch({ sequence }) {
      const path = `${ARCHIVE}/${sequence}`;
      const found = await env.storage.stat(path);
      if (found === undefined) return undefined;
      const file = await env.storage.open(path, "read");
      const bytes = new Uint8Array(found.bytes);
      await file.read(bytes, 0);
      await file.close();
      return bytes;
    },
  };
}

/** A log of several segments, killed, of which all are copied to the archive. */
async function archived(): Promise<{ world: SimulatedWorld; store: LogStore }> {
  const world = await worldOf(1);
  const store = new LogStore();
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    for (let i = 0; i < 20; i++) await store.commitDurably(log, 30_000);
    await env.storage.mkdir(ARCHIVE);
    await env.storage.syncDirectory(dirname(ARCHIVE));
  });
  world.kill();
  for (const sequence of store.registered) {
    const bytes = world.disk.contents(store.path(sequence));
    if (bytes === undefined) continue;
    const { storage } = world.start();
    await world.run(async () => (await storage.open(`${ARCHIVE}/${sequence}`, "create")).close());
    world.disk.replace(`${ARCHIVE}/${sequence}`, bytes);
    world.kill();
  }
  return { world, store };
}

async function outcome(world: SimulatedWorld, store: LogStore): Promise<unknown> {
  const env = world.start();
  const found: number[] = [];
  const { registered, checkpointLsn, durableFloorLsn } = store;
  try {
    await world.run(async () => {
      const driver = await env.storage.driver({ directory: WAL, io: "auto" });
      const marks = { registered: [...registered], checkpointLsn, durableFloorLsn };
      const nothing = async () => undefined;
      const register = { register: nothing, unregister: nothing };
      const place = { env, driver, directory: WAL, storeId: STORE_ID, archive: folder(env) };
      await recoverLog({ ...place, ...marks, ...register }, ({ lsn }) => found.push(lsn));
    });
    return found;
  } catch (error) {
    if (isStorageError(error, "BOP_CORRUPT")) return error.code;
    throw error;
  } finally {
    world.kill();
  }
}

function flip(world: SimulatedWorld, path: string, offset: number): void {
  const bytes = world.disk.contents(path)?.slice() ?? new Uint8Array(0);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x20;
  world.disk.replace(path, bytes);
}

describe("a damaged log with an archive", () => {
  // evidence: G4
  test("is put back from the copy, wherever a sealed segment is damaged, and stays whole without it", async () => {
    const { world, store } = await archived();
    const whole = store.sealed.map(({ lsn }) => lsn);
    for (const offset of [8, BLOCK_BYTES + 20, BLOCK_BYTES + 60, 20 * BLOCK_BYTES + 7]) {
      flip(world, store.path(2), offset);
      expect(await outcome(world, store)).toEqual(whole);
      const env = world.start();
      expect((await world.run(() => store.recover(env))).found.map(({ lsn }) => lsn)).toEqual(
        whole,
      );
      world.kill();
    }
  });

  test("gets back a segment that is missing", async () => {
    const { world, store } = await archived();
    const { storage } = world.start();
    await world.run(() => storage.unlink(store.path(2)));
    world.kill();
    expect(await outcome(world, store)).toEqual(store.sealed.map(({ lsn }) => lsn));
  });

  // evidence: G4
  test("is refused if the copy is damaged, of another segment, or not there", async () => {
    for (const spoil of ["damaged", "other", "absent"] as const) {
      const { world, store } = await archived();
      const copy = `${ARCHIVE}/2`;
      if (spoil === "damaged") flip(world, copy, 10 * BLOCK_BYTES);
      if (spoil === "other") {
        const other = world.disk.contents(store.path(1));
        if (other !== undefined) world.disk.replace(copy, other);
      }
      if (spoil === "absent") {
        const { storage } = world.start();
        await world.run(() => storage.unlink(copy));
        world.kill();
      }
      flip(world, store.path(2), BLOCK_BYTES + 60);
      expect(await outcome(world, store)).toBe("BOP_CORRUPT");
    }
  });
});

describe("the log's directory", () => {
  test("files of other names are left alone, and a segment's name that is none is refused", async () => {
    const { world, store } = await archived();
    const put = async (name: string) => {
      const { storage } = world.start();
      await world.run(async () => (await storage.open(`${WAL}/${name}`, "create")).close());
      world.kill();
    };
    await put("notes.txt");
    await put("0000000000000002.wal.bak");
    expect(await outcome(world, store)).toEqual(store.sealed.map(({ lsn }) => lsn));
    expect(world.disk.contents(`${WAL}/notes.txt`)).toBeDefined();
    await put("2.wal");
    expect(await outcome(world, store)).toBe("BOP_CORRUPT");
  });

  // evidence: G4
  test("any byte of three segments may flip: the log is refused, or nothing of it has changed but a torn tail", async () => {
    const { world, store } = await archived();
    const whole = store.sealed.map(({ lsn }) => lsn);
    const none = { fetch: async () => undefined };
    for (const sequence of [1, 2, 3]) {
      const path = store.path(sequence);
      const bytes = world.disk.contents(path)?.slice() ?? new Uint8Array(0);
      for (let offset = sequence; offset < bytes.length; offset += 2311) {
        flip(world, path, offset);
        const env = world.start();
        const found = await world
          .run(async () => {
            const driver = await env.storage.driver({ directory: WAL, io: "auto" });
            const { registered, checkpointLsn, durableFloorLsn } = store;
            const marks = { registered: [...registered], checkpointLsn, durableFloorLsn };
            const nothing = async () => undefined;
            const hooks = { register: nothing, unregister: nothing, archive: none };
            const lsns: number[] = [];
            const place = { env, driver, directory: WAL, storeId: STORE_ID };
            await recoverLog({ ...place, ...marks, ...hooks }, ({ lsn }) => lsns.push(lsn));
            return lsns;
          })
          .catch((error) => error);
        world.kill();
        world.disk.replace(path, bytes);
        if (isStorageError(found, "BOP_CORRUPT")) continue;
        expect(found).toEqual(whole.slice(0, found.length));
        expect(found.length).toBeGreaterThanOrEqual(whole.length - 1);
      }
    }
  }, 60_000);

  test("a file that is used again, with leftovers of any alignment, shows no byte of what it was", async () => {
    const { world, store } = await archived();
    const old = world.disk.contents(store.path(1)) ?? new Uint8Array(0);
    const spare = Math.max(...store.registered) - 1;
    const whole = store.sealed.map(({ lsn }) => lsn);
    expect(store.registered.has(segmentSequence(spare))).toBe(true);
    const newest = world.disk.contents(store.path(spare)) ?? new Uint8Array(0);
    const used = newest.findLastIndex((byte) => byte !== 0) + 1;
    const tail = Math.ceil(used / BLOCK_BYTES) * BLOCK_BYTES;
    for (const shift of [0, 1, 52, 511, 512, 4095, 4096, 4097, 8192, 9 * BLOCK_BYTES]) {
      const bytes = newest.slice();
      bytes.set(
        old.subarray(shift, shift + Math.min(old.length - shift, bytes.length - tail)),
        tail,
      );
      world.disk.replace(store.path(spare), bytes);
      expect(await outcome(world, store)).toEqual(whole);
    }
  });
});
