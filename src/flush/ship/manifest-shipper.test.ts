/** States of a manifest on their way to a bucket that fails; the oracle reads the bucket alone. */
import { describe, expect, test } from "vitest";
import { ioError } from "../../base/errors.ts";
import type { KeyValueStore, OpenKeyValueStore } from "../../manifest/index.ts";
import { bucketKey } from "../../sink/index.ts";
import type { FoundState } from "./bucket-oracle.fixture.ts";
import { ShippingWorld } from "./shipping-world.fixture.ts";

/** The first byte of keys of page maps. */
const MAP_ROWS = 5;

/** Every state that can be found is whole. */
function expectRestorable(place: ShippingWorld, seed: number): void {
  const broken = place.oracle.states().filter(({ lacks }) => lacks !== undefined);
  expect(broken.map(({ header, lacks }) => [header.epoch, header.number, lacks])).toEqual([]);
  expect(seed).toBeGreaterThanOrEqual(0);
}

/** A store of which one read of page maps fails when it is told so. */
function failingReads(store: KeyValueStore, refused: { isNext: boolean }): KeyValueStore {
  return {
    get: (key) => store.get(key),
    range: (from, to) => {
      if (!refused.isNext || from[0] !== MAP_ROWS) return store.range(from, to);
      refused.isNext = false;
      throw ioError("read", "/store/manifest", new Error("no reader slot is free"));
    },
    commit: (batch, pause) => store.commit(batch, pause),
    commitIf: (expected, batch) => store.commitIf(expected, batch),
    own: (key, claim) => store.own(key, claim),
    readers: () => store.readers(),
    keepRoom: () => store.keepRoom(),
    close: () => store.close(),
  };
}

const tablesOf = (state: FoundState | undefined): string[] =>
  [...new Set([...(state?.rows.keys() ?? [])].map((key) => key.slice(0, 2)))].sort();

