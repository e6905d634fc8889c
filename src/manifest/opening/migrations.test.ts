/** Stores of older schemas, as they were left on disk, opened by this code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { isStorageError } from "../../base/errors.ts";
import { chunkId, lsn, streamId } from "../../base/units.ts";
import { DIRECTORY, manifestWorld } from "../manifest.fixture.ts";
import type { Manifest } from "../manifest.ts";
import { STORE_KEY } from "../rows/keys.ts";
import { SCHEMA_VERSION } from "../schema.ts";
import type { KeyValuePair } from "../stores/key-value.ts";
import { names } from "../tables/names.ts";
import { decodeStore, encodeStore } from "../tables/state.ts";

const FIXTURES = join(import.meta.dirname, "../../../test/fixtures/manifest");

/** Lines of key and value in hexadecimal. */
function fixture(name: string): KeyValuePair[] {
  const lines = readFileSync(join(FIXTURES, name), "utf8").trim().split("\n");
  return lines.map((line) => {
    const [key = "", value = ""] = line.split(" ");
    return { key: Buffer.from(key, "hex"), value: Buffer.from(value, "hex") };
  });
}

function storedWorld(seed: number, pairs: readonly KeyValuePair[]) {
  const place = manifestWorld(seed);
  const openStore = () =>
    place.world.run(() => place.stores.openerFor(place.world.start())(DIRECTORY));
  const ready = openStore().then((store) => place.world.run(() => store.commit(pairs)));
  return { ...place, openStore, ready };
}

interface Crashes {
  readonly seeds: number;
  /** Longest time that a migration goes on. */
  readonly withinMs: number;
  readonly check: (opened: Manifest, which: string) => void;
}

/** Of which schema stores are that die at any moment while they are migrated; each opens then. */
async function schemasAfterCrashes(
  name: string,
  { seeds, withinMs, check }: Crashes,
): Promise<Set<number>> {
  const schemas = new Set<number>();
  const pairs = fixture(name);
  for (let seed = 0; seed < seeds; seed++) {
    const { world, begin, open, openStore, ready } = storedWorld(seed, pairs);
    await ready;
    begin().catch(() => undefined);
    await world.pass(world.random.fraction() * withinMs);
    world.kill();
    const value = (await openStore()).get(STORE_KEY) ?? new Uint8Array();
    schemas.add(decodeStore({ key: STORE_KEY, value, file: "" }).schemaVersion);
    check(await open(), `seed ${seed}`);
  }
  return schemas;
}

describe("a store of schema 1", () => {
  test("opens with all that it held, and what is new has its beginning", async () => {
    const { world, open, ready } = storedWorld(1, fixture("schema-1.txt"));
    await ready;
    const manifest = await open();
    const { opened } = manifest;
    expect(opened).toMatchObject({
      checkpointLsn: 16384,
      durableLsn: 20480,
      catalogueLsn: 16384,
      nextStreamId: 300,
      nextChunkId: 7,
      clean: false,
      segments: [2, 3],
      recordLogs: [],
    });
    const found = opened.databases.map(({ stream, name, state }) => [stream, name, state]);
    expect(found).toEqual([
      [1, "tenant-1", "live"],
      [2, "größe/α", "live"],
      [3, "coming", "importing"],
      [256, "tenant-1", "dropped"],
    ]);
    expect(opened.chunks).toEqual([
      {
        chunk: 5,
        kind: "pages",
        fileBytes: 300_000,
        pageCount: 600,
        livePages: 515,
        references: 515,
      },
      { chunk: 6, kind: "pages", fileBytes: 4096, pageCount: 2, livePages: 2, references: 2 },
    ]);
    expect(manifest.mapRow(streamId(2), 1, lsn(16384))?.locations[1]).toBe(6 * 2 ** 24 + 65);
    expect(manifest.stats.rows).toMatchObject({ databases: 4, names: 3, chunks: 2, mapRows: 3 });
    // What it counts on from here is right: the invariants hold of the next change.
    const cleared = { stream: streamId(2), rowIndex: 1, fromLsn: lsn(0) };
    await world.run(() =>
      manifest.publish({
        checkpointLsn: lsn(20480),
        removeMapRows: [cleared],
        removeChunks: [chunkId(6)],
      }),
    );
    expect(manifest.stats.rows).toMatchObject({ chunks: 1, mapRows: 2 });
  });

  test("is migrated once: the next opening finds it as it was left", async () => {
    const { world, open, openStore, ready } = storedWorld(2, fixture("schema-1.txt"));
    await ready;
    const { generation } = await open();
    world.powerCut();
    expect((await open()).generation).toBe(generation);
    const store = await openStore();
    const found = { key: STORE_KEY, value: store.get(STORE_KEY) ?? new Uint8Array(), file: "" };
    expect(decodeStore(found).schemaVersion).toBe(SCHEMA_VERSION);
    const key = names.encodeKey({ space: "databases", name: "größe/α" });
    expect(names.decode({ key, value: store.get(key) ?? new Uint8Array(), file: "" }).stream).toBe(
      2,
    );
  });

  test("has the old schema or the new one after a crash at any moment of it", async () => {
    const schemas = await schemasAfterCrashes("schema-1.txt", {
      seeds: 60,
      withinMs: 6.5,
      check: ({ opened, stats }, which) => {
        expect(opened.databases, which).toHaveLength(4);
        expect(stats.rows, which).toMatchObject({ names: 3, chunks: 2 });
      },
    });
    expect(schemas).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  });
});

