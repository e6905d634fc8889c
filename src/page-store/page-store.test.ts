import { describe, expect, test } from "vitest";
import { isStorageError, StorageError } from "../base/errors.ts";
import { LSN_ZERO, type Lsn, pageNumber, streamId } from "../base/units.ts";
import type { PageSpace, Snapshot } from "./page-space.ts";
import { Rig } from "./rig.fixture.ts";

const PAGE_BYTES = 512;
const FIRST = pageNumber(1);

function image(fill: number, pageBytes = PAGE_BYTES): Uint8Array {
  return new Uint8Array(pageBytes).fill(fill);
}

interface Write {
  readonly pages: Readonly<Record<number, Uint8Array>>;
  readonly pageCount?: number;
  readonly pageBytes?: number;
}

function commit(space: PageSpace, { pages, pageCount, pageBytes = PAGE_BYTES }: Write): Lsn {
  const base = space.pin(space.newestLsn);
  const changed = new Map(Object.entries(pages).map(([page, bytes]) => [Number(page), bytes]));
  const count = pageCount ?? Math.max(base.pageCount, ...changed.keys());
  const lsn = space.stage({ base, pageCount: count, pageBytes, pages: changed }).seal();
  space.unpin(base);
  return lsn;
}

/** First byte of each page, as the snapshot has them. */
function fills(space: PageSpace, snapshot: Snapshot): number[] {
  return Array.from({ length: snapshot.pageCount }, (_, index) => {
    const bytes = space.read(snapshot, pageNumber(index + 1));
    expect(bytes.length).toBe(snapshot.pageBytes);
    return bytes[0] ?? -1;
  });
}

function fillsNow(space: PageSpace): number[] {
  const snapshot = space.pin(space.newestLsn);
  const found = fills(space, snapshot);
  space.unpin(snapshot);
  return found;
}

describe("a commit", () => {
  test("is staged as deltas while its bases are in memory, and as full images when they are not", async () => {
    const rig = await Rig.open({ seed: 1 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1), 2: image(2) } });
    expect(rig.log.counts).toEqual({ delta: 0, full: 2 });
    const changed = image(1);
    changed[9] = 77;
    commit(space, { pages: { 1: changed } });
    expect(rig.log.counts).toEqual({ delta: 1, full: 2 });
    await rig.checkpoint();
    const again = changed.slice();
    again[10] = 78;
    commit(space, { pages: { 1: again } });
    expect(rig.log.counts).toEqual({ delta: 1, full: 3 });
  });

  test("has no delta across the LSN of a checkpoint that has only begun", async () => {
    const rig = await Rig.open({ seed: 1 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1) } });
    const running = rig.beginCheckpoint();
    await rig.world.pass(1);
    const changed = image(1);
    changed[3] = 9;
    commit(space, { pages: { 1: changed } });
    expect(rig.log.counts).toEqual({ delta: 0, full: 2 });
    rig.log.makeDurable();
    await rig.world.run(running);
    await rig.restart("power");
    expect(fillsNow(rig.space(1))).toEqual([1]);
  });

  test("goes back to a full image after 32 deltas, so that replay never follows a longer chain", async () => {
    const rig = await Rig.open({ seed: 1 });
    const space = rig.space(1);
    for (let round = 0; round < 40; round += 1) {
      const bytes = image(0);
      bytes[round] = 1;
      commit(space, { pages: { 1: bytes } });
    }
    expect(rig.log.counts).toEqual({ delta: 38, full: 2 });
  });

  test("leaves out what is there already: in memory or in the cache", async () => {
    const rig = await Rig.open({ seed: 1 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1), 2: image(2) } });
    commit(space, { pages: { 1: image(1), 2: image(3) } });
    expect(rig.log.counts.delta + rig.log.counts.full).toBe(3);
    await rig.checkpoint();
    commit(space, { pages: { 1: image(4), 2: image(3) } });
    expect(rig.log.counts.delta + rig.log.counts.full).toBe(4);
    expect(fillsNow(space)).toEqual([4, 3]);
  });

  test("that is too large is refused before the log hears of it, and the next one is not", async () => {
    const limits = { maxTransactionBytes: 2 * PAGE_BYTES };
    const rig = await Rig.open({ seed: 1, limits });
    const space = rig.space(1);
    const pages = { 1: image(1), 2: image(2), 3: image(3) };
    expect(() => commit(space, { pages })).toThrow(
      expect.objectContaining({
        code: "BOP_TRANSACTION_TOO_LARGE",
        details: { bytes: 3 * PAGE_BYTES, limitBytes: 2 * PAGE_BYTES },
      }),
    );
    commit(space, { pages: { 1: image(1) } });
    expect(fillsNow(space)).toEqual([1]);
  });

  test("that the log refuses half way leaves nothing behind", async () => {
    const rig = await Rig.open({ seed: 1 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1) } });
    const details = { durableLsn: LSN_ZERO, why: "a test" };
    rig.log.failure = new StorageError("BOP_READ_ONLY", "read only", { details });
    expect(() => commit(space, { pages: { 1: image(2), 2: image(2) } })).toThrow("read only");
    expect(fillsNow(space)).toEqual([1]);
    commit(space, { pages: { 2: image(3) } });
    expect(fillsNow(space)).toEqual([1, 3]);
  });

  test("that is discarded was never there", async () => {
    const rig = await Rig.open({ seed: 1 });
    const space = rig.space(1);
    const base = space.pin(space.newestLsn);
    const pages = new Map([[1, image(9)]]);
    space.stage({ base, pageCount: 1, pageBytes: PAGE_BYTES, pages }).discard();
    expect(space.newestLsn).toBe(LSN_ZERO);
    commit(space, { pages: { 1: image(1) } });
    expect(fillsNow(space)).toEqual([1]);
  });
});

