import { describe, expect, test } from "vitest";
import { type Lsn, pageNumber } from "../../base/units.ts";
import type { FaultOrder } from "../../io/index.ts";
import type { PageSpace } from "../page-space.ts";
import { DIRECTORY, Rig, type RigOptions } from "../rig.fixture.ts";

const PAGE_BYTES = 512;

function image(fill: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(fill);
}

function commit(space: PageSpace, pages: Readonly<Record<number, number>>): Lsn {
  const base = space.pin(space.newestLsn);
  const changed = new Map(Object.entries(pages).map(([page, fill]) => [Number(page), image(fill)]));
  const pageCount = Math.max(base.pageCount, ...changed.keys());
  const lsn = space.stage({ base, pageCount, pageBytes: PAGE_BYTES, pages: changed }).seal();
  space.unpin(base);
  return lsn;
}

function fills(space: PageSpace): number[] {
  const snapshot = space.pin(space.newestLsn);
  const found = Array.from(
    { length: snapshot.pageCount },
    (_, index) => space.read(snapshot, pageNumber(index + 1))[0] ?? -1,
  );
  space.unpin(snapshot);
  return found;
}

/** Two databases, one of them checkpointed once and changed again, and the next checkpoint begun. */
async function secondCheckpoint(
  options: RigOptions,
): Promise<{ rig: Rig; done: Promise<unknown> }> {
  const rig = await Rig.open(options);
  commit(rig.space(1), { 1: 1, 2: 2, 3: 3 });
  await rig.checkpoint();
  commit(rig.space(1), { 2: 4 });
  commit(rig.space(2), { 1: 5, 2: 6 });
  rig.log.makeDurable();
  await rig.world.run(rig.publishCatalogue());
  return { rig, done: rig.beginCheckpoint() };
}

const EXPECTED = [
  [1, 4, 3],
  [5, 6],
];

describe("a crash", () => {
  // evidence: G1
  test("at any call of a checkpoint leaves the old one or the new one, and nothing is lost", async () => {
    for (const how of ["kill", "power"] as const) {
      for (let seed = 1; seed <= 4; seed += 1) {
        for (let call = 1; ; call += 1) {
          const { rig, done } = await secondCheckpoint({ seed: 100 * seed + call });
          rig.world.disk.crashAt(call, how);
          await rig.world.run(done).catch((error) => {
            if (rig.world.alive) throw error;
          });
          if (rig.world.alive) break; // All calls are through: the crash did not come.
          await rig.start();
          const found = [fills(rig.space(1)), fills(rig.space(2))];
          expect(found, `${how}, seed ${seed}, call ${call}`).toEqual(EXPECTED);
          await rig.checkpoint();
          await rig.restart("power");
          const folded = [fills(rig.space(1)), fills(rig.space(2))];
          expect(folded, `${how}, seed ${seed}, call ${call}, folded`).toEqual(EXPECTED);
          expect(rig.store.stats.overlayBytes).toBe(0);
        }
      }
    }
  });

  test("leaves no file behind that the next open does not remove", async () => {
    for (let call = 1; call < 40; call += 1) {
      const { rig, done } = await secondCheckpoint({ seed: call });
      rig.world.disk.crashAt(call, "kill");
      await rig.world.run(done).catch((error) => {
        if (rig.world.alive) throw error;
      });
      await rig.restart("kill");
      const named = rig.manifest.opened.chunks.length;
      expect(await rig.chunkFiles(), `call ${call}`).toHaveLength(named);
      const { storage } = rig.world.start();
      expect(await rig.world.run(storage.list(`${DIRECTORY}/tmp`))).toEqual([]);
    }
  });
});

