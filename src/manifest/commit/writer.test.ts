import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { chunkId, lsn, type StreamId, streamId } from "../../base/units.ts";
import {
  chunkRow,
  DIRECTORY,
  databaseRow,
  logRow,
  manifestWith,
  manifestWorld,
  mapRow,
  PAGES,
} from "../manifest.fixture.ts";
import type { Manifest } from "../manifest.ts";
import type { ManifestChange } from "../manifest-change.ts";
import { put, remove, removeRange } from "../rows/table.ts";
import { databases } from "../tables/databases.ts";
import { names } from "../tables/names.ts";
import { pageMap } from "../tables/page-map.ts";
import { snapshots } from "../tables/snapshots.ts";
import { watermarks } from "../tables/watermarks.ts";
import type { Batch } from "./batch.ts";

const NOW = lsn(Number.MAX_SAFE_INTEGER);

/** What the store in the simulated world holds under a name. */
async function streamOf(
  { world, stores }: ReturnType<typeof manifestWorld>,
  name: string,
  space: "databases" | "recordLogs" = "databases",
): Promise<StreamId | undefined> {
  const store = await world.run(() => stores.openerFor(world.start())(DIRECTORY));
  const key = names.encodeKey({ space, name });
  const value = store.get(key);
  return value && names.decode({ key, value, file: DIRECTORY }).stream;
}

/** Ten streams and ten chunks are given out; stream 1 exists; LSN 100 is durable. */
const prepared = (seed: number) =>
  manifestWith(seed, {
    checkpointLsn: lsn(50),
    nextChunkId: chunkId(10),
    putDatabases: [databaseRow(1, 40)],
    putMapRows: [mapRow(1, 0, 1)],
    putChunks: [chunkRow(1, 1)],
  });

