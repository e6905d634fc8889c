/** What is deleted in a bucket, and what is not: orphans, chunks that no disk has, and idle stores. */
import { describe, expect, test } from "vitest";
import { type ChunkId, lsn } from "../../base/units.ts";
import { bucketKey } from "../../sink/index.ts";
import { ShippingWorld } from "./shipping-world.fixture.ts";

const HOUR_MS = 60 * 60 * 1000;
const PUT_ID = "0123456789abcdef0123456789abcdef";
const KEEP = { keepForMs: 3 * HOUR_MS, daily: 0, weekly: 0 };

const chunkKey = (id: number, epoch: number): string => bucketKey({ kind: "chunk", id, epoch });

/** So many steps of a store that is written to, of an hour each; a new epoch every tenth. */
async function live(
  place: ShippingWorld,
  steps: number,
  { each, stepMs = HOUR_MS }: { each?: () => void; stepMs?: number } = {},
) {
  for (let step = 0; step < steps; step++) {
    await place.world.pass(stepMs);
    await place.world.run(async () => {
      if (step % 10 === 9) await place.begin();
      await place.checkpoint();
      await place.shipAll();
    });
    if (step % 3 === 0) each?.();
  }
}

/** Every state of the window can be restored, with the log behind it. */
function expectWindow(place: ShippingWorld, { keepForMs } = KEEP): void {
  const sinceMs = place.env.clock.wallMs() - keepForMs;
  for (const state of place.oracle.states()) {
    expect(state.lacks).toBeUndefined();
    if (state.header.wallMs < sinceMs) continue;
    expect(place.oracle.lacks(state, place.shippedLsn)).toBeUndefined();
  }
}

describe("a chunk in the bucket that no row knows", () => {
  test("goes when its epoch ended a day ago and no older state is kept, and no sooner", async () => {
    const place = new ShippingWorld(1, { retention: KEEP });
    const [orphan, young] = [chunkKey(700, 1), chunkKey(701, 2)];
    await place.world.run(async () => {
      await place.open();
      await place.checkpoint();
      await place.shipAll();
      await place.store.put(orphan, new Uint8Array(90), { putId: PUT_ID });
      await place.begin();
      await place.store.put(young, new Uint8Array(90), { putId: PUT_ID });
    });
    await live(place, 22);
    expect(place.oracle.object(orphan)).toBeDefined();
    await live(place, 24, { each: () => expectWindow(place) });
    expect(place.oracle.object(orphan)).toBeUndefined();
    expect(place.oracle.object(young)).toBeDefined();
    await live(place, 26); // Its epoch is over by now, too.
    expect(place.oracle.object(young)).toBeUndefined();
    expect(place.shipper.stats.orphans).toBe(2);
  });

  test("is not taken for the chunk of the same id that this store has", async () => {
    const place = new ShippingWorld(2, { retention: KEEP });
    let own: ChunkId | undefined;
    await place.world.run(async () => {
      await place.open();
      await place.checkpoint();
      await place.shipAll();
    });
    await place.world.run(() => place.begin());
    await live(place, 9);
    await place.world.run(async () => {
      // The next id, as a store has it that was restored from before it was given away.
      own = await place.newChunk();
      await place.store.put(chunkKey(own, 1), new Uint8Array(90), { putId: PUT_ID });
    });
    await place.world.pass(26 * HOUR_MS);
    const noted = () => place.shipper.stats.orphans;
    for (let hour = 0; hour < 3 && noted() === 0; hour++) await live(place, 1);
    expect(noted()).toBe(1);
    const chunk = own as ChunkId;
    expect(place.remote.find(chunk)).toBeUndefined();
    await place.world.run(async () => {
      await place.checkpoint(chunk);
      await place.shipAll();
    });
    expect(place.remote.find(chunk)?.epoch).toBe(place.epoch);
    expect(place.oracle.object(chunkKey(chunk, place.epoch))).toBeDefined();
    await live(place, 30, { each: () => expectWindow(place) });
    expect(place.oracle.object(chunkKey(chunk, 1))).toBeUndefined();
  });

  test("and that shipped log names stays as long as that log can be restored", async () => {
    const retention = { ...KEEP, keepForMs: 40 * HOUR_MS };
    const place = new ShippingWorld(3, { retention });
    const chunk = await place.world.run(async () => {
      await place.open();
      await place.checkpoint();
      await place.shipAll();
      const spilled = await place.newChunk();
      place.spilled.push(spilled);
      place.commit();
      await place.shipLog();
      // The disk is lost: the next one is made of the state before, which does not know it.
      await place.manifest.publish({ removeRemoteChunks: [spilled] });
      await place.begin();
      return spilled;
    });
    const key = chunkKey(chunk, 1);
    await live(place, 44, { stepMs: 3 * HOUR_MS, each: () => expectWindow(place, retention) });
    expect(place.shipper.stats.orphans).toBe(1);
    expect(place.oracle.object(key)).toBeUndefined();
  });
});

describe("a chunk that lies only in the bucket", () => {
  test("stays there while the manifest names it, through epochs, restarts and whatever garbage goes", async () => {
    const place = new ShippingWorld(4, { retention: KEEP });
    await place.world.run(() => place.open());
    await live(place, 3);
    const evicted = new Set<ChunkId>();
    /** Lets go of every file that may go. */
    const evict = async () => {
      for (const name of await place.env.storage.list("/store/chunks")) {
        const chunk = Number(name) as ChunkId;
        if (!place.shipper.isSafe(chunk)) continue;
        evicted.add(chunk);
        await place.env.storage.unlink(place.chunkPath(chunk));
      }
    };
    for (let round = 0; round < 8; round++) {
      await place.world.run(evict);
      await live(place, 7);
      for (const chunk of evicted) {
        const found = place.remote.find(chunk);
        if (place.remote.isNamed(chunk)) {
          expect(place.oracle.object(chunkKey(chunk, found?.epoch ?? 0))).toBeDefined();
        }
      }
      expectWindow(place);
      if (round % 3 !== 2) continue;
      place.crash();
      await place.world.run(() => place.open());
    }
    expect(evicted.size).toBeGreaterThan(20);
    expect(place.shipper.stats.deleted).toBeGreaterThan(20);
    await place.world.run(() => place.shipAll());
    expect(place.oracle.states().at(-1)?.lacks).toBeUndefined();
    expect(place.oracle.states().at(-1)?.header.checkpointLsn).toBe(lsn(place.feed.checkpointLsn));
  });
});