describe("states in the bucket", () => {
  // evidence: G32
  test("can be restored at every moment, whatever the sink does and whenever the process ends", async () => {
    let [states, crashes] = [0, 0];
    for (let seed = 0; seed < 4; seed++) {
      const place = new ShippingWorld(seed, seed % 3 === 0 ? { feedBytes: 6000 } : {});
      await place.world.run(() => place.open());
      place.service.faults.failSometimes(0.15, { except: ["missing"] });
      let puts = 0;
      for (let step = 0; step < 40; step++) {
        const act = place.random.below(10);
        const work = place.world.run(async () => {
          if (act < 3) await place.checkpoint();
          else if (act === 3) place.spilled.push(await place.newChunk());
          else if (act === 4 && place.spilled[0] !== undefined) {
            await place.checkpoint(place.spilled[0]);
          } else if (act === 5) await place.shipLog();
          else if (act === 6) {
            await Promise.all([place.shipper.round(), place.checkpoint()]);
          } else await place.shipper.round();
        });
        await work.catch(() => undefined); // The sink said no; the next step goes on.
        if (place.service.bucket.putCount > puts) expectRestorable(place, seed);
        puts = place.service.bucket.putCount;
        if (place.random.below(12) > 0) continue;
        crashes += 1;
        place.spilled = [];
        place.crash();
        place.service.faults.heal();
        await place.world.run(() => place.open());
        place.service.faults.failSometimes(0.15, { except: ["missing"] });
      }
      place.service.faults.heal();
      await place.world.run(() => place.shipAll());
      const found = place.oracle.states();
      expectRestorable(place, seed);
      expect(found.at(-1)?.header.checkpointLsn).toBe(place.feed.checkpointLsn);
      states += found.length;
    }
    expect(states).toBeGreaterThan(25);
    expect(crashes).toBeGreaterThan(3);
  });

  test("follow each change once, and none follows when nothing changes", async () => {
    const place = new ShippingWorld(100);
    await place.world.run(async () => {
      await place.open();
      await place.checkpoint();
      await place.shipAll();
      expect(place.shipper.isDue(0)).toBe(false);
      const before = place.oracle.states().length;
      await place.checkpoint();
      expect(place.shipper.isDue(0)).toBe(true);
      await place.shipAll();
      expect(place.oracle.states().length).toBe(before + 1);
      expect(place.shipper.isDue(0)).toBe(false);
    });
  });

  test("that never came to be are forgotten: every chain that is remembered is in the bucket", async () => {
    const place = new ShippingWorld(102);
    const failBeforeState = async () => {
      await place.checkpoint();
      const wal = { fault: "error-before", keyPattern: /^wal/, operation: "putIfAbsent" } as const;
      place.service.faults.failNext(wal);
      await expect(place.shipper.round()).rejects.toMatchObject({ code: "BOP_SINK_UNKNOWN" });
    };
    await place.world.run(async () => {
      await place.open();
      await failBeforeState(); // Its row is there, and it is not.
      place.feed.stop(); // Too much has come meanwhile.
      await place.shipAll();
      place.feed.stop();
      await failBeforeState();
    });
    place.crash();
    await place.world.run(() => place.open());
    await place.world.run(() => place.shipAll());
    place.crash();
    await place.world.run(() => place.open());
    const wholes = place.oracle.states().filter(({ header }) => header.whole);
    const there = wholes.map(({ header }) => [header.epoch, header.baseNumber, header.number]);
    const { remoteChains } = place.manifest.opened;
    const remembered = remoteChains.map((each) => [each.epoch, each.number, each.wholeNumber]);
    expect(remembered).toEqual(there);
    expect(there.length).toBeGreaterThan(1);
  });

  test("that never came to be are forgotten though the manifest refused that at first", async () => {
    const place = new ShippingWorld(104);
    await place.world.run(async () => {
      await place.open();
      await place.shipAll();
      place.shipper.newBase();
      await place.checkpoint();
      const wal = { fault: "error-before", keyPattern: /^wal/, operation: "putIfAbsent" } as const;
      place.service.faults.failNext(wal);
      await expect(place.shipper.round()).rejects.toMatchObject({ code: "BOP_SINK_UNKNOWN" });
      place.stores.failNextCommit({ applied: false, after: 1 }); // Behind that of the epoch's row.
      await expect(place.begin()).rejects.toMatchObject({ code: "BOP_IO" });
      await place.begin();
      await place.shipAll();
    });
    place.crash();
    await place.world.run(() => place.open());
    const wholes = place.oracle.states().filter(({ header }) => header.whole);
    const there = wholes.map(({ header }) => [header.epoch, header.baseNumber]);
    const { remoteChains } = place.manifest.opened;
    expect(remoteChains.map((each) => [each.epoch, each.number])).toEqual(there);
  });

  test("are begun again by the next process with the chunks that are in the bucket already", async () => {
    const place = new ShippingWorld(105);
    const chunksThere = () => place.oracle.keys().filter((key) => key.startsWith("chunks/"));
    await place.world.run(async () => {
      await place.open();
      for (let n = 0; n < 3; n++) await place.checkpoint();
      const wal = { fault: "error-before", keyPattern: /^wal/, operation: "putIfAbsent" } as const;
      place.service.faults.failNext(wal);
      await expect(place.shipper.round()).rejects.toMatchObject({ code: "BOP_SINK_UNKNOWN" });
    });
    const before = chunksThere();
    expect(before.length).toBeGreaterThan(2);
    expect(place.oracle.states()).toEqual([]);
    place.crash();
    await place.world.run(() => place.open());
    await place.world.run(() => place.shipAll());
    expect(chunksThere()).toEqual(before);
    expectRestorable(place, 105);
    expect(place.oracle.states()).not.toEqual([]);
  });

  // evidence: G32
  test("begin anew where the manifest could not be read: none lacks what came behind", async () => {
    const refused = { isNext: false };
    const over = (open: OpenKeyValueStore): OpenKeyValueStore => {
      return async (directory) => failingReads(await open(directory), refused);
    };
    const place = new ShippingWorld(103, { over });
    await place.world.run(async () => {
      await place.open();
      for (let n = 0; n < 4; n++) await place.checkpoint();
      refused.isNext = true;
      await expect(place.shipper.round()).rejects.toMatchObject({ code: "BOP_IO" });
      await place.shipAll();
    });
    expectRestorable(place, 103);
    const first = tablesOf(place.oracle.states().at(-1));
    await place.world.run(async () => {
      place.shipper.newBase();
      await place.shipAll();
    });
    expect(first).toEqual(tablesOf(place.oracle.states().at(-1)));
    expect(first.length).toBeGreaterThan(4);
  });

  // evidence: G32
  test("never come of a damaged chunk: it does not leave the disk, and shipping says which it is", async () => {
    const place = new ShippingWorld(101);
    await place.world.run(async () => {
      await place.open();
      await place.shipAll();
      const chunk = await place.newChunk(true);
      await place.checkpoint(chunk);
      const error = await place.shipper.round().catch((each: unknown) => each);
      expect(error).toMatchObject({
        code: "BOP_CORRUPT",
        details: { file: place.chunkPath(chunk) },
      });
      const key = bucketKey({ kind: "chunk", id: chunk, epoch: place.epoch });
      expect(place.oracle.object(key)).toBeUndefined();
      expect(place.oracle.states()).toHaveLength(1);
      // It goes with the next rewrite, and shipping goes on.
      for (let n = 0; n < 12; n++) await place.checkpoint();
      await place.shipAll();
      expectRestorable(place, 101);
      expect(place.oracle.states().length).toBeGreaterThan(1);
    });
  });
});