describe("the writer of the manifest", () => {
  test("makes one commit of batches that wait together, and receipts bear its generation", async () => {
    const { place, manifest } = await prepared(1);
    const { commits, batches } = manifest.stats;
    const receipts = await place.world.run(() =>
      Promise.all([2, 3, 4, 5].map((n) => manifest.publish({ putDatabases: [databaseRow(n)] }))),
    );
    expect(receipts).toEqual([3, 3, 3, 3]);
    expect(manifest.stats).toMatchObject({ commits: commits + 1, batches: batches + 4 });
    place.world.powerCut();
    expect((await place.open()).opened.databases).toHaveLength(5);
  });

  test("lets what is submitted during a commit share the next one", async () => {
    const { place, manifest } = await prepared(2);
    const first = manifest.publish({ putDatabases: [databaseRow(2)] });
    await place.world.pass(0.1); // It is being committed.
    const rest = [3, 4, 5].map((n) => manifest.publish({ putDatabases: [databaseRow(n)] }));
    const generations = await place.world.run(() => Promise.all([first, ...rest]));
    expect(generations).toEqual([3, 4, 4, 4]);
  });

  test("waits for others as long as it is told to", async () => {
    const place = manifestWorld(3);
    const manifest = await place.open({ delayMs: 20 });
    const first = manifest.publish({ nextStreamId: streamId(2) });
    await place.world.pass(15);
    const second = manifest.publish({ nextStreamId: streamId(3) });
    expect(await place.world.run(() => Promise.all([first, second]))).toEqual([2, 2]);
  });

  test("takes batches in their order: of two on one row the later one counts", async () => {
    const { place, manifest } = await prepared(4);
    const renamed = (name: string): ManifestChange => ({
      putDatabases: [{ ...databaseRow(1, 40), name }],
    });
    await place.world.run(() =>
      Promise.all(["a", "b", "c"].map((name) => manifest.publish(renamed(name)))),
    );
    expect((await place.open()).opened.databases.map(({ name }) => name)).toEqual(["c"]);
    expect(await streamOf(place, "c")).toBe(1);
    expect(await streamOf(place, "a")).toBeUndefined();
    expect(await streamOf(place, "tenant-1")).toBeUndefined();
  });

  test("refuses a batch that is wrong alone, and leaves nothing of it among its neighbours", async () => {
    const { place, manifest } = await prepared(5);
    const wrong: Batch = {
      marks: { durableLsn: lsn(200) },
      operations: [put(databases, databaseRow(3)), put(databases, databaseRow(99))],
    };
    const [before, refused, behind] = await place.world.run(() =>
      Promise.allSettled([
        manifest.publish({ putDatabases: [databaseRow(2)] }),
        manifest.submit(wrong),
        manifest.publish({ putDatabases: [databaseRow(4, 100)] }),
      ]),
    );
    expect([before.status, refused.status, behind.status]).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(manifest.stats).toMatchObject({ commits: 2, refused: 1 });
    const again = await place.open();
    expect(again.opened.databases.map(({ stream }) => stream)).toEqual([1, 2, 4]);
    expect(again.opened.durableLsn).toBe(100);
    expect(await streamOf(place, "tenant-3")).toBeUndefined();
  });

  test("refuses a batch that would build on a damaged row, and goes on with others", async () => {
    const { place, manifest } = await prepared(6);
    const store = await place.world.run(() =>
      place.stores.openerFor(place.world.start())(DIRECTORY),
    );
    const key = databases.encodeKey(streamId(1));
    await place.world.run(() => store.commit([{ key, value: Uint8Array.of(1, 2, 3) }]));
    const [damaged, other] = await place.world.run(() =>
      Promise.allSettled([
        manifest.publish({ putDatabases: [databaseRow(1, 60)] }),
        manifest.publish({ putDatabases: [databaseRow(2)] }),
      ]),
    );
    expect(damaged.status === "rejected" && isStorageError(damaged.reason, "BOP_CORRUPT")).toBe(
      true,
    );
    expect(other.status).toBe("fulfilled");
  });

  test("splits what is too much for one commit, and keeps the order", async () => {
    const place = manifestWorld(7);
    const manifest = await place.open();
    const many = (from: number): ManifestChange => ({
      nextStreamId: streamId(from + 3000),
      putDatabases: Array.from({ length: 3000 }, (_, n) => databaseRow(from + n)),
    });
    const done = [1, 3001, 6001].map((from) => manifest.publish(many(from)));
    const generations = await place.world.run(() => Promise.all(done));
    expect(new Set(generations).size).toBeGreaterThan(1);
    expect(generations).toEqual(generations.toSorted((a, b) => a - b));
    expect(manifest.stats.rows).toMatchObject({ databases: 9000, names: 9000 });
  });

  test("removes a range with the rows that batches of the same commit put into it", async () => {
    const { place, manifest } = await prepared(8);
    await place.world.run(() =>
      Promise.all([
        manifest.publish({
          putDatabases: [databaseRow(2)],
          putMapRows: [mapRow(2, 0, 2), mapRow(2, 7, 2)],
          putChunks: [chunkRow(2, 2)],
        }),
        manifest.publish({ removeDatabases: [streamId(2)], removeChunks: [chunkId(2)] }),
      ]),
    );
    expect(manifest.mapRow(streamId(2), 7, NOW)).toBeUndefined();
    expect(manifest.mapRow(streamId(1), 0, NOW)).toEqual(mapRow(1, 0, 1));
    expect(manifest.stats.rows).toMatchObject({ databases: 1, names: 1, mapRows: 1, chunks: 1 });
  });

  test("counts rows as they come and go, across restarts", async () => {
    const { place, manifest } = await prepared(9);
    await place.world.run(() => manifest.publish({ putDatabases: [databaseRow(2)] }));
    place.world.kill();
    const again = await place.open();
    await place.world.run(() => again.publish({ removeDatabases: [streamId(2), streamId(7)] }));
    expect(again.stats.rows).toMatchObject({ databases: 1, names: 1, chunks: 1 });
  });

  test("is closed behind what was submitted, and takes nothing more", async () => {
    const { place, manifest } = await prepared(10);
    const last = manifest.publish({ putDatabases: [databaseRow(2)] });
    await place.world.run(() => manifest.close());
    expect(await last).toBe(3);
    await expect(manifest.publish({})).rejects.toMatchObject({ code: "BOP_CLOSED" });
  });
});

describe("names", () => {
  test("pass from one database to another in one batch", async () => {
    const { place, manifest } = await prepared(20);
    const swapped = [
      { ...databaseRow(1, 40), name: "tenant-2" },
      { ...databaseRow(2), name: "tenant-1" },
    ];
    await place.world.run(() => manifest.publish({ putDatabases: [databaseRow(2)] }));
    await place.world.run(() => manifest.publish({ putDatabases: swapped }));
    expect([await streamOf(place, "tenant-1"), await streamOf(place, "tenant-2")]).toEqual([2, 1]);
  });

  test("are free when their database is dropped, and no sooner", async () => {
    const { place, manifest } = await prepared(21);
    const heir = { ...databaseRow(2), name: "tenant-1" };
    await expect(place.world.run(() => manifest.publish({ putDatabases: [heir] }))).rejects.toThrow(
      "a name belongs to one row",
    );
    const dropped = { ...databaseRow(1, 60), state: "dropped", droppedLsn: lsn(60) } as const;
    await place.world.run(() => manifest.publish({ putDatabases: [dropped, heir] }));
    expect(await streamOf(place, "tenant-1")).toBe(2);
  });

  test("of record logs and of databases do not meet", async () => {
    const { place, manifest } = await prepared(22);
    const log = { ...logRow(2), name: "tenant-1" };
    await place.world.run(() => manifest.publish({ putRecordLogs: [log] }));
    expect(await streamOf(place, "tenant-1")).toBe(1);
    expect(await streamOf(place, "tenant-1", "recordLogs")).toBe(2);
  });
});

