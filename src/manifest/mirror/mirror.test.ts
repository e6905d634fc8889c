import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { chunkId, lsn, streamId } from "../../base/units.ts";
import { type SeededRandom, seeded, simulatedWorld } from "../../io/index.ts";
import { readMirror } from "../opening/rebuild.ts";
import { STATE_KEY, STORE_KEY, TABLE } from "../rows/keys.ts";
import type { KeyValueOperation, KeyValueStore } from "../stores/key-value.ts";
import { memoryStores } from "../stores/memory-store.ts";
import { chunks } from "../tables/chunks.ts";
import { databases } from "../tables/databases.ts";
import { forks } from "../tables/forks.ts";
import { mapVersions } from "../tables/map-versions.ts";
import { pageMap } from "../tables/page-map.ts";
import { snapshots } from "../tables/snapshots.ts";
import { encodeState, encodeStore } from "../tables/state.ts";
import { ManifestMirror, mirrorPath } from "./mirror.ts";
import { MIRROR_BLOCK_BYTES } from "./mirror-format.ts";

const DIRECTORY = "/store";
const PLACE = `${DIRECTORY}/manifest`;
/** A key of the table of cursors. */
const CURSOR = Uint8Array.of(TABLE.cursors, 99);
/** Between two places where a file is cut off. */
const CUT_BYTES = 5 * MIRROR_BLOCK_BYTES;
const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);

type KeyOf = (n: number) => Uint8Array;
/** Of each table of which nothing can be found again otherwise. */
const KEYS: readonly KeyOf[] = [
  (n) => databases.encodeKey(streamId(n)),
  (n) => forks.encodeKey({ origin: streamId(n % 3), fork: streamId(n) }),
  (n) => chunks.encodeKey(chunkId(n)),
  (n) => pageMap.encodeKey({ stream: streamId(n % 3), rowIndex: n % 5, fromLsn: lsn(n) }),
  (n) => mapVersions.encodeKey({ stream: streamId(n % 3), lsn: lsn(n) }),
  (n) => snapshots.encodeKey({ stream: streamId(n % 3), name: `noon-${n}` }),
];

/** Rows of a manifest as far as a mirror looks at them. */
function marks(generation: number): KeyValueOperation {
  return encodeState({
    generation,
    checkpointLsn: lsn(0),
    durableLsn: lsn(0),
    catalogueLsn: lsn(0),
    nextStreamId: streamId(1),
    nextChunkId: chunkId(1),
    clean: false,
    rows: new Map(),
  });
}

class Rig {
  readonly world: ReturnType<typeof simulatedWorld>;
  readonly stores: ReturnType<typeof memoryStores>;
  readonly random: SeededRandom;
  env: Env;
  mirror: ManifestMirror;
  #generation = 1;

  constructor(seed: number) {
    this.world = simulatedWorld({ seed });
    this.stores = memoryStores(seeded(seed));
    this.random = seeded(seed + 1);
    this.env = this.world.start();
    this.mirror = new ManifestMirror({ env: this.env, directory: DIRECTORY });
  }

  async open(): Promise<KeyValueStore> {
    await this.env.storage.mkdir(`${DIRECTORY}/tmp`);
    await this.env.storage.syncDirectory("/");
    await this.env.storage.syncDirectory(DIRECTORY);
    this.mirror = new ManifestMirror({ env: this.env, directory: DIRECTORY });
    const open = this.mirror.over(this.stores.openerFor(this.env), { mustExist: false });
    const store = await open(PLACE);
    if (store.get(STORE_KEY) === undefined) {
      await store.commit([encodeStore({ schemaVersion: 1, storeId: STORE_ID }, 1), marks(1)]);
    }
    return store;
  }

