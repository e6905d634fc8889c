/** Versions of page maps: which row counts at which LSN, and what must hold of rows and chunks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkId, lsn, streamId } from "../../base/units.ts";
import {
  chunkRow,
  databaseRow,
  manifestWith,
  manifestWorld,
  mapRow,
  PAGES,
  versionOf,
} from "../manifest.fixture.ts";
import type { Manifest } from "../manifest.ts";
import type { ManifestChange } from "../manifest-change.ts";
import type { MapVersionRow } from "./map-versions.ts";

const STREAM = streamId(1);

function version(at: number, more: Partial<MapVersionRow> = {}): MapVersionRow {
  const size = { pageCount: 9, pageBytes: 4096, createdAtMs: 5, changedRows: [0] };
  return { stream: STREAM, lsn: lsn(at), commitLsn: lsn(at), ...size, ...more };
}

/** Row 0 of stream 1 has versions of 10 and 30; the checkpoint is at 50, LSN 100 is durable. */
const prepared = (seed: number) =>
  manifestWith(seed, {
    checkpointLsn: lsn(50),
    nextChunkId: chunkId(10),
    putDatabases: [databaseRow(1, 40), databaseRow(2)],
    putMapRows: [
      versionOf(mapRow(1, 0, 1), 10),
      versionOf(mapRow(1, 0, 2), 30),
      versionOf(mapRow(2, 0, 1), 20),
    ],
    putMapVersions: [version(10, { changedRows: [] }), version(30)],
    putChunks: [{ ...chunkRow(1, 2), livePages: PAGES }, chunkRow(2, 1)],
  });