describe("a store of schema 2", () => {
  test("opens with rows that every moment sees, families of one, and counted references", async () => {
    const { world, open, ready } = storedWorld(5, fixture("schema-2.txt"));
    await ready;
    const manifest = await open();
    const { opened } = manifest;
    expect(opened).toMatchObject({ checkpointLsn: 16384, durableLsn: 20480, catalogueLsn: 18000 });
    const families = opened.databases.map(({ stream, state, family, flat, createdLsn }) => {
      return [stream, state, family, flat, createdLsn];
    });
    expect(families).toEqual([
      [1, "live", 1, true, 0],
      [2, "live", 2, true, 0],
      [3, "importing", 3, true, 0],
      [256, "dropped", 256, true, 0],
    ]);
    expect(opened.databases[1]).toMatchObject({ name: "größe/α", engine: "libsql", lsn: 12000 });
    expect(opened.databases[3]).toMatchObject({ droppedLsn: 17000 });
    expect(
      opened.chunks.map(({ chunk, livePages, references }) => [chunk, livePages, references]),
    ).toEqual([
      [5, 423, 423],
      [6, 208, 208],
      [7, 33, 1],
    ]);
    expect(opened.snapshots).toMatchObject([{ stream: 1, name: "noon", lsn: 8000 }]);
    expect(opened.mapVersions).toEqual([]);
    const row = manifest.mapRow(streamId(1), 0, lsn(0));
    expect([row?.fromLsn, row?.locations[0], row?.locations[400]]).toEqual([
      0,
      5 * 2 ** 24 + 16,
      6 * 2 ** 24 + 16,
    ]);
    expect(manifest.mapRowVersions(streamId(1), 1)).toHaveLength(1);
    expect(manifest.stats.rows).toMatchObject({ databases: 4, mapRows: 5, chunks: 3, names: 4 });
    // The counts are right: a checkpoint that takes a row away has to say how many are left.
    await world.run(() =>
      manifest.publish({
        checkpointLsn: lsn(20480),
        removeMapRows: [{ stream: streamId(1), rowIndex: 0, fromLsn: lsn(0) }],
        putChunks: opened.chunks.slice(0, 2).map((chunk, at) => {
          const references = [23, 96][at] ?? 0;
          return { ...chunk, livePages: references, references };
        }),
      }),
    );
  });

  // evidence: G21
  test("has the old schema or the new one after a crash at any moment of it", async () => {
    const schemas = await schemasAfterCrashes("schema-2.txt", {
      seeds: 40,
      withinMs: 5.5,
      check: (manifest, which) => {
        expect(manifest.stats.rows, which).toMatchObject({ databases: 4, mapRows: 5 });
        const row = manifest.mapRow(streamId(2), 1, lsn(1));
        expect(row?.locations[100], which).toBe(6 * 2 ** 24 + 16);
      },
    });
    expect(schemas).toEqual(new Set([2, 3, 4, 5, 6]));
  });

  test("is not opened over a row that is damaged, and nothing of it is touched", async () => {
    const pairs = fixture("schema-2.txt");
    const damaged = pairs.map(({ key, value }, at) => {
      const isMapRow = key[0] === 5 && pairs[at - 1]?.key[0] !== 5;
      return { key, value: isMapRow ? value.with(9, (value[9] ?? 0) ^ 1) : value };
    });
    const { open, openStore, ready } = storedWorld(6, damaged);
    await ready;
    const error = await open().catch((each: unknown) => each);
    expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
    const left = [...(await openStore()).range(Uint8Array.of(0), Uint8Array.of(255))];
    expect(left.map(({ key }) => [...key])).toEqual(pairs.map(({ key }) => [...key]));
  });
});

