import { describe, expect, test } from "vitest";
import type { Lsn } from "../base/units.ts";
import { at, collect, commit, commitSpilled, now } from "./family.fixture.ts";
import { Rig } from "./rig.fixture.ts";

describe("a fork", () => {
  test("shows its moment, whatever is committed to its origin, and the other way round", async () => {
    const rig = await Rig.open({ seed: 1 });
    const origin = rig.catalogue.create();
    commit(rig, origin, { 1: 1, 2: 2, 3: 3 });
    const fork = rig.catalogue.fork(origin);
    expect(now(rig, fork)).toEqual([1, 2, 3]);
    commit(rig, origin, { 2: 20 });
    commit(rig, fork, { 3: 30, 4: 40 });
    for (const how of ["before", "checkpoint", "restart"] as const) {
      if (how === "checkpoint") await rig.checkpoint();
      if (how === "restart") await rig.restart("power");
      expect(now(rig, origin), how).toEqual([1, 20, 3]);
      expect(now(rig, fork), how).toEqual([1, 2, 30, 40]);
    }
  });

  test.each(["above the map", "below the map"])(
    "of a moment %s copies no page, and reads what the origin reads from the same place",
    async (where) => {
      const rig = await Rig.open({ seed: 2 });
      const origin = rig.catalogue.create();
      const pages = Object.fromEntries(
        Array.from({ length: 600 }, (_, at) => [at + 1, 1 + (at % 9)]),
      );
      commit(rig, origin, pages);
      if (where === "below the map") await rig.checkpoint();
      const fork = rig.catalogue.fork(origin);
      commit(rig, origin, { 1: 50 });
      commit(rig, fork, { 2: 60 });
      await rig.checkpoint();
      const written = rig.manifest.opened.chunks.length;
      await rig.restart("close");
      const count = rig.manifest.opened.chunks.reduce((sum, { pageCount }) => sum + pageCount, 0);
      expect(count).toBe(602);
      expect(written).toBe(0);
      now(rig, origin);
      const { misses: before } = rig.store.stats.cache;
      expect(now(rig, fork)[0]).toBe(1);
      expect(rig.store.stats.cache.misses - before).toBeLessThan(3);
    },
  );

  test("of a fork of a fork reads through all of them", async () => {
    const rig = await Rig.open({ seed: 3 });
    let newest = rig.catalogue.create();
    const streams = [newest];
    commit(rig, newest, { 1: 1, 2: 2, 3: 3, 4: 4 });
    const expected = [[1, 2, 3, 4]];
    for (let depth = 1; depth <= 3; depth += 1) {
      newest = rig.catalogue.fork(newest);
      streams.push(newest);
      commit(rig, newest, { [depth]: depth * 10 });
      const before = expected.at(-1) ?? [];
      expected.push(before.map((fill, index) => (index === depth - 1 ? depth * 10 : fill)));
    }
    for (const step of ["memory", "checkpoint", "restart"]) {
      if (step === "checkpoint") await rig.checkpoint();
      if (step === "restart") await rig.restart("power");
      expect(
        streams.map((stream) => now(rig, stream)),
        step,
      ).toEqual(expected);
    }
  });

  test("that became smaller and grew again shows zeros there, not the pages of its origin", async () => {
    const rig = await Rig.open({ seed: 4 });
    const origin = rig.catalogue.create();
    const pages = Object.fromEntries(Array.from({ length: 1100 }, (_, at) => [at + 1, 7]));
    commit(rig, origin, pages);
    await rig.checkpoint();
    const fork = rig.catalogue.fork(origin);
    commit(rig, fork, { 1: 1, end: 3 });
    await rig.checkpoint();
    commit(rig, fork, { 1100: 9 });
    await rig.checkpoint();
    await rig.restart("power");
    const found = now(rig, fork);
    expect([0, 1, 2, 3, 511, 512, 1098, 1099].map((index) => found[index])).toEqual([
      1, 7, 7, 0, 0, 0, 0, 9,
    ]);
    expect(now(rig, origin).every((fill) => fill === 7)).toBe(true);
  });

  test("is flattened when its origin is dropped, and the origin's own pages go", async () => {
    const rig = await Rig.open({ seed: 5 });
    const origin = rig.catalogue.create();
    commit(rig, origin, Object.fromEntries(Array.from({ length: 700 }, (_, at) => [at + 1, 5])));
    const fork = rig.catalogue.fork(origin);
    commit(rig, origin, Object.fromEntries(Array.from({ length: 700 }, (_, at) => [at + 1, 6])));
    await rig.checkpoint();
    expect(rig.store.stats.mapVersions).toBe(2);
    rig.catalogue.drop(origin);
    expect(rig.store.isHeld(origin)).toBe(true);
    await rig.checkpoint();
    await rig.checkpoint();
    expect(rig.store.isHeld(origin)).toBe(false);
    expect(now(rig, fork)).toEqual(new Array(700).fill(5));
    await rig.restart("power");
    expect(rig.manifest.opened.databases).toMatchObject([{ stream: fork, flat: true }]);
    expect(rig.manifest.opened.mapVersions).toEqual([]);
    const { chunks } = rig.manifest.opened;
    expect(chunks.reduce((sum, { references }) => sum + references, 0)).toBe(700);
    expect(now(rig, fork)).toEqual(new Array(700).fill(5));
  });

  test("at the end of a long chain is flattened, and the way to a page stays short", async () => {
    const rig = await Rig.open({ seed: 6 });
    let newest = rig.catalogue.create();
    commit(rig, newest, { 1: 1, 2: 2 });
    for (let depth = 0; depth < 14; depth += 1) newest = rig.catalogue.fork(newest);
    await rig.checkpoint();
    await rig.restart("power");
    const flat = rig.manifest.opened.databases.filter((row) => row.flat && row.origin);
    expect(flat).toHaveLength(6);
    expect(now(rig, newest)).toEqual([1, 2]);
  });
});

