import { describe, expect, test } from "vitest";
import { chunkId, lsn, pageNumber } from "../../base/units.ts";
import type { FaultOrder } from "../../io/index.ts";
import { chunkAt } from "../residency/bucket.fixture.ts";
import { DIRECTORY, type Rig } from "../rig.fixture.ts";
import { commit, fills, images, LIMITS, PAGE_BYTES, rigOf, spill, upTo } from "./spill.fixture.ts";

function unfinished(rig: Rig): Promise<readonly string[]> {
  return rig.world.run(async () => rig.world.start().storage.list(`${DIRECTORY}/tmp`));
}

describe("a commit that was spilled", () => {
  test("is read like any other, and the log has only its name", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    spill(space, { spilled: [upTo(20)], inMemory: { 3: 99, 21: 21 } });
    expect(fills(space)).toEqual([...Object.values({ ...upTo(21), 3: 99 })]);
    expect(rig.log.counts).toEqual({ delta: 0, full: 0 });
    expect(rig.store.stats.overlayBytes).toBe(0);
  });

  test("takes the place of versions before it, and gives way to those after it", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    const before = commit(space, { 1: 1, 2: 2, 3: 3 });
    const reader = space.pin(before);
    const middle = spill(space, { spilled: [{ 2: 20, 3: 30, 4: 40 }] });
    const between = space.pin(middle);
    commit(space, { 3: 33 });
    expect(fills(space)).toEqual([1, 20, 33, 40]);
    expect(space.read(reader, pageNumber(2))[0]).toBe(2);
    expect(space.read(between, pageNumber(3))[0]).toBe(30);
    space.unpin(reader);
    space.unpin(between);
  });

  test("is no base of deltas: what follows it is logged whole, and replayed as it was", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    commit(space, { 1: 1, 2: 2 });
    spill(space, { spilled: [{ 2: 20 }] });
    commit(space, { 2: 21 });
    expect(rig.log.counts).toEqual({ delta: 0, full: 3 });
    rig.log.makeDurable();
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual([1, 21]);
  });

  test("writes a page again where it was: the files grow with pages, not with writes", async () => {
    const rig = await rigOf();
    const rounds = Array.from({ length: 30 }, (_, round) => upTo(7, round));
    spill(rig.space(1), { spilled: rounds });
    expect(fills(rig.space(1))).toEqual(Object.values(upTo(7, 29)));
    expect(await rig.chunkFiles()).toHaveLength(1);
  });

  test("reads as zeros where it was cut off and grew again without being written", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    commit(space, upTo(12));
    const base = space.pin(space.newestLsn);
    const open = space.spill(base, PAGE_BYTES);
    open.put(images(upTo(12, 50)));
    open.truncate(4);
    open.put(images({ 10: 7 }));
    expect(open.get(4)?.[0]).toBe(54);
    expect(open.get(5)).toBeUndefined();
    const change = { base, pageCount: 11, pageBytes: PAGE_BYTES, pages: new Map(), spill: open };
    space.stage(change).seal();
    open.close();
    space.unpin(base);
    const expected = [51, 52, 53, 54, 0, 0, 0, 0, 0, 7, 0];
    expect(fills(space)).toEqual(expected);
    commit(space, { 13: 13 });
    expect(fills(space)).toEqual([...expected, 0, 13]);
    rig.log.makeDurable();
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual([...expected, 0, 13]);
    await rig.checkpoint();
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual([...expected, 0, 13]);
  });

  test("may be staged again after it was taken back, with more in it", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    const base = space.pin(space.newestLsn);
    const open = space.spill(base, PAGE_BYTES);
    const change = { base, pageBytes: PAGE_BYTES, pages: new Map(), spill: open };
    open.put(images(upTo(5)));
    space.stage({ ...change, pageCount: 5 }).discard();
    open.put(images({ 2: 22, 6: 6, 9: 9 }));
    space.stage({ ...change, pageCount: 9 }).seal();
    open.close();
    space.unpin(base);
    expect(fills(space)).toEqual([1, 22, 3, 4, 5, 6, 0, 0, 9]);
    rig.log.makeDurable();
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual([1, 22, 3, 4, 5, 6, 0, 0, 9]);
  });

  test("beyond the limit of a transaction is refused while it is being written", async () => {
    const rig = await rigOf({ limits: { ...LIMITS, maxTransactionBytes: 10 * PAGE_BYTES } });
    const space = rig.space(1);
    expect(() => spill(space, { spilled: [upTo(10), { 3: 3 }, { 11: 11 }] })).toThrow(
      expect.objectContaining({ code: "BOP_TRANSACTION_TOO_LARGE" }),
    );
    expect(fills(space)).toEqual([]);
    await rig.world.pass(100);
    expect(await unfinished(rig)).toEqual([]);
  });
});

