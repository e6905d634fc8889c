import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { chunkId, lsn, segmentSequence, streamId } from "../../base/units.ts";
import { systemEnv } from "../../io/index.ts";
import {
  chunkRow,
  databaseRow,
  manifestWorld,
  mapRow,
  PAGES,
  STORE_ID,
} from "../manifest.fixture.ts";
import type { Manifest } from "../manifest.ts";
import type { OpenKeyValueStore } from "../stores/key-value.ts";
import { openLmdbStore } from "../stores/lmdb-store.ts";
import { databases } from "../tables/databases.ts";
import { openManifest } from "./open-manifest.ts";

const NOW = lsn(Number.MAX_SAFE_INTEGER);
const rowNow = (manifest: Manifest, stream: number, rowIndex: number) =>
  manifest.mapRow(streamId(stream), rowIndex, NOW);

const NOTHING_SHIPPED = {
  shipping: undefined,
  epochs: [],
  remoteChunks: [],
  remoteGarbage: [],
  deadLetters: [],
  lostWindows: [],
  scrubs: [],
  remoteChains: [],
};

describe("the manifest", () => {
  test("a new one is empty, clean, and has the identity it was given", async () => {
    const { open } = manifestWorld(1);
    const manifest = await open();
    expect(manifest.generation).toBe(1);
    expect(manifest.opened).toEqual({
      storeId: STORE_ID,
      checkpointLsn: 0,
      catalogueLsn: 0,
      durableLsn: 0,
      nextStreamId: 1,
      nextChunkId: 1,
      databases: [],
      recordLogs: [],
      chunks: [],
      mapVersions: [],
      history: [],
      snapshots: [],
      segments: [],
      jobs: [],
      ...NOTHING_SHIPPED,
      clean: true,
    });
  });

  test("everything that was published is there after a power cut", async () => {
    const { world, open } = manifestWorld(2);
    const manifest = await open();
    const generation = await world.run(() =>
      manifest.publish({
        checkpointLsn: lsn(4096),
        durableLsn: lsn(8192),
        nextStreamId: streamId(3),
        nextChunkId: chunkId(2),
        putDatabases: [
          databaseRow(2, 4096),
          { ...databaseRow(1, 40), state: "dropped", droppedLsn: lsn(50) },
        ],
        putMapRows: [mapRow(2, 1, 1)],
        putChunks: [chunkRow(1, 1)],
        addSegments: [segmentSequence(5), segmentSequence(4)],
        clean: false,
      }),
    );
    world.powerCut();
    const again = await open();
    expect(again.generation).toBe(generation);
    expect(again.opened).toEqual({
      storeId: STORE_ID,
      checkpointLsn: 4096,
      catalogueLsn: 4096,
      durableLsn: 8192,
      nextStreamId: 3,
      nextChunkId: 2,
      databases: [
        { ...databaseRow(1, 40), state: "dropped", droppedLsn: lsn(50) },
        databaseRow(2, 4096),
      ],
      recordLogs: [],
      chunks: [chunkRow(1, 1)],
      mapVersions: [],
      history: [],
      snapshots: [],
      segments: [4, 5],
      jobs: [],
      ...NOTHING_SHIPPED,
      clean: false,
    });
    expect(rowNow(again, 2, 1)).toEqual(mapRow(2, 1, 1));
    expect(rowNow(again, 2, 0)).toBeUndefined();
  });

  test("what is removed is gone, with the page map of its database and no other's", async () => {
    const { world, open } = manifestWorld(3);
    const manifest = await open();
    await world.run(async () => {
      await manifest.publish({
        nextStreamId: streamId(4),
        nextChunkId: chunkId(3),
        putDatabases: [databaseRow(1), databaseRow(2), databaseRow(3)],
        putMapRows: [
          mapRow(1, 0, 2),
          ...[0, 1, 900].map((at) => mapRow(2, at, 1)),
          mapRow(3, 0, 2),
        ],
        putChunks: [chunkRow(1, 3), chunkRow(2, 2)],
        addSegments: [segmentSequence(1), segmentSequence(2)],
      });
      await manifest.publish({
        removeDatabases: [streamId(2)],
        removeChunks: [chunkId(1)],
        removeSegments: [segmentSequence(1)],
        removeMapRows: [mapRow(3, 0, 2)],
        putChunks: [{ ...chunkRow(2, 2), livePages: PAGES, references: PAGES }],
      });
    });
    world.kill();
    const again = await open();
    expect(again.opened.databases.map(({ stream }) => stream)).toEqual([1, 3]);
    expect(again.opened.chunks.map(({ chunk }) => chunk)).toEqual([2]);
    expect(again.opened.segments).toEqual([2]);
    const left = [1, 2, 3].map((n) => rowNow(again, n, 0)?.locations[0]);
    expect(left).toEqual([mapRow(1, 0, 2).locations[0], undefined, undefined]);
    expect(rowNow(again, 2, 900)).toBeUndefined();
  });

  // evidence: G9
  test("a crash at any moment leaves every change wholly there or not at all", async () => {
    for (let seed = 0; seed < 200; seed++) {
      const { world, open } = manifestWorld(seed);
      const manifest = await open();
      const published: number[] = [];
      const work = async () => {
        for (let n = 1; n <= 8; n++) {
          await manifest.publish({
            nextStreamId: streamId(n + 1),
            checkpointLsn: lsn(n),
            nextChunkId: chunkId(n + 1),
            putDatabases: [databaseRow(n, n)],
            putChunks: [chunkRow(n, 1)],
            putMapRows: [mapRow(n, 0, n)],
          });
          published.push(n);
        }
      };
      const ended = work().catch(() => undefined);
      await world.pass(world.random.fraction() * 12);
      if (world.random.chance(0.5)) world.kill();
      else world.powerCut();
      await world.run(ended);
      const again = await open();
      const there = again.opened.databases.map(({ stream }) => Number(stream));
      expect(there, `seed ${seed}`).toEqual(there.map((_, at) => at + 1));
      expect(there.length, `seed ${seed}`).toBeGreaterThanOrEqual(published.length);
      expect(there.length, `seed ${seed}`).toBeLessThanOrEqual(published.length + 1);
      expect(again.opened.checkpointLsn, `seed ${seed}`).toBe(there.length);
      expect(again.generation, `seed ${seed}`).toBe(there.length + 1);
      const [newest] = rowNow(again, there.length, 0)?.locations ?? [];
      const expected = there.length === 0 ? undefined : there.length * 2 ** 24 + 16;
      expect(newest, `seed ${seed}`).toBe(expected);
    }
  });

  test("a refused commit is there wholly or not at all for who opens the manifest before the next", async () => {
    for (const applied of [false, true]) {
      const { world, stores, open } = manifestWorld(5);
      const manifest = await open();
      stores.failNextCommit({ applied });
      const [first, second] = await world.run(() =>
        Promise.allSettled([
          manifest.publish({ durableLsn: lsn(5) }),
          manifest.publish({ durableLsn: lsn(6) }),
        ]),
      );
      for (const outcome of [first, second]) {
        expect(outcome.status === "rejected" && isStorageError(outcome.reason, "BOP_IO")).toBe(
          true,
        );
      }
      await world.run(() => manifest.close());
      const again = await open();
      expect(again.opened.durableLsn).toBe(applied ? 6 : 0); // They shared the commit.
    }
  });

  test.each([
    ["a full disk", "ENOSPC", "BOP_DISK_FULL"],
    ["a device that fails once", "EIO", "BOP_IO"],
  ] as const)("%s refuses one change, and the next one goes on", async (_, error, code) => {
    const { world, stores, open } = manifestWorld(6);
    const manifest = await open();
    stores.failNextCommit({ applied: false, error });
    const refused = await world.run(() =>
      manifest.publish({ durableLsn: lsn(5) }).catch((error: unknown) => error),
    );
    expect(isStorageError(refused, code)).toBe(true);
    expect(await world.run(() => manifest.publish({ durableLsn: lsn(6) }))).toBe(2);
    world.powerCut();
    expect((await open()).opened.durableLsn).toBe(6);
  });

  test.each(["ENOSPC", "EIO"] as const)(
    "a change that was refused with %s, yet made, is taken back, and reads never show it",
    async (refusal) => {
      const { world, stores, open } = manifestWorld(7);
      const manifest = await open();
      const row = (at: number) => ({ ...mapRow(1, 0, 1), fromLsn: lsn(at) });
      const marks = { durableLsn: lsn(40), checkpointLsn: lsn(30) };
      const next = { nextStreamId: streamId(2), nextChunkId: chunkId(2) };
      const first = { putDatabases: [databaseRow(1, 30)], putMapRows: [row(10)] };
      const putChunks = [chunkRow(1, 1)];
      await world.run(() => manifest.publish({ ...marks, ...next, ...first, putChunks }));
      const seen = () => manifest.mapRowVersions(streamId(1), 0).map(({ fromLsn }) => fromLsn);
      stores.failNextCommit({ applied: true, error: refusal });
      const change = { putMapRows: [row(20)], removeMapRows: [row(10)] };
      for (const error of ["ENOSPC", "EIO"] as const) {
        await expect(world.run(() => manifest.publish(change))).rejects.toThrow("simulated");
        stores.failNextCommit({ applied: true, error }); // So does what takes it back.
        expect(seen()).toEqual([10]);
      }
      await expect(world.run(() => manifest.publish({}))).rejects.toThrow("EIO");
      expect(seen()).toEqual([10]);
      const generation = await world.run(() => manifest.publish({ durableLsn: lsn(50) }));
      expect(generation).toBeGreaterThan(4); // What was taken back keeps its number.
      expect(seen()).toEqual([10]);
      world.powerCut();
      const again = await open();
      expect(again.generation).toBe(generation);
      expect(again.mapRow(streamId(1), 0, lsn(99))?.fromLsn).toBe(10);
    },
  );

  test("a row that names an LSN which is not durable is never committed", async () => {
    const { world, open } = manifestWorld(8);
    const manifest = await open();
    const change = {
      durableLsn: lsn(10),
      nextStreamId: streamId(2),
      putDatabases: [databaseRow(1, 11)],
    };
    await expect(world.run(() => manifest.publish(change))).rejects.toThrow("LSN 11");
    expect(manifest.generation).toBe(1);
  });
});

