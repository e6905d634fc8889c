/** The feed over a store in a simulated world: what is made of its base and cuts, against the store. */
import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { chunkId, lsn, streamId } from "../../base/units.ts";
import { type SeededRandom, type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import { STATE_KEY, STORE_KEY, TABLE } from "../rows/keys.ts";
import type { KeyValueOperation, KeyValueStore } from "../stores/key-value.ts";
import { type MemoryStores, memoryStores } from "../stores/memory-store.ts";
import { encodeState, encodeStore } from "../tables/state.ts";
import { type RowCut, RowFeed } from "./row-feed.ts";
import { keyText } from "./sorted-rows.ts";

const SHIPPED = [2, 3, 5, 6, 11, 12, 16, 18, 19, 20, 21, 22, 23];
const OTHERS = [4, 7, 8, 9, 10, 13, 14, 15, 17];

class Rig {
  readonly world: SimulatedWorld;
  readonly stores: MemoryStores;
  readonly env: Env;
  readonly feed: RowFeed;
  readonly random: SeededRandom;
  generation = 1;
  /** What whoever reads the feed has made of it. */
  readonly copy = new Map<string, Uint8Array>();

  constructor(seed: number, limitBytes?: number) {
    this.world = simulatedWorld({ seed });
    this.stores = memoryStores(seeded(seed));
    this.random = seeded(seed + 1);
    this.env = this.world.start();
    const { clock } = this.env;
    this.feed = new RowFeed({ clock, file: "", ...(limitBytes !== undefined && { limitBytes }) });
  }

  /** What is committed may be read before its caller hears of it. */
  #tellsLate(store: KeyValueStore): KeyValueStore {
    const commit: KeyValueStore["commit"] = async (batch, pause) => {
      await store.commit(batch, pause);
      await this.env.clock.sleep(this.random.below(4));
    };
    return new Proxy(store, {
      get(target, name) {
        const found: unknown = name === "commit" ? commit : Reflect.get(target, name);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
  }

  async open(): Promise<KeyValueStore> {
    const opener = this.stores.openerFor(this.env);
    const store = await this.feed.over(async (place) => this.#tellsLate(await opener(place)))(
      "/store",
    );
    if (store.get(STORE_KEY) === undefined) {
      const made = encodeStore({ schemaVersion: 4, storeId: new Uint8Array(16) }, 1);
      await store.commit([made, this.marks(0)]);
    }
    return store;
  }

  marks(checkpoint: number): KeyValueOperation {
    return encodeState({
      generation: this.generation,
      checkpointLsn: lsn(checkpoint),
      durableLsn: lsn(checkpoint + this.generation),
      catalogueLsn: lsn(checkpoint),
      nextStreamId: streamId(1),
      nextChunkId: chunkId(1),
      clean: false,
      rows: new Map(),
    });
  }

  /** A commit of some rows, put or removed, with the marks. */
  change(store: KeyValueStore): Promise<void> {
    this.generation += 1;
    const batch: KeyValueOperation[] = [];
    for (let count = this.random.below(6); count >= 0; count--) {
      const tables = this.random.below(3) === 0 ? OTHERS : SHIPPED;
      const table = tables[this.random.below(tables.length)] as number;
      const key = Uint8Array.of(table, this.random.below(9), 255 - this.random.below(3));
      const removed = this.random.below(4) === 0;
      batch.push(removed ? { key } : { key, value: this.random.bytes(this.random.below(90)) });
    }
    return store.commit([...batch, this.marks(0)]);
  }

  /** What was committed is noted. */
  noted(): Promise<void> {
    return new Promise((resolve) => this.env.clock.turn(resolve));
  }

  /** Takes a base while `meanwhile` goes on, and the cut that makes it whole. */
  async base(meanwhile: () => void): Promise<RowCut | undefined> {
    this.copy.clear();
    let last = "";
    for await (const rows of this.feed.base()) {
      for (const { key, value } of rows) {
        if (keyText(key) <= last) throw new Error("keys of a base do not ascend");
        last = keyText(key);
        this.copy.set(last, value);
      }
      meanwhile();
      if (this.random.below(3) === 0) await this.env.clock.sleep(this.random.below(3));
    }
    return this.take(await this.feed.cut());
  }

  take(cut: RowCut | undefined): RowCut | undefined {
    let last = "";
    for (const { key, value } of cut?.rows ?? []) {
      if (keyText(key) <= last) throw new Error("keys of a cut do not ascend");
      last = keyText(key);
      if (value === undefined) this.copy.delete(last);
      else this.copy.set(last, value);
    }
    return cut;
  }
}

/** What a store holds of the rows that are shipped. */
function shipped(store: KeyValueStore): Map<string, Uint8Array> {
  const rows = SHIPPED.flatMap((table) => {
    return [...store.range(Uint8Array.of(table), Uint8Array.of(table + 1))];
  });
  const meta = [STATE_KEY, STORE_KEY].map((key) => ({ key, value: store.get(key) as Uint8Array }));
  return new Map([...meta, ...rows].map(({ key, value }) => [keyText(key), value]));
}

describe("the feed of rows", () => {
  // evidence: G32
  test("gives a base and cuts that together are the manifest of one generation each", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const rig = new Rig(seed);
      await rig.world.run(async () => {
        const store = await rig.open();
        for (let n = 0; n < 30; n++) await rig.change(store);
        const states = new Map<number, Map<string, Uint8Array>>();
        let under: Promise<void> = Promise.resolve();
        const change = () => {
          under = under.then(async () => {
            const done = rig.change(store);
            const { generation } = rig;
            await done;
            states.set(generation, shipped(store));
          });
        };
        states.set(rig.generation, shipped(store));
        const whole = await rig.base(change);
        expect(rig.copy, `seed ${seed}`).toEqual(states.get(whole?.generation ?? 0));
        for (let round = 0; round < 5; round++) {
          for (let n = rig.random.below(4); n >= 0; n--) change();
          if (rig.random.below(2) === 0) await under;
          const cut = await rig.feed.cut();
          if (rig.random.below(3) === 0 && cut !== undefined) {
            change();
            await under;
            rig.feed.giveBack(cut); // It could not be used.
          } else {
            rig.take(cut);
            expect(rig.copy, `seed ${seed}`).toEqual(states.get(cut?.generation ?? 0));
          }
        }
        await under;
        await store.close();
      });
    }
  });

  test("is stale when more waits than it may keep, and keeps nothing then", async () => {
    const rig = new Rig(1, 2000);
    await rig.world.run(async () => {
      const store = await rig.open();
      await rig.base(() => undefined);
      for (let n = 0; n < 9 && !rig.feed.isStale; n++) {
        const rows = [1, 2, 3].map((at) => Uint8Array.of(TABLE.databases, n, at));
        await store.commit(rows.map((key) => ({ key, value: new Uint8Array(100) })));
      }
      expect([rig.feed.isStale, rig.feed.notedBytes]).toEqual([true, 0]);
      expect(await rig.feed.cut()).toBeUndefined();
      expect((await rig.base(() => undefined))?.generation).toBe(1);
      expect(rig.copy).toEqual(shipped(store));
    });
  });

  test("keeps of a row that changes often the newest, and takes no more memory for it", async () => {
    const rig = new Rig(2);
    await rig.world.run(async () => {
      const store = await rig.open();
      await rig.base(() => undefined);
      const key = Uint8Array.of(TABLE.databases, 1);
      for (let n = 1; n <= 50; n++) await store.commit([{ key, value: Uint8Array.of(n) }]);
      await rig.noted();
      expect(rig.feed.notedBytes).toBeLessThan(200);
      const rows = (await rig.feed.cut())?.rows.filter((each) => each.key[0] !== TABLE.meta);
      expect(rows).toEqual([{ key, value: Uint8Array.of(50) }]);
    });
  });

  test("is stale behind a commit whose outcome is not known: only a base tells what there is", async () => {
    for (const applied of [true, false]) {
      const rig = new Rig(3);
      await rig.world.run(async () => {
        const store = await rig.open();
        await rig.base(() => undefined);
        rig.stores.failNextCommit({ applied });
        await expect(rig.change(store)).rejects.toMatchObject({ code: "BOP_IO" });
        expect(rig.feed.isStale).toBe(true);
        await store.close();
        const again = await rig.open();
        await rig.base(() => undefined);
        expect(rig.copy).toEqual(shipped(again));
      });
    }
  });

  test("has news of what a restored store would show, and none of what shipping notes", async () => {
    const rig = new Rig(4);
    await rig.world.run(async () => {
      const store = await rig.open();
      await rig.base(() => undefined);
      const put = async (table: number, checkpoint = 0) => {
        rig.generation += 1;
        const row = { key: Uint8Array.of(table, 1), value: Uint8Array.of(rig.generation) };
        await store.commit([row, rig.marks(checkpoint)]);
        await rig.noted();
        return rig.feed.hasNews;
      };
      const own = [TABLE.shipping, TABLE.remoteChunks, TABLE.remoteGarbage, TABLE.remoteChains];
      for (const table of [...own, TABLE.jobs, TABLE.epochs]) expect(await put(table)).toBe(false);
      expect(await put(TABLE.jobs, 4096)).toBe(true); // The checkpoint moved.
      await rig.feed.cut();
      expect(await put(TABLE.jobs, 4096)).toBe(false);
      expect(await put(TABLE.databases, 4096)).toBe(true);
    });
  });
});