describe("a family", () => {
  test("can be dropped in any order: what is left shows what it showed, and in the end nothing is", async () => {
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    for (const order of orders) {
      const rig = await Rig.open({ seed: 7 });
      const origin = rig.catalogue.create();
      commit(rig, origin, { 1: 1, 2: 2, 3: 3 });
      const child = rig.catalogue.fork(origin);
      commit(rig, child, { 2: 20 });
      const grandchild = rig.catalogue.fork(child);
      commit(rig, grandchild, { 3: 30 });
      commit(rig, child, { 1: 10 });
      const members = [origin, child, grandchild];
      const expected = [
        [1, 2, 3],
        [10, 20, 3],
        [1, 20, 30],
      ];
      const left = new Set([0, 1, 2]);
      for (const index of order) {
        rig.catalogue.drop(members[index] ?? origin);
        left.delete(index);
        await rig.checkpoint();
        for (const other of left) {
          expect(now(rig, members[other] ?? origin), `${order}, ${other}`).toEqual(expected[other]);
        }
        await rig.restart("power");
        for (const other of left) {
          expect(now(rig, members[other] ?? origin), `${order}, ${other}`).toEqual(expected[other]);
        }
      }
      for (let round = 0; round < 3; round += 1) await rig.checkpoint();
      expect(await rig.chunkFiles()).toEqual([]);
      await rig.restart("power");
      expect(rig.manifest.opened.databases).toEqual([]);
    }
  });
});