describe("a snapshot", () => {
  // evidence: G6
  test("reads its own moment across three checkpoints, and its version of the map waits for it", async () => {
    const rig = await Rig.open({ seed: 2, limits: { cacheBytes: 0 } });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1), 2: image(2) } });
    await rig.checkpoint();
    commit(space, { pages: { 1: image(3) } });
    rig.log.makeDurable();
    const reader = space.pin(space.newestLsn);
    commit(space, { pages: { 2: image(4) } });
    for (let round = 0; round < 3; round += 1) {
      commit(space, { pages: { 1: image(10 + round), 2: image(20 + round) } });
      await rig.checkpoint();
      expect(fills(space, reader)).toEqual([3, 2]);
    }
    expect(rig.store.stats.mapVersions).toBe(2);
    space.unpin(reader);
    commit(space, { pages: { 1: image(50), 2: image(51) } });
    await rig.checkpoint();
    expect(rig.store.stats.mapVersions).toBe(0);
    expect(await rig.chunkFiles()).toHaveLength(1);
    expect(fillsNow(space)).toEqual([50, 51]);
  });

  test("keeps its versions in memory only as long as it is pinned", async () => {
    const rig = await Rig.open({ seed: 2 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1) } });
    const reader = space.pin(space.newestLsn);
    for (let round = 0; round < 50; round += 1) {
      commit(space, { pages: { 1: image(2 + round) } });
      rig.log.makeDurable();
    }
    // Its own, the newest durable one of before, and the newest.
    expect(rig.store.stats.overlayBytes).toBe(3 * PAGE_BYTES);
    await rig.checkpoint();
    expect(rig.store.stats.overlayBytes).toBe(PAGE_BYTES);
    space.unpin(reader);
    await rig.world.pass(1);
    expect(rig.store.stats.overlayBytes).toBe(0);
    expect(fillsNow(space)).toEqual([51]);
  });

  test("before a change of the page size keeps the old pages, one after it sees none of them", async () => {
    const rig = await Rig.open({ seed: 3 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1), 2: image(2) } });
    await rig.checkpoint();
    const before = space.pin(space.newestLsn);
    commit(space, { pages: { 1: image(7, 1024) }, pageCount: 2, pageBytes: 1024 });
    rig.log.makeDurable();
    expect(fillsNow(space)).toEqual([7, 0]);
    await rig.checkpoint();
    expect(fills(space, before)).toEqual([1, 2]);
    expect(fillsNow(space)).toEqual([7, 0]);
    await rig.restart("power");
    expect(fillsNow(rig.space(1))).toEqual([7, 0]);
  });

  test("after a shrinking and a growing sees zeros where nobody wrote again", async () => {
    const rig = await Rig.open({ seed: 3 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1), 2: image(2), 3: image(3) } });
    await rig.checkpoint();
    const before = space.pin(space.newestLsn);
    commit(space, { pages: { 1: image(4) }, pageCount: 1 });
    commit(space, { pages: { 3: image(5) } });
    expect(fillsNow(space)).toEqual([4, 0, 5]);
    await rig.checkpoint();
    expect(fillsNow(space)).toEqual([4, 0, 5]);
    expect(fills(space, before)).toEqual([1, 2, 3]);
  });

  test("of a moment below the newest durable one is the newest durable one: it may be shown", async () => {
    const rig = await Rig.open({ seed: 3 });
    const space = rig.space(1);
    const first = commit(space, { pages: { 1: image(1) } });
    const second = commit(space, { pages: { 1: image(2) } });
    commit(space, { pages: { 1: image(3) } });
    rig.log.makeDurable(second);
    const snapshot = space.pin(first);
    expect(snapshot.lsn).toBe(second);
    expect(fills(space, snapshot)).toEqual([2]);
  });

  test("of what the log lost is not given out any more", async () => {
    const rig = await Rig.open({ seed: 3 });
    const space = rig.space(1);
    const durable = commit(space, { pages: { 1: image(1), 2: image(2) } });
    rig.log.makeDurable();
    commit(space, { pages: { 1: image(3) }, pageCount: 1 });
    rig.store.dropAbove(durable);
    expect(space.newestLsn).toBe(durable);
    expect(fillsNow(space)).toEqual([1, 2]);
  });
});