describe("a checkpoint", () => {
  test("takes the chunks of a spilled commit over as they are: nothing is written twice", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    spill(space, { spilled: [upTo(20)] });
    const files = await rig.chunkFiles();
    expect(rig.store.stats.spilledBytes).toBeGreaterThan(20 * PAGE_BYTES);
    expect(await rig.checkpoint()).toMatchObject({ pages: 0 });
    expect(await rig.chunkFiles()).toEqual(files);
    expect(rig.store.stats).toMatchObject({ spilledBytes: 0, chunks: 3, dirtyDatabases: 0 });
    expect(fills(space)).toEqual(Object.values(upTo(20)));
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual(Object.values(upTo(20)));
    expect(await rig.chunkFiles()).toEqual(files);
  });

  test("lets chunks go whose pages are all superseded, once nobody reads them", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    const lsn = spill(space, { spilled: [upTo(14)] });
    const reader = space.pin(lsn);
    commit(space, upTo(7, 100));
    await rig.checkpoint();
    expect(rig.store.stats.chunks).toBe(2);
    expect(space.read(reader, pageNumber(3))[0]).toBe(3);
    expect(await rig.chunkFiles()).toHaveLength(3);
    space.unpin(reader);
    commit(space, { 1: 9 });
    await rig.checkpoint();
    expect(await rig.chunkFiles()).toHaveLength(rig.store.stats.chunks);
    await rig.restart("power");
    expect(fills(rig.space(1)).slice(0, 8)).toEqual([9, 102, 103, 104, 105, 106, 107, 8]);
  });

  test("of a dropped database removes what it had spilled", async () => {
    const rig = await rigOf();
    spill(rig.space(1), { spilled: [upTo(20)] });
    commit(rig.space(2), { 1: 1 });
    rig.drop(1);
    await rig.checkpoint();
    expect(await rig.chunkFiles()).toHaveLength(1);
    expect(rig.store.stats.spilledBytes).toBe(0);
  });

  test("removes what a crash kept from being committed, and nothing before it", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    commit(space, { 1: 1 });
    rig.log.makeDurable();
    spill(space, { spilled: [upTo(20)] }); // Sealed, and lost with the tail of the log.
    await rig.restart("kill");
    expect(fills(rig.space(1))).toEqual([1]);
    expect(await rig.chunkFiles()).toHaveLength(3);
    await rig.checkpoint();
    expect(await rig.chunkFiles()).toHaveLength(1);
  });

  test("never gives the id of what it found to another chunk", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    spill(space, { spilled: [upTo(20)] });
    await rig.restart("kill");
    spill(rig.space(1), { spilled: [upTo(20, 100)] });
    commit(rig.space(2), { 1: 1 });
    await rig.checkpoint();
    expect(fills(rig.space(1))).toEqual(Object.values(upTo(20, 100)));
    expect(await rig.chunkFiles()).toHaveLength(4);
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual(Object.values(upTo(20, 100)));
  });

  test("never gives the id of what only the bucket has: a writer put it whose commit never got there", async () => {
    const rig = await rigOf();
    const object = { epoch: 1, fileBytes: 4096, bornGeneration: 0 };
    const row = { ...object, chunk: chunkId(7), namedLsn: lsn(1 << 20) };
    await rig.world.run(() => rig.manifest.publish({ putRemoteChunks: [row] }));
    await rig.restart("power");
    commit(rig.space(1), { 1: 1 });
    await rig.checkpoint();
    expect((await rig.chunkFiles()).map(chunkAt)).toEqual([8]);
  });
});