describe("a store of schema 3", () => {
  const ofBucket = {
    shipping: undefined,
    epochs: [],
    remoteChunks: [],
    remoteGarbage: [],
    remoteChains: [],
  };

  // evidence: G21
  test("opens as it was, and has shipped nothing", async () => {
    const { world, open, ready } = storedWorld(8, fixture("schema-3.txt"));
    await ready;
    const manifest = await open();
    const { opened } = manifest;
    expect(opened).toMatchObject({ checkpointLsn: 16384, durableLsn: 20480, ...ofBucket });
    expect(opened.databases.map(({ stream, origin }) => [stream, origin?.stream])).toEqual([
      [1, undefined],
      [2, undefined],
      [4, 1],
    ]);
    expect(opened.mapVersions).toHaveLength(2);
    expect(opened.snapshots).toMatchObject([{ stream: 1, name: "noon", lsn: 8000 }]);
    const older = manifest.mapRow(streamId(1), 0, lsn(9000));
    expect(older?.locations[0]).toBe(5 * 2 ** 24 + 16);
    expect(manifest.stats.rows).toMatchObject({ databases: 3, mapRows: 3, remoteChunks: 0 });
    // What it counts on from here is right: the invariants hold of the next change.
    const left = opened.chunks.slice(0, 1).map((each) => ({ ...each, references: 9 }));
    await world.run(() =>
      manifest.publish({
        removeMapRows: [{ stream: streamId(1), rowIndex: 0, fromLsn: lsn(0) }],
        putChunks: left,
      }),
    );
  });

  test("has the old schema or the new one after a crash at any moment of it", async () => {
    const schemas = await schemasAfterCrashes("schema-3.txt", {
      seeds: 20,
      withinMs: 4.5,
      check: ({ opened }, which) => expect(opened.databases, which).toHaveLength(3),
    });
    expect(schemas).toEqual(new Set([3, 4, 5, 6]));
  });
});

describe("a store of schema 4", () => {
  // evidence: G21
  test("opens with its bucket and its dead letters, and nothing was lost or scrubbed", async () => {
    const { world, open, ready } = storedWorld(9, fixture("schema-4.txt"));
    await ready;
    const manifest = await open();
    const { opened } = manifest;
    expect(opened).toMatchObject({ checkpointLsn: 16384, lostWindows: [], scrubs: [] });
    expect(opened.shipping).toMatchObject({ bucket: "file:///backup", epoch: 2, walNumber: 7 });
    expect(opened.epochs.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(opened.remoteChunks.map(({ chunk }) => chunk)).toEqual([5]);
    expect(opened.remoteChains).toMatchObject([{ epoch: 1, last: { generation: 2 } }]);
    expect(opened.deadLetters).toEqual([
      {
        sequence: 3,
        kind: "batch",
        atMs: 1_800_000_000_300,
        attempts: 1,
        subject: "batch 3 of the journal",
        reason: "a broken rule",
        bytes: 4,
        body: Uint8Array.of(0, 0, 0, 0),
      },
    ]);
    expect(manifest.nextSequence()).toBe(4);
    expect(manifest.stats.rows).toMatchObject({ deadLetters: 1, remoteChunks: 1, scrubs: 0 });
    await world.run(() => manifest.publish({ removeDeadLetters: [3] }));
    expect(manifest.stats.rows).toMatchObject({ deadLetters: 0 });
  });

  test("has the old schema or the new one after a crash at any moment of it", async () => {
    const schemas = await schemasAfterCrashes("schema-4.txt", {
      seeds: 20,
      withinMs: 4.5,
      check: ({ opened }, which) => expect(opened.deadLetters, which).toMatchObject([{ bytes: 4 }]),
    });
    expect(schemas).toEqual(new Set([4, 5, 6]));
  });
});

describe("a store of schema 5", () => {
  // evidence: G21
  test("opens as it was, and does not know where its bucket is", async () => {
    const { world, open, ready } = storedWorld(11, fixture("schema-5.txt"));
    await ready;
    const manifest = await open();
    const { opened } = manifest;
    const known = { bucket: "file:///backup", epoch: 2, walNumber: 7, shippedLsn: 16384 };
    expect(opened.shipping).toMatchObject({ ...known, restored: false, location: undefined });
    expect(opened.lostWindows).toMatchObject([{ epoch: 2, fromLsn: 4096, toLsn: 8192 }]);
    expect(opened.deadLetters).toMatchObject([{ sequence: 3, bytes: 4 }]);
    const shipping = { ...present(opened.shipping, "the row"), location: "file:///backup" };
    await world.run(() => manifest.publish({ putShipping: shipping }));
    world.kill();
    expect((await open()).opened.shipping).toEqual(shipping);
  });

  test("has the old schema or the new one after a crash at any moment of it", async () => {
    const schemas = await schemasAfterCrashes("schema-5.txt", {
      seeds: 20,
      withinMs: 4.5,
      check: ({ opened }, which) => expect(opened.shipping, which).toMatchObject({ epoch: 2 }),
    });
    expect(schemas).toEqual(new Set([5, 6]));
  });
});

test("a store of a newer schema is refused by name, and nothing of it is touched", async () => {
  const { open, openStore, ready } = storedWorld(3, fixture("schema-1.txt"));
  await ready;
  const store = await openStore();
  const newer = encodeStore({ schemaVersion: SCHEMA_VERSION + 1, storeId: new Uint8Array(16) }, 9);
  const place = storedWorld(4, [...fixture("schema-1.txt"), newer]);
  await place.ready;
  const error = await place.open().catch((each: unknown) => each);
  expect(isStorageError(error, "BOP_FORMAT") && error.details).toMatchObject({
    found: `schema ${SCHEMA_VERSION + 1}`,
    supported: `schema ${SCHEMA_VERSION}`,
  });
  const [before, after] = [store, await place.openStore()].map((each) => [
    ...each.range(Uint8Array.of(2), Uint8Array.of(255)),
  ]);
  expect(after).toEqual(before);
  await open();
});