describe("the manifest on disk", () => {
  const onDisk = async (
    program: (open: () => Promise<Manifest>, path: string) => Promise<void>,
  ) => {
    const path = await mkdtemp(join(tmpdir(), "bop-manifest-"));
    const openStore: OpenKeyValueStore = openLmdbStore;
    try {
      const { clock } = systemEnv({ scratchDirectory: path });
      const place = { openStore, directory: path, storeIdForNew: STORE_ID, clock };
      await program(() => openManifest(place), path);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  };

  test("changes are there after closing and opening it", () =>
    onDisk(async (open) => {
      const manifest = await open();
      await manifest.publish({
        nextStreamId: streamId(1001),
        putDatabases: Array.from({ length: 1000 }, (_, n) => databaseRow(n + 1)),
        nextChunkId: chunkId(4),
        putMapRows: [mapRow(1, 0, 3)],
        putChunks: [chunkRow(3, 1)],
      });
      expect(rowNow(manifest, 1, 0)).toEqual(mapRow(1, 0, 3));
      await Promise.all([manifest.close(), manifest.close()]);
      const again = await open();
      expect(again.opened.databases).toHaveLength(1000);
      expect(again.opened.storeId).toEqual(STORE_ID);
      await again.close();
    }));

  // evidence: G4
  test("a row that was damaged is reported as corrupt when the manifest is opened", () =>
    onDisk(async (open, path) => {
      const manifest = await open();
      await manifest.publish({ nextStreamId: streamId(2), putDatabases: [databaseRow(1)] });
      await manifest.close();
      const store = await openLmdbStore(path);
      const key = databases.encodeKey(streamId(1));
      const value = store.get(key)?.slice() ?? new Uint8Array(1);
      value[5] = (value[5] ?? 0) ^ 1;
      await store.commit([{ key, value }]);
      await store.close();
      const error = await open().catch((error: unknown) => error);
      expect(isStorageError(error, "BOP_CORRUPT") && error.details.file).toBe(path);
    }));

  test("a manifest whose state is missing is reported as corrupt, never begun anew", () =>
    onDisk(async (open, path) => {
      await (await open()).close();
      const store = await openLmdbStore(path);
      await store.commit([{ key: Uint8Array.of(1, ...Buffer.from("store")) }]);
      await store.close();
      const error = await open().catch((error: unknown) => error);
      expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
    }));
});