  /** A commit of some rows, put or removed, with the marks. */
  change(store: KeyValueStore): Promise<void> {
    this.#generation += 1;
    const batch: KeyValueOperation[] = [];
    for (let count = this.random.below(5); count >= 0; count--) {
      const at = 1 + this.random.below(40);
      const key = (KEYS[this.random.below(KEYS.length)] as KeyOf)(at);
      const removed = this.random.below(4) === 0;
      batch.push(removed ? { key } : { key, value: this.random.bytes(this.random.below(90)) });
    }
    return store.commit([...batch, marks(this.#generation)]);
  }

  /** What the mirror would give back, against what the store holds. */
  async expectSame(store: KeyValueStore): Promise<void> {
    const { rows, state } = await readMirror(this.env.storage, DIRECTORY);
    const text = ({ key, value }: KeyValueOperation) =>
      `${Buffer.from(key).toString("hex")} ${Buffer.from(value ?? []).toString("hex")}`;
    const tables = KEYS.map((keyOf) => keyOf(1)[0] as number);
    const held = tables.flatMap((table) =>
      [...store.range(Uint8Array.of(table), Uint8Array.of(table + 1))].map(text),
    );
    expect(rows.map(text).sort()).toEqual(held.sort());
    expect(encodeState(state).value).toEqual(store.get(STATE_KEY));
  }
}

describe("the mirror of a manifest", () => {
  // evidence: G12
  test("holds what the manifest holds whenever it has settled, also while it is based anew", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const rig = new Rig(seed);
      await rig.world.run(async () => {
        const store = await rig.open();
        for (let round = 0; round < 4; round++) {
          const changes: Promise<void>[] = [];
          for (let count = 0; count < 5; count++) changes.push(rig.change(store));
          if (round === 2) rig.stores.failNextCommit({ applied: false }); // A new base follows.
          const settled = rig.mirror.settle();
          await Promise.allSettled(changes);
          await settled;
          if (round === 2) break; // The handle takes no more.
          await rig.mirror.settle();
          await rig.expectSame(store);
        }
        await store.close();
      });
    }
  });

  test("is not added to when the manifest has another state than it was closed with", async () => {
    const rig = new Rig(3);
    await rig.world.run(async () => {
      const store = await rig.open();
      await rig.change(store);
      await rig.mirror.settle();
      await store.close();
      // Another state in a row of the same length, behind the back of the mirror.
      const beneath = await rig.stores.openerFor(rig.env)(PLACE);
      await beneath.commit([marks(1000)]);
      await beneath.close();
      const again = await rig.open();
      expect(rig.mirror.stats.current).toBe(false);
      await again.close();
    });
  });

  // evidence: G12
  test("that may be newer than the manifest is left alone until the manifest is known to be the newest", async () => {
    const rig = new Rig(4);
    await rig.world.run(async () => {
      const store = await rig.open();
      for (let count = 0; count < 5; count++) await rig.change(store);
      await rig.mirror.settle();
      await store.close();
      const newer = await readMirror(rig.env.storage, DIRECTORY);
      const beneath = await rig.stores.openerFor(rig.env)(PLACE);
      await beneath.commit([marks(2)]); // An old copy of the manifest was put in its place.
      await beneath.close();
      await (await rig.open()).close();
      expect(await readMirror(rig.env.storage, DIRECTORY)).toEqual(newer);
      const trusted = await rig.open();
      rig.mirror.trust();
      await trusted.close();
      expect((await readMirror(rig.env.storage, DIRECTORY)).state.generation).toBe(2);
    });
  });

  test("is added to after a clean close, and based anew after any other", async () => {
    const rig = new Rig(1);
    await rig.world.run(async () => {
      const first = await rig.open();
      await rig.change(first);
      await rig.mirror.settle();
      expect(rig.mirror.stats.bases).toBe(1);
      await first.close();
      const second = await rig.open();
      expect(rig.mirror.stats).toMatchObject({ current: true, bases: 0 });
      await rig.change(second);
      await rig.mirror.settle();
      expect(rig.mirror.stats.bases).toBe(0);
      await rig.expectSame(second);
    });
    rig.world.kill();
    rig.env = rig.world.start();
    await rig.world.run(async () => {
      const third = await rig.open();
      expect(rig.mirror.stats.current).toBe(false);
      await rig.mirror.settle();
      expect(rig.mirror.stats).toMatchObject({ current: true, bases: 1 });
      await rig.expectSame(third);
      await third.close();
    });
  });

  test("does not grow for commits that only move marks, or that are of no mirrored table", async () => {
    const rig = new Rig(2);
    await rig.world.run(async () => {
      const store = await rig.open();
      await rig.mirror.settle();
      await rig.mirror.settle();
      const before = rig.mirror.stats.bytes;
      for (let n = 2; n < 500; n++) {
        await store.commit([{ key: CURSOR, value: Uint8Array.of(n) }, marks(n)]);
      }
      await rig.mirror.settle();
      expect(rig.mirror.stats.bytes - before).toBe(MIRROR_BLOCK_BYTES); // What is synced ends with one.
      await rig.expectSame(store);
      await store.close();
    });
  });

  test("that the disk does not take refuses nothing, and is whole again when there is room", async () => {
    const rig = new Rig(3);
    await rig.world.run(async () => {
      const store = await rig.open();
      await rig.change(store);
      const full = {
        operation: "write",
        error: "ENOSPC",
        times: Number.POSITIVE_INFINITY,
      } as const;
      rig.world.disk.failNext(full);
      await rig.mirror.settle();
      expect(rig.mirror.stats).toMatchObject({ current: false, failures: 1 });
      await rig.change(store);
      rig.world.disk.heal();
      await rig.mirror.settle();
      expect(rig.mirror.stats.current).toBe(true);
      await rig.expectSame(store);
      await store.close();
    });
  });

  // evidence: G4, G12
  test("that was cut off anywhere in a large commit gives the rows of before or of after, and no mixture", async () => {
    const rig = new Rig(5);
    const path = mirrorPath(DIRECTORY);
    const row = (n: number, byte: number) => ({
      key: pageMap.encodeKey({ stream: streamId(1), rowIndex: n, fromLsn: lsn(byte) }),
      value: new Uint8Array(4096).fill(byte),
    });
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    await rig.world.run(async () => {
      const store = await rig.open();
      await store.commit([...numbers.map((n) => row(n, 2)), marks(2)]);
      await rig.mirror.settle();
      const { bytes: baseBytes } = rig.mirror.stats;
      const removed = numbers.map((n) => ({ key: row(n, 2).key }));
      await store.commit([...removed, ...numbers.map((n) => row(n, 3)), marks(3)]);
      await rig.mirror.settle();
      await store.close();
      const whole = rig.world.disk.contents(path) ?? new Uint8Array();
      const generations = new Set<number>();
      for (let bytes = baseBytes; bytes < whole.length + CUT_BYTES; bytes += CUT_BYTES) {
        rig.world.disk.replace(path, whole.subarray(0, bytes));
        const { rows, state, readBytes } = await readMirror(rig.env.storage, DIRECTORY);
        generations.add(state.generation);
        const values = rows.map(({ value }) => value[0]);
        expect(values, `cut at ${bytes}`).toEqual(numbers.map(() => state.generation));
        if (state.generation === 2) expect(readBytes).toBe(baseBytes);
      }
      expect(generations).toEqual(new Set([2, 3]));
    });
  });

  test("of which not even the file is made keeps no rows for it in memory, and leaves no file behind", async () => {
    const rig = new Rig(6);
    await rig.world.run(async () => {
      const store = await rig.open();
      await rig.mirror.settle();
      const path = mirrorPath(DIRECTORY);
      for (const operation of ["create", "write"] as const) {
        for (let n = 0; n < 4; n++) {
          rig.world.disk.failNext({ operation, pathPattern: /\/tmp\// });
          await rig.mirror.renew();
          expect(rig.mirror.stats.current).toBe(false);
          await rig.change(store);
          expect(rig.mirror.waitingBytes).toBe(0);
        }
      }
      expect(rig.mirror.stats.failures).toBe(8);
      expect(rig.world.disk.files(/\.mirror$/)).toEqual([path]);
      await rig.mirror.settle();
      await rig.expectSame(store);
      await store.close();
    });
  });

  // evidence: G12
  test("after a power cut at any moment gives a state that it had when it last settled, or a later one", async () => {
    for (let seed = 0; seed < 60; seed++) {
      const rig = new Rig(seed);
      let settledGeneration = 0;
      const life = async () => {
        const store = await rig.open();
        for (let generation = 2; ; generation++) {
          const row = { key: databases.encodeKey(streamId(generation)), value: Uint8Array.of(1) };
          await store.commit([row, marks(generation)]);
          if (generation % 3 !== 0) continue;
          await rig.mirror.settle();
          settledGeneration = generation;
        }
      };
      void life().catch(() => undefined);
      await rig.world.pass(1 + rig.random.below(60));
      const settled = settledGeneration;
      rig.world.powerCut();
      rig.env = rig.world.start();
      if (settled === 0) continue;
      const found = await rig.world.run(() => readMirror(rig.env.storage, DIRECTORY));
      expect(found.state.generation, `seed ${seed}`).toBeGreaterThanOrEqual(settled);
      const streams = found.rows.map(({ key }) => key.at(-1)).sort((a, b) => Number(a) - Number(b));
      const wanted = Array.from({ length: found.state.generation - 1 }, (_, at) => at + 2);
      expect(streams, `seed ${seed}`).toEqual(wanted);
      expect(await rig.world.run(() => rig.env.storage.stat(mirrorPath(DIRECTORY)))).toBeDefined();
    }
  });
});