describe("a device that refuses", () => {
  const faults: FaultOrder[] = [
    { operation: "create" },
    { operation: "write" },
    { operation: "write", skip: 2, error: "ENOSPC" },
    { operation: "sync" },
    { operation: "mkdir" },
    { operation: "rename" },
    { operation: "syncDirectory" },
  ];

  test.each(faults)(
    "%o keeps the old checkpoint; work goes on, and a later one succeeds",
    async (fault) => {
      const { rig, done } = await secondCheckpoint({ seed: 1 });
      rig.world.disk.failNext({ ...fault, pathPattern: /chunk/ });
      const code = fault.error === "ENOSPC" ? "BOP_DISK_FULL" : "BOP_IO";
      await expect(rig.world.run(done)).rejects.toMatchObject({ code });
      expect(rig.store.stats.checkpoints).toBe(1);
      expect([fills(rig.space(1)), fills(rig.space(2))]).toEqual(EXPECTED);
      commit(rig.space(1), { 1: 9 });
      await rig.checkpoint();
      await rig.restart("power");
      expect([fills(rig.space(1)), fills(rig.space(2))]).toEqual([
        [9, 4, 3],
        [5, 6],
      ]);
      expect(rig.store.stats.overlayBytes).toBe(0);
    },
  );

  test("a full disk keeps nothing of the attempt, so that room which is made is room", async () => {
    const { rig, done } = await secondCheckpoint({ seed: 1 });
    const before = await rig.chunkFiles();
    rig.world.disk.failNext({ operation: "write", error: "ENOSPC", skip: 1 });
    await expect(rig.world.run(done)).rejects.toMatchObject({ code: "BOP_DISK_FULL" });
    expect(await rig.chunkFiles()).toEqual(before);
    const { storage } = rig.world.start();
    expect(await rig.world.run(storage.list(`${DIRECTORY}/tmp`))).toEqual([]);
  });

  test.each([true, false])(
    "in the manifest (found applied later: %s) loses nothing, whichever it was",
    async (applied) => {
      const { rig, done } = await secondCheckpoint({ seed: 1 });
      rig.stores.failNextCommit({ applied });
      await expect(rig.world.run(done)).rejects.toThrow();
      expect([fills(rig.space(1)), fills(rig.space(2))]).toEqual(EXPECTED);
      await rig.restart("kill");
      expect([fills(rig.space(1)), fills(rig.space(2))]).toEqual(EXPECTED);
      expect(rig.store.stats.overlayBytes).toBe(applied ? 0 : 3 * PAGE_BYTES);
    },
  );

  test("for want of room in the manifest goes on later, and the refused chunks are removed then", async () => {
    const { rig, done } = await secondCheckpoint({ seed: 1 });
    rig.stores.failNextCommit({ applied: false, error: "ENOSPC" });
    await expect(rig.world.run(done)).rejects.toMatchObject({ code: "BOP_DISK_FULL" });
    await rig.checkpoint();
    expect(await rig.chunkFiles()).toHaveLength(rig.store.stats.chunks);
    await rig.restart("power");
    expect([fills(rig.space(1)), fills(rig.space(2))]).toEqual(EXPECTED);
  });

  test("in the superblock is made up for by the next checkpoint, though nothing else has changed", async () => {
    const rig = await Rig.open({ seed: 1 });
    commit(rig.space(1), { 1: 1 });
    rig.log.makeDurable();
    const failing = rig.beginCheckpoint(() => Promise.reject(new Error("the superblock")));
    await expect(rig.world.run(failing)).rejects.toThrow("the superblock");
    rig.live.clear();
    let written = 0;
    const superblock = () => {
      written += 1;
      return Promise.resolve();
    };
    await rig.world.run(rig.beginCheckpoint(superblock));
    expect(written).toBe(1);
    expect(fills(rig.space(1))).toEqual([1]);
  });
});