describe("an invariant that a batch breaks is named in its error, and nothing of it is there", () => {
  const dropped = { ...databaseRow(1, 60), state: "dropped", droppedLsn: lsn(60) } as const;
  const cases: readonly [name: string, batch: (manifest: Manifest) => Promise<unknown>][] = [
    ["the checkpoint never goes back", (m) => m.publish({ checkpointLsn: lsn(49) })],
    ["the durable LSN never falls", (m) => m.publish({ durableLsn: lsn(99) })],
    [
      "the catalogue never goes back",
      async (m) => {
        await m.publish({ catalogueLsn: lsn(80) });
        await m.publish({ catalogueLsn: lsn(70) });
      },
    ],
    ["a stream id is never used again", (m) => m.publish({ nextStreamId: streamId(9) })],
    ["a chunk id is never used again", (m) => m.publish({ nextChunkId: chunkId(9) })],
    ["the catalogue is at or above the checkpoint", (m) => m.publish({ catalogueLsn: lsn(101) })],
    [
      "no row names an LSN above the durable one",
      (m) => m.publish({ putDatabases: [databaseRow(2, 101)] }),
    ],
    [
      "no row names an LSN above the durable one",
      (m) => m.publish({ putRecordLogs: [logRow(2, 101)] }),
    ],
    [
      "no row names an LSN above the durable one",
      (m) => {
        const row = { stream: streamId(1), name: "late", lsn: lsn(101), createdAtMs: 1 };
        return m.submit({ operations: [put(snapshots, row)] });
      },
    ],
    [
      "a stream was given out before it has a row",
      (m) => m.publish({ putDatabases: [databaseRow(10)] }),
    ],
    ["a stream never goes back", (m) => m.publish({ putDatabases: [databaseRow(1, 39)] })],
    [
      "what was dropped stays dropped",
      async (m) => {
        await m.publish({ putDatabases: [dropped] });
        await m.publish({ putDatabases: [databaseRow(1, 70)] });
      },
    ],
    [
      "a snapshot is of a database that exists",
      (m) => {
        const row = { stream: streamId(5), name: "lost", lsn: lsn(9), createdAtMs: 1 };
        return m.submit({ operations: [put(snapshots, row)] });
      },
    ],
    [
      "a chunk was given out before it has a row",
      (m) => m.publish({ putChunks: [{ ...chunkRow(10, 1) }] }),
    ],
    [
      "a chunk that nobody refers to has no row",
      (m) => {
        const gone = { ...chunkRow(1, 1), livePages: 0, references: 0 };
        return m.publish({ removeMapRows: [mapRow(1, 0, 1)], putChunks: [gone] });
      },
    ],
    [
      "the newest versions name no more of a chunk than all versions do",
      (m) => m.publish({ putChunks: [{ ...chunkRow(1, 1), livePages: PAGES + 1 }] }),
    ],
    ["a chunk that the page map names exists", (m) => m.publish({ putMapRows: [mapRow(1, 1, 2)] })],
    [
      "a chunk counts the locations that name it",
      (m) => m.publish({ putMapRows: [mapRow(1, 1, 1)] }),
    ],
    ["a chunk counts the locations that name it", (m) => m.publish({ removeChunks: [chunkId(1)] })],
    [
      "a chunk counts the locations that name it",
      (m) => m.submit({ operations: [removeRange(pageMap, pageMap.range())] }),
    ],
    [
      "a watermark never falls",
      (m) =>
        m.submit({ operations: [put(watermarks, { component: "checkpoint", generation: 1 })] }),
    ],
    [
      "a watermark never falls",
      (m) => m.submit({ operations: [remove(watermarks, "checkpoint")] }),
    ],
  ];

  test.each(cases)("%s", async (name, publish) => {
    const { place, manifest } = await prepared(30);
    const error = await place.world.run(() => publish(manifest).catch((each: unknown) => each));
    expect(error).toMatchObject({ name: "AssertionError" });
    expect((error as Error).message).toContain(`broken invariant "${name}`);
    // It was refused before anything reached the store, and the next one is taken.
    const { generation } = manifest;
    expect(await place.world.run(() => manifest.publish({}))).toBe(generation + 1);
  });
});
