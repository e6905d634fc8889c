/** Families of databases and snapshots: what must hold of every commit of the manifest. */
import { describe, expect, test } from "vitest";
import { lsn, streamId } from "../../base/units.ts";
import { DIRECTORY, databaseRow, manifestWith } from "../manifest.fixture.ts";
import type { ManifestChange } from "../manifest-change.ts";
import type { DatabaseRow } from "../tables/databases.ts";
import { forks, forksOf } from "../tables/forks.ts";
import type { SnapshotRow } from "../tables/snapshots.ts";

/** A fork that was made at an LSN of the one before. */
function forkRow(stream: number, origin: number, more: Partial<DatabaseRow> = {}): DatabaseRow {
  const from = { stream: streamId(origin), lsn: lsn(40) };
  const birth = { family: streamId(1), origin: from, createdLsn: lsn(50), flat: false };
  return { ...databaseRow(stream), ...birth, ...more };
}

function dropped(row: DatabaseRow): DatabaseRow {
  return { ...row, state: "dropped", droppedLsn: lsn(90) };
}

function snapshot(stream: number, more: Partial<SnapshotRow> = {}): SnapshotRow {
  const moment = { lsn: lsn(60), createdAtMs: 7 };
  return { stream: streamId(stream), name: "noon", ...moment, ...more };
}

/** 2 is a fork of 1, 3 one of 2; 4 was one of 1 and is flat. LSN 100 is durable. */
async function prepared(seed: number) {
  const { place, manifest } = await manifestWith(seed, {
    putDatabases: [databaseRow(1, 40), forkRow(2, 1), forkRow(3, 2), forkRow(4, 1, { flat: true })],
    putSnapshots: [snapshot(0), snapshot(1)],
  });
  const publish = (change: ManifestChange) => place.world.run(() => manifest.publish(change));
  const throughOf = async (origin: number): Promise<number[]> => {
    const { world, stores } = place;
    const store = await world.run(() => stores.openerFor(world.start())(DIRECTORY));
    const { from, to } = forksOf(streamId(origin));
    return [...store.range(from, to)].map(({ key }) => Number(forks.decodeKey(key).fork));
  };
  return { place, manifest, publish, throughOf };
}

describe("a family of databases", () => {
  test("is there after a power cut, with what reads through what", async () => {
    const { place, throughOf } = await prepared(1);
    place.world.powerCut();
    const { opened } = await place.open();
    const found = opened.databases.map(({ stream, family, origin, flat, createdLsn }) => {
      return [stream, family, origin?.stream, origin?.lsn, flat, createdLsn];
    });
    expect(found).toEqual([
      [1, 1, undefined, undefined, true, 0],
      [2, 1, 1, 40, false, 50],
      [3, 1, 2, 40, false, 50],
      [4, 1, 1, 40, true, 50],
    ]);
    expect([await throughOf(1), await throughOf(2), await throughOf(3)]).toEqual([[2], [3], []]);
  });

  test("keeps an origin that was dropped until the last fork reads through it no more", async () => {
    const { publish, throughOf, manifest } = await prepared(2);
    await publish({
      putDatabases: [dropped(databaseRow(1, 40))],
      removeSnapshots: [snapshot(1)],
    });
    const gone = { removeDatabases: [streamId(1)] };
    await expect(publish(gone)).rejects.toThrow("an origin is not removed while a fork reads");
    await publish({ putDatabases: [forkRow(2, 1, { flat: true })] });
    expect(await throughOf(1)).toEqual([]);
    await publish(gone);
    expect(manifest.stats.rows).toMatchObject({ databases: 3, forks: 1 });
  });

  test("lets an origin and its only fork go in one change, in any order", async () => {
    for (const order of [
      [1, 2, 3],
      [3, 2, 1],
    ]) {
      const { publish, manifest } = await prepared(3);
      await publish({ removeDatabases: order.map(streamId), removeSnapshots: [snapshot(1)] });
      expect(manifest.stats.rows).toMatchObject({ databases: 1, forks: 0, snapshots: 1 });
    }
  });
});

test("an import is seen from its publication on, and that is when it was made", async () => {
  const { publish, place } = await prepared(5);
  const coming = { ...databaseRow(5), createdLsn: lsn(70) };
  await publish({ putDatabases: [{ ...coming, state: "importing" }] });
  await publish({ putDatabases: [{ ...coming, createdLsn: lsn(80) }] });
  const again = { ...coming, createdLsn: lsn(81) };
  await expect(publish({ putDatabases: [again] })).rejects.toThrow("was made once");
  expect((await place.open()).opened.databases.at(-1)?.createdLsn).toBe(80);
});

describe("a change is refused by the name of what it breaks", () => {
  const cases: readonly [name: string, change: ManifestChange][] = [
    ["what can be seen was made once", { putDatabases: [forkRow(2, 1, { createdLsn: lsn(51) })] }],
    ["where a database comes from does not change", { putDatabases: [forkRow(2, 4)] }],
    ["what is flat stays flat", { putDatabases: [forkRow(4, 1)] }],
    [
      "what is no fork is flat, and a family of its own",
      { putDatabases: [{ ...databaseRow(5), flat: false }] },
    ],
    [
      "what is no fork is flat, and a family of its own",
      { putDatabases: [{ ...databaseRow(5), family: streamId(1) }] },
    ],
    ["a fork is of a moment before it", { putDatabases: [forkRow(5, 1, { createdLsn: lsn(39) })] }],
    ["what reads through an origin has it, in its own family", { putDatabases: [forkRow(5, 6)] }],
    [
      "what reads through an origin has it, in its own family",
      { putDatabases: [forkRow(5, 1, { family: streamId(2) })] },
    ],
    ["an origin is not removed while a fork reads through it", { removeDatabases: [streamId(2)] }],
    [
      "a database that was dropped has no snapshots",
      { putDatabases: [dropped(databaseRow(1, 40))] },
    ],
    ["a snapshot is of a database that exists, or of all", { putSnapshots: [snapshot(5)] }],
    [
      "a database that was dropped has no snapshots",
      { putDatabases: [dropped(forkRow(3, 2))], putSnapshots: [snapshot(3)] },
    ],
    ["a snapshot keeps its moment", { putSnapshots: [snapshot(1, { lsn: lsn(61) })] }],
    [
      "no row names an LSN above the durable one",
      { putSnapshots: [snapshot(2, { lsn: lsn(101) })] },
    ],
    [
      "no row names an LSN above the durable one",
      { putSnapshots: [snapshot(0, { name: "late", lsn: lsn(101) })] },
    ],
  ];

  test.each(cases)("%s", async (name, change) => {
    const { place, publish, manifest } = await prepared(4);
    const error = await publish(change).catch((each: unknown) => each);
    expect(error).toMatchObject({ name: "AssertionError" });
    expect((error as Error).message).toContain(`broken invariant "${name}`);
    await publish({});
    expect(manifest.stats.rows).toMatchObject({ databases: 4, forks: 2, snapshots: 2 });
    expect((await place.open()).opened.snapshots.map((each) => each.lsn)).toEqual([60, 60]);
  });
});