describe("a checkpoint", () => {
  test("waits until its LSN is durable, and takes nothing from above it", async () => {
    const rig = await Rig.open({ seed: 3 });
    const space = rig.space(1);
    commit(space, { 1: 1, 2: 2 });
    rig.log.makeDurable();
    const first = commit(space, { 1: 3 });
    const done = rig.beginCheckpoint();
    await rig.world.pass(5);
    expect(await rig.chunkFiles()).toEqual([]);
    commit(space, { 1: 4, 2: 5, 3: 6 });
    rig.log.makeDurable(first);
    expect(await rig.world.run(done)).toMatchObject({ checkpointLsn: first, releaseLsn: first });
    expect(fills(space)).toEqual([4, 5, 6]);
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual([3, 2]);
  });

  test("keeps what it is about to write though the page is written again meanwhile", async () => {
    const rig = await Rig.open({ seed: 3 });
    const space = rig.space(1);
    commit(space, { 1: 1 });
    rig.log.makeDurable();
    const done = rig.beginCheckpoint();
    await rig.world.pass(1); // It has found room, and has begun.
    for (let round = 2; round < 30; round += 1) {
      commit(space, { 1: round });
      rig.log.makeDurable();
    }
    expect(await rig.world.run(done)).toMatchObject({ pages: 1 });
    expect(rig.store.stats.dirtyDatabases).toBe(1);
    expect(fills(space)).toEqual([29]);
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual([29]);
  });

  test("takes each of many databases as it was when it began, whatever is committed while it plans", async () => {
    const count = 990;
    const streams = Array.from({ length: count }, (_, index) => index + 1);
    const rig = await Rig.open({ seed: 5 });
    for (const stream of streams) commit(rig.space(stream), { 1: stream % 100 });
    rig.log.makeDurable();
    await rig.world.run(rig.publishCatalogue());
    let began: Lsn | undefined;
    const done = rig.store.checkpoint({
      removable: (lsn) => {
        began = lsn;
        return [];
      },
      beforePublish: async () => undefined,
      superblock: async () => undefined,
    });
    while (began === undefined) await rig.world.pass(0.01); // Its first slice ends in the plan.
    for (let stream = count; stream > 0; stream -= 10) {
      commit(rig.space(stream), { 1: 200, 2: 201 });
    }
    const result = await rig.world.run(done);
    expect(result).toMatchObject({ checkpointLsn: began, pages: count });
    await rig.restart("power");
    const found = streams.map((stream) => fills(rig.space(stream)).join());
    expect(found).toEqual(streams.map((stream) => String(stream % 100)));
  });

  test("when nothing has changed writes nothing", async () => {
    const rig = await Rig.open({ seed: 3 });
    commit(rig.space(1), { 1: 1 });
    await rig.checkpoint();
    const generation = rig.manifest.generation;
    rig.live.clear();
    const result = await rig.checkpoint();
    expect(result).toMatchObject({ generation, pages: 0 });
    expect(rig.manifest.generation).toBe(generation);
  });

  test("that is asked for while another runs follows it", async () => {
    const rig = await Rig.open({ seed: 3 });
    const space = rig.space(1);
    commit(space, { 1: 1 });
    rig.log.makeDurable();
    const first = rig.beginCheckpoint();
    const second = rig.beginCheckpoint();
    await rig.world.pass(0);
    const lsn = commit(space, { 1: 2 });
    rig.log.makeDurable();
    await rig.world.run(first);
    expect(await rig.world.run(second)).toMatchObject({ checkpointLsn: lsn });
  });

  test("is ended by close, and the next open has all of it from the log", async () => {
    for (let ms = 0; ms < 6; ms += 0.5) {
      const { rig, done } = await secondCheckpoint({ seed: 9 });
      const ended = done.then(
        () => "done",
        (error) => error.code,
      );
      await rig.world.pass(ms);
      await rig.restart("close");
      expect(["done", "BOP_CLOSED"]).toContain(await ended);
      expect([fills(rig.space(1)), fills(rig.space(2))]).toEqual(EXPECTED);
    }
  });

  test("after close is refused", async () => {
    const rig = await Rig.open({ seed: 3 });
    await rig.world.run(rig.store.close());
    await rig.world.run(rig.store.close());
    await expect(rig.world.run(rig.beginCheckpoint())).rejects.toMatchObject({
      code: "BOP_CLOSED",
    });
  });
});