describe("a row of the page map", () => {
  test("is found in the version that counts at an LSN, and in none before the first", async () => {
    const { manifest } = await prepared(1);
    const at = (when: number) => manifest.mapRow(STREAM, 0, lsn(when))?.fromLsn;
    expect([0, 9, 10, 29, 30, 31, 2 ** 50].map(at)).toEqual([
      undefined,
      undefined,
      10,
      10,
      30,
      30,
      30,
    ]);
    expect(manifest.mapRow(STREAM, 1, lsn(99))).toBeUndefined();
    expect(manifest.mapRow(streamId(2), 0, lsn(20))).toEqual(versionOf(mapRow(2, 0, 1), 20));
    expect(manifest.mapRow(streamId(3), 0, lsn(99))).toBeUndefined();
    const versions = [versionOf(mapRow(1, 0, 1), 10), versionOf(mapRow(1, 0, 2), 30)];
    expect(manifest.mapRowVersions(STREAM, 0)).toEqual(versions);
    expect(manifest.mapRowVersions(STREAM, 1)).toEqual([]);
  });

  test("of zeros hides the version before it, and is there to be read", async () => {
    const { place, manifest } = await prepared(2);
    const zeros = { ...versionOf(mapRow(1, 0, 1), 40), locations: new Float64Array(512) };
    await place.world.run(() => manifest.publish({ putMapRows: [zeros] }));
    place.world.powerCut();
    const again = await place.open();
    expect(again.mapRow(STREAM, 0, lsn(40))).toEqual(zeros);
    expect(again.mapRow(STREAM, 0, lsn(39))).toEqual(versionOf(mapRow(1, 0, 2), 30));
  });

  test("is found as a list of versions would have it, whatever their LSNs", async () => {
    const versions = fc.uniqueArray(fc.maxSafeNat(), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(versions, fc.maxSafeNat(), async (lsns, between) => {
        const { world, open } = manifestWorld(3);
        const manifest = await open();
        const rows = lsns.map((at) => versionOf(mapRow(1, 7, 1), at));
        const neighbours = [mapRow(1, 6, 1), mapRow(1, 8, 1)];
        await world.run(() =>
          manifest.publish({
            checkpointLsn: lsn(Number.MAX_SAFE_INTEGER),
            nextStreamId: streamId(2),
            nextChunkId: chunkId(2),
            putDatabases: [databaseRow(1)],
            putMapRows: [...rows, ...neighbours],
            putChunks: [chunkRow(1, lsns.length + 2)],
          }),
        );
        const sorted = lsns.toSorted((a, b) => a - b);
        const found = manifest.mapRowVersions(STREAM, 7).map(({ fromLsn }) => Number(fromLsn));
        expect(found).toEqual(sorted);
        for (const at of [between, ...lsns, ...lsns.map((each) => Math.max(0, each - 1))]) {
          const newest = sorted.findLast((each) => each <= at);
          expect(manifest.mapRow(STREAM, 7, lsn(at))?.fromLsn).toBe(newest);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("a checkpoint", () => {
  // evidence: G21
  test("that is cut off leaves its versions, and the chunks that they name, wholly or not at all", async () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      const { place, manifest } = await prepared(seed);
      const { world } = place;
      const published = manifest.publish({
        checkpointLsn: lsn(60),
        putMapRows: [versionOf(mapRow(1, 0, 3), 60)],
        removeMapRows: [versionOf(mapRow(1, 0, 1), 10)],
        putMapVersions: [version(30, { changedRows: [] }), version(60)],
        removeMapVersions: [version(10)],
        putChunks: [{ ...chunkRow(2, 1), livePages: 0 }, chunkRow(3, 1), chunkRow(1, 1)],
      });
      published.catch(() => undefined);
      await world.pass(world.random.fraction() * 3);
      world.kill();
      const again = await place.open();
      const stations = again.opened.mapVersions.map((each) => Number(each.lsn));
      const isThere = stations.includes(60);
      seen.add(stations.length + (isThere ? 10 : 0));
      expect(stations, `seed ${seed}`).toEqual(isThere ? [30, 60] : [10, 30]);
      const rows = again.mapRowVersions(STREAM, 0).map(({ fromLsn }) => Number(fromLsn));
      expect(rows, `seed ${seed}`).toEqual(stations);
      const references = again.opened.chunks.map((row) => [row.chunk, row.references / PAGES]);
      const after = [
        [1, 1],
        [2, 1],
        [3, 1],
      ];
      expect(references, `seed ${seed}`).toEqual(isThere ? after : [[1, 2], after[1]]);
      expect(again.opened.checkpointLsn, `seed ${seed}`).toBe(isThere ? 60 : 50);
    }
    expect(seen.size).toBe(2);
  });

  test("that replaces a row puts the new version and takes the old one in one change", async () => {
    const { place, manifest } = await prepared(5);
    await place.world.run(() =>
      manifest.publish({
        checkpointLsn: lsn(60),
        putMapRows: [versionOf(mapRow(2, 0, 3), 60)],
        removeMapRows: [versionOf(mapRow(2, 0, 1), 20)],
        putChunks: [chunkRow(3, 1), chunkRow(1, 1)],
      }),
    );
    expect(manifest.stats.rows).toMatchObject({ mapRows: 3, chunks: 3 });
    // At the LSN of the row that is there, what is removed and put is there afterwards.
    await place.world.run(() =>
      manifest.publish({
        putMapRows: [versionOf(mapRow(2, 0, 1), 60)],
        removeMapRows: [versionOf(mapRow(2, 0, 3), 60)],
        putChunks: [{ ...chunkRow(1, 2), livePages: PAGES }],
        removeChunks: [chunkId(3)],
      }),
    );
    expect(manifest.mapRowVersions(streamId(2), 0)).toEqual([versionOf(mapRow(2, 0, 1), 60)]);
  });
});

describe("a database that is removed", () => {
  test("takes its rows, versions and snapshots with it, and leaves its neighbours theirs", async () => {
    const { place, manifest } = await prepared(6);
    const snapshot = { name: "noon", lsn: lsn(10), createdAtMs: 1 };
    await place.world.run(() =>
      manifest.publish({
        putSnapshots: [0, 1, 2].map((stream) => ({ ...snapshot, stream: streamId(stream) })),
        putMapVersions: [
          version(20, { stream: streamId(2) }),
          version(40, { stream: streamId(0) }),
        ],
      }),
    );
    await place.world.run(() =>
      manifest.publish({
        removeDatabases: [STREAM],
        removeChunks: [chunkId(2)],
        putChunks: [chunkRow(1, 1)],
      }),
    );
    place.world.powerCut();
    const { opened, stats } = await place.open();
    expect(opened.snapshots.map(({ stream }) => stream)).toEqual([0, 2]);
    expect(opened.mapVersions.map((each) => [each.stream, each.lsn])).toEqual([
      [0, 40],
      [2, 20],
    ]);
    expect(stats.rows).toMatchObject({ databases: 1, mapRows: 1, mapVersions: 2, snapshots: 2 });
  });
});

describe("a change is refused by the name of what it breaks", () => {
  const cases: readonly [name: string, change: ManifestChange][] = [
    [
      "a map row is not above the checkpoint",
      { putMapRows: [versionOf(mapRow(1, 1, 2), 51)], putChunks: [chunkRow(2, 2)] },
    ],
    [
      "a map row is of a database that exists",
      { putMapRows: [versionOf(mapRow(3, 0, 2), 50)], putChunks: [chunkRow(2, 2)] },
    ],
    ["a map version is not above the checkpoint", { putMapVersions: [version(51)] }],
    [
      "a map version is of a database that exists, or of the store",
      { putMapVersions: [version(50, { stream: streamId(3) })] },
    ],
    [
      "a map version sees commits at or below it",
      { putMapVersions: [version(40, { commitLsn: lsn(41) })] },
    ],
    [
      "a map version names the rows that it wrote in order",
      { putMapVersions: [version(40, { changedRows: [2, 1] })] },
    ],
    [
      "a map version names the rows that it wrote in order",
      { putMapVersions: [version(40, { changedRows: [1, 1] })] },
    ],
    // One location more in another version, though the newest ones are as they were.
    ["a chunk counts the locations that name it", { putMapRows: [versionOf(mapRow(1, 0, 1), 5)] }],
    // A version goes, and its chunk keeps the count.
    [
      "a chunk counts the locations that name it",
      { removeMapRows: [versionOf(mapRow(1, 0, 1), 10)] },
    ],
    // The same, with another version of the row coming: what both name is not counted twice.
    [
      "a chunk counts the locations that name it",
      {
        removeMapRows: [versionOf(mapRow(1, 0, 1), 10)],
        putMapRows: [versionOf(mapRow(1, 0, 1), 11)],
        putChunks: [chunkRow(1, 1)],
      },
    ],
    ["a chunk that the page map names exists", { putMapRows: [versionOf(mapRow(1, 0, 3), 5)] }],
    ["a chunk counts the locations that name it", { removeChunks: [chunkId(2)] }],
  ];

  // evidence: G21
  test.each(cases)("%s", async (name, change) => {
    const { place, manifest } = await prepared(7);
    expect(await refusal(place.world.run(() => manifest.publish(change)))).toContain(name);
    // It was refused before anything reached the store, and the next one is taken.
    await place.world.run(() => manifest.publish({}));
    expect(await stationsOf(await place.open())).toEqual([10, 30]);
  });
});

async function refusal(published: Promise<unknown>): Promise<string> {
  const error = await published.catch((each: unknown) => each);
  expect(error).toMatchObject({ name: "AssertionError" });
  return (error as Error).message;
}

async function stationsOf({ opened }: Manifest): Promise<number[]> {
  return opened.mapVersions.map((each) => Number(each.lsn));
}