describe("a database that was dropped", () => {
  test("leaves the manifest and its chunks with the first checkpoint behind its last reader", async () => {
    const rig = await Rig.open({ seed: 4 });
    commit(rig.space(1), { pages: { 1: image(1) } });
    commit(rig.space(2), { pages: { 1: image(2) } });
    await rig.checkpoint();
    const space = rig.space(1);
    const reader = space.pin(space.newestLsn);
    rig.drop(1);
    expect(() => rig.store.space(streamId(1))).toThrow("dropped");
    await rig.checkpoint();
    expect(fills(space, reader)).toEqual([1]);
    space.unpin(reader);
    await rig.checkpoint();
    await rig.restart("power");
    expect(rig.manifest.opened.databases.map(({ stream }) => stream)).toEqual([2]);
    expect(rig.manifest.mapRow(streamId(1), 0, rig.manifest.opened.checkpointLsn)).toBeUndefined();
    expect(rig.manifest.opened.chunks.map(({ livePages }) => livePages)).toEqual([1]);
    expect(fillsNow(rig.space(2))).toEqual([2]);
  });

  test("is passed over when its frames are replayed", async () => {
    const rig = await Rig.open({ seed: 4 });
    commit(rig.space(1), { pages: { 1: image(1) } });
    rig.log.makeDurable();
    const [found] = rig.log.restart(LSN_ZERO);
    if (found === undefined) throw new Error("nothing to replay");
    await rig.restart("kill");
    rig.store.forget(streamId(1), rig.log.newestLsn);
    rig.store.replay(found);
    expect(rig.store.stats.overlayBytes).toBe(PAGE_BYTES);
  });
});

describe("recovery", () => {
  test("refuses a delta whose base is not there, and says where", async () => {
    const rig = await Rig.open({ seed: 5 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1) } });
    const changed = image(1);
    changed[5] = 9;
    const lsn = commit(space, { pages: { 1: changed } });
    rig.log.makeDurable();
    const delta = rig.log.restart(LSN_ZERO).at(-1);
    if (delta === undefined) throw new Error("nothing to replay");
    const empty = await Rig.open({ seed: 6 });
    const refuse = () => empty.store.replay(delta);
    expect(refuse).toThrow(
      expect.objectContaining({
        code: "BOP_CORRUPT",
        details: expect.objectContaining({ offset: lsn }),
      }),
    );
  });
});

describe("a damaged chunk", () => {
  async function damaged(damage: (bytes: Uint8Array) => Uint8Array): Promise<unknown> {
    const rig = await Rig.open({ seed: 7 });
    commit(rig.space(1), { pages: { 1: image(1), 2: image(2) } });
    await rig.checkpoint();
    await rig.restart("power");
    const [path = ""] = await rig.chunkFiles();
    rig.world.disk.replace(path, damage(rig.world.disk.contents(path) ?? new Uint8Array()));
    const space = rig.space(1);
    const snapshot = space.pin(space.newestLsn);
    try {
      return space.read(snapshot, FIRST);
    } catch (error) {
      return error;
    }
  }

  // evidence: G4
  test("is reported with file, offset, database and page, and its bytes are not served", async () => {
    const error = await damaged((bytes) => {
      bytes[200] = 99;
      return bytes;
    });
    expect(isStorageError(error, "BOP_CORRUPT") && error.details).toEqual({
      file: "/data/chunks/01/0000000000000001.chunk",
      offset: 128,
      why: "checksum of the page",
      database: "tenant-1",
      page: 1,
    });
  });

  // evidence: G4
  test("is noticed at every byte that serves a page", async () => {
    for (let at = 0; at < 128 + 24 + PAGE_BYTES; at += 11) {
      const error = await damaged((bytes) => {
        bytes[at] = (bytes[at] ?? 0) ^ 0x40;
        return bytes;
      });
      expect(isStorageError(error, "BOP_CORRUPT"), `byte ${at}`).toBe(true);
    }
  });

  test("that is cut short or empty is damage too, not the end of the process", async () => {
    for (const length of [0, 100, 140, 600]) {
      const error = await damaged((bytes) => bytes.slice(0, length));
      expect(isStorageError(error, "BOP_CORRUPT"), `${length} bytes`).toBe(true);
    }
  });
});

describe("memory", () => {
  test("holds what was just checkpointed: no file is read to read it again", async () => {
    const rig = await Rig.open({ seed: 8 });
    const space = rig.space(1);
    commit(space, { pages: { 1: image(1), 2: image(2) } });
    await rig.checkpoint();
    const before = rig.world.disk.calls.read ?? 0;
    expect(fillsNow(space)).toEqual([1, 2]);
    expect(rig.world.disk.calls.read ?? 0).toBe(before);
    expect(rig.store.stats).toMatchObject({ overlayBytes: 0, cache: { bytes: 2 * PAGE_BYTES } });
  });

  test("of ten chunks through two open files still serves every page", async () => {
    const limits = { openChunks: 2, cacheBytes: 0, chunkBytes: 1024 };
    const rig = await Rig.open({ seed: 8, limits });
    const pages = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i + 1, image(i + 1)]));
    commit(rig.space(1), { pages });
    await rig.checkpoint();
    expect(await rig.chunkFiles()).toHaveLength(10);
    for (let round = 0; round < 3; round += 1) {
      expect(fillsNow(rig.space(1))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }
  });
});