/** A database, then a commit that is spilled, durable at its end, and a checkpoint. */
async function spillAndFold(rig: Rig): Promise<void> {
  const space = rig.space(1);
  spill(space, { spilled: [upTo(16, 100), { 2: 202 }], inMemory: { 1: 201 } });
  rig.log.makeDurable();
  await rig.beginCheckpoint();
}

const BEFORE = [1, 2, 3];
const AFTER = [201, 202, ...Object.values(upTo(16, 100)).slice(2)];

describe("a crash", () => {
  // evidence: G1
  // evidence: G3
  test("at any call of a spill and its checkpoint leaves all of the commit or nothing", async () => {
    for (const how of ["kill", "power"] as const) {
      for (let call = 1; ; call += 1) {
        const rig = await rigOf({ seed: call });
        commit(rig.space(1), upTo(3));
        rig.log.makeDurable();
        await rig.checkpoint();
        const durable = rig.log.durableLsn;
        rig.world.disk.crashAt(call, how);
        await rig.world.run(spillAndFold(rig)).catch((error) => {
          if (rig.world.alive) throw error;
        });
        if (rig.world.alive) break; // All calls are through: the crash did not come.
        const isCommitted = rig.log.durableLsn > durable;
        for (const again of ["kill", "power"] as const) {
          await rig.restart(again);
          const note = `${how} at call ${call}, then ${again}`;
          expect(fills(rig.space(1)), note).toEqual(isCommitted ? AFTER : BEFORE);
        }
        commit(rig.space(1), { 3: 33 });
        await rig.checkpoint();
        await rig.restart("power");
        expect(fills(rig.space(1)).slice(0, 3)).toEqual([
          ...(isCommitted ? AFTER : BEFORE).slice(0, 2),
          33,
        ]);
        await rig.checkpoint(); // A power cut may bring back what was removed.
        expect(await rig.chunkFiles()).toHaveLength(rig.store.stats.chunks);
        expect(await unfinished(rig)).toEqual([]);
      }
    }
  });
});

// evidence: G10
describe("a device that refuses", () => {
  const faults: FaultOrder[] = [
    { operation: "create" },
    { operation: "write" },
    { operation: "write", skip: 1, error: "ENOSPC" },
    { operation: "write", skip: 4 },
    { operation: "sync" },
    { operation: "sync", skip: 1 },
    { operation: "mkdir" },
    { operation: "rename" },
    { operation: "syncDirectory" },
  ];

  test.each(faults)("%o fails the commit, and the database goes on without it", async (fault) => {
    const rig = await rigOf();
    const space = rig.space(1);
    commit(space, { 1: 1 });
    rig.world.disk.failNext({ ...fault, pathPattern: /chunk/ });
    const code = fault.error === "ENOSPC" ? "BOP_DISK_FULL" : "BOP_IO";
    const writing = () => spill(space, { spilled: [upTo(16), upTo(16, 10)] });
    expect(writing).toThrow(expect.objectContaining({ code }));
    expect(fills(space)).toEqual([1]);
    rig.world.disk.heal();
    writing();
    await rig.checkpoint();
    await rig.restart("power");
    expect(fills(rig.space(1))).toEqual(Object.values(upTo(16, 10)));
    expect(await rig.chunkFiles()).toHaveLength(rig.store.stats.chunks);
    expect(await unfinished(rig)).toEqual([]);
  });

  test("a spill that failed once stays failed: a repeated sync proves nothing", async () => {
    const rig = await rigOf();
    const space = rig.space(1);
    const base = space.pin(space.newestLsn);
    const open = space.spill(base, PAGE_BYTES);
    open.put(images(upTo(3)));
    rig.world.disk.failNext({ operation: "sync", pathPattern: /chunk/ });
    const change = { base, pageCount: 3, pageBytes: PAGE_BYTES, pages: new Map(), spill: open };
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(() => space.stage(change)).toThrow(expect.objectContaining({ code: "BOP_IO" }));
    }
    open.discard();
    space.unpin(base);
  });
});