describe("compaction", () => {
  /** Twenty pages in one chunk, of which `kept` are not written again. */
  async function sparse(kept: number): Promise<Rig> {
    const rig = await Rig.open({ seed: 4, limits: { cacheBytes: 0 } });
    const all = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [index + 1, 1]));
    commit(rig.space(1), all);
    await rig.checkpoint();
    const again = Object.fromEntries(
      Array.from({ length: 600 - kept }, (_, index) => [index + 1, 2]),
    );
    commit(rig.space(1), again);
    return rig;
  }

  function expected(kept: number): number[] {
    return Array.from({ length: 600 }, (_, index) => (index < 600 - kept ? 2 : 1));
  }

  test("carries the last pages of a sparse chunk over and lets its file go", async () => {
    const rig = await sparse(20);
    expect(await rig.checkpoint()).toMatchObject({ compactedChunks: 1, pages: 580 });
    expect(await rig.chunkFiles()).toHaveLength(1);
    expect(fills(rig.space(1))).toEqual(expected(20));
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual(expected(20));
    expect(rig.manifest.opened.chunks).toMatchObject([{ pageCount: 600, livePages: 600 }]);
  });

  test("leaves a chunk alone of which much is alive", async () => {
    const rig = await sparse(400);
    expect(await rig.checkpoint()).toMatchObject({ compactedChunks: 0 });
    expect(await rig.chunkFiles()).toHaveLength(2);
    expect(fills(rig.space(1))).toEqual(expected(400));
  });

  test("makes one chunk of many small ones", async () => {
    const rig = await Rig.open({ seed: 5 });
    for (let stream = 1; stream <= 6; stream += 1) {
      commit(rig.space(stream), { 1: stream });
      await rig.checkpoint();
    }
    expect(await rig.chunkFiles()).toHaveLength(1);
    await rig.restart("power");
    for (let stream = 1; stream <= 6; stream += 1) {
      expect(fills(rig.space(stream))).toEqual([stream]);
    }
  });

  test("passes a damaged chunk over: others are checkpointed, and its damage stays to be seen", async () => {
    const rig = await sparse(20);
    const [path = ""] = await rig.chunkFiles();
    const bytes = rig.world.disk.contents(path) ?? new Uint8Array();
    const record = 128 + 590 * (24 + PAGE_BYTES) + 100;
    bytes[record] = (bytes[record] ?? 0) ^ 1;
    rig.world.disk.replace(path, bytes);
    expect(await rig.checkpoint()).toMatchObject({ compactedChunks: 0, pages: 580 });
    const space = rig.space(1);
    const snapshot = space.pin(space.newestLsn);
    expect(space.read(snapshot, pageNumber(580))[0]).toBe(2);
    expect(() => space.read(snapshot, pageNumber(591))).toThrow("checksum of the page");
    expect(space.read(snapshot, pageNumber(600))[0]).toBe(1);
  });

  test("waits with the file for a reader of an older state, and for no other", async () => {
    const rig = await Rig.open({ seed: 4, limits: { cacheBytes: 0 } });
    const space = rig.space(1);
    commit(space, Object.fromEntries(Array.from({ length: 600 }, (_, at) => [at + 1, 1])));
    await rig.checkpoint();
    const reader = space.pin(space.newestLsn);
    commit(space, Object.fromEntries(Array.from({ length: 580 }, (_, at) => [at + 1, 2])));
    rig.log.makeDurable();
    const other = space.pin(space.newestLsn);
    await rig.checkpoint();
    expect(await rig.chunkFiles()).toHaveLength(2);
    expect(space.read(reader, pageNumber(1))[0]).toBe(1);
    expect(space.read(other, pageNumber(600))[0]).toBe(1);
    space.unpin(reader);
    commit(space, { 1: 7 });
    await rig.checkpoint();
    expect(await rig.chunkFiles()).not.toContain("/data/chunks/01/0000000000000001.chunk");
    expect([1, 600].map((page) => space.read(other, pageNumber(page))[0])).toEqual([2, 1]);
  });
});