describe("a snapshot", () => {
  // evidence: G18
  test("shows its moment for ever, though pages are changed, cut off and spilled after it", async () => {
    const rig = await Rig.open({ seed: 8 });
    const stream = rig.catalogue.create();
    const moments: [Lsn, number[]][] = [];
    const keep = (name: string) => {
      moments.push([rig.catalogue.snapshot(stream, name), now(rig, stream)]);
    };
    commit(rig, stream, { 1: 1, 2: 2, 3: 3 });
    keep("first");
    commit(rig, stream, { 2: 20 });
    await rig.checkpoint();
    commitSpilled(rig, stream, { 1: 100, 3: 101, 4: 102 });
    keep("spilled");
    commit(rig, stream, { 1: 5, end: 1 });
    keep("small");
    commit(rig, stream, { 3: 7 });
    for (let round = 0; round < 3; round += 1) {
      commit(rig, stream, { 1: 50 + round, 2: 60 + round });
      await rig.checkpoint();
      await collect(rig);
      for (const [lsn, fills] of moments) expect(at(rig, stream, lsn)).toEqual(fills);
      await rig.restart(round === 1 ? "close" : "power");
      for (const [lsn, fills] of moments) expect(at(rig, stream, lsn)).toEqual(fills);
    }
    expect(now(rig, stream)).toEqual([52, 62, 7]);
  });

  // evidence: G20
  test("that is dropped gives its chunks back with the next collection, which a dry run announces", async () => {
    const rig = await Rig.open({ seed: 9 });
    const stream = rig.catalogue.create();
    const all = (fill: number) =>
      Object.fromEntries(Array.from({ length: 600 }, (_, at) => [at + 1, fill]));
    commit(rig, stream, all(1));
    const lsn = rig.catalogue.snapshot(stream, "kept");
    await rig.checkpoint();
    commit(rig, stream, all(2));
    await rig.checkpoint();
    expect(await rig.chunkFiles()).toHaveLength(2);
    expect(await collect(rig, true)).toMatchObject({ chunks: 0, kept: { snapshot: 1 } });
    rig.catalogue.dropSnapshot(stream, "kept");
    rig.log.makeDurable();
    expect(at(rig, stream, lsn)[0]).toBe(1);
    await rig.world.run(rig.catalogue.publish(rig.log.durableLsn));
    const report = await collect(rig, true);
    expect(report).toMatchObject({ chunks: 1, versions: 1, kept: { snapshot: 0 } });
    expect(report.amplificationBefore).toBeGreaterThan(report.amplificationAfter * 0.99);
    expect(await rig.chunkFiles()).toHaveLength(2);
    expect(await collect(rig)).toEqual(report);
    expect(await rig.chunkFiles()).toHaveLength(1);
    expect(() => rig.store.view(stream, lsn)).toThrow("not kept");
    await rig.restart("power");
    expect(now(rig, stream)).toEqual(new Array(600).fill(2));
    expect(rig.manifest.opened.mapVersions).toEqual([]);
  });

  test("of the store shows every database at one moment, also one that is dropped since", async () => {
    const rig = await Rig.open({ seed: 10 });
    const [first, second] = [rig.catalogue.create(), rig.catalogue.create()];
    commit(rig, first, { 1: 1 });
    commit(rig, second, { 1: 2 });
    const lsn = rig.catalogue.snapshot(0, "all");
    commit(rig, first, { 1: 10 });
    rig.catalogue.drop(second);
    for (let round = 0; round < 3; round += 1) {
      await rig.checkpoint();
      if (round > 0) await rig.restart("power");
      expect(at(rig, first, lsn)).toEqual([1]);
      expect(at(rig, second, lsn)).toEqual([2]);
      expect(rig.store.isHeld(second)).toBe(true);
    }
    rig.catalogue.dropSnapshot(0, "all");
    for (let round = 0; round < 2; round += 1) await rig.checkpoint();
    await rig.restart("power");
    expect(rig.manifest.opened.databases.map(({ stream }) => stream)).toEqual([first]);
    expect(rig.manifest.opened.chunks).toMatchObject([{ references: 1 }]);
  });

  test("outlives the flattening of its database, with the pages of the origin that it saw", async () => {
    const rig = await Rig.open({ seed: 11 });
    const origin = rig.catalogue.create();
    commit(rig, origin, { 1: 1, 600: 2 });
    const fork = rig.catalogue.fork(origin);
    const lsn = rig.catalogue.snapshot(fork, "as it began");
    commit(rig, fork, { 600: 20 });
    const later = rig.catalogue.snapshot(fork, "later");
    commit(rig, fork, { 1: 10, end: 5 });
    await rig.checkpoint();
    rig.catalogue.drop(origin);
    for (let round = 0; round < 3; round += 1) await rig.checkpoint();
    for (const how of ["close", "power"] as const) {
      expect(at(rig, fork, lsn).filter((fill) => fill > 0)).toEqual([1, 2]);
      expect(at(rig, fork, later).filter((fill) => fill > 0)).toEqual([1, 20]);
      expect(now(rig, fork)).toEqual([10, 0, 0, 0, 0]);
      await rig.restart(how);
    }
    expect(rig.manifest.opened.databases).toMatchObject([{ stream: fork, flat: true }]);
  });
});

describe("a version of a page map", () => {
  test("within the history can be read and held; outside of it the error says from when on", async () => {
    const rig = await Rig.open({ seed: 12 });
    let horizonLsn = 0 as Lsn;
    rig.historyLsn = () => horizonLsn;
    const stream = rig.catalogue.create();
    const lsns: Lsn[] = [];
    for (let round = 1; round <= 4; round += 1) {
      lsns.push(commit(rig, stream, { 1: round, [round]: round }));
      await rig.checkpoint();
    }
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).toEqual([0, ...lsns]);
    for (const [index, lsn] of lsns.entries()) expect(at(rig, stream, lsn)[0]).toBe(index + 1);
    const [first, second, third] = lsns as [Lsn, Lsn, Lsn, Lsn];
    const held = rig.store.holdVersion(stream, second);
    horizonLsn = third;
    await collect(rig);
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).toEqual(lsns.slice(1));
    expect(at(rig, stream, second)).toEqual([2, 2]);
    expect(() => rig.store.view(stream, first)).toThrow(
      expect.objectContaining({
        code: "BOP_SNAPSHOT_GONE",
        details: { oldestLsn: second, lsn: first, database: `tenant-${stream}` },
      }),
    );
    held.release();
    await collect(rig);
    expect(() => rig.store.holdVersion(stream, second)).toThrow("not kept");
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).toEqual(lsns.slice(2));
  });
});
