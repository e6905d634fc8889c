/** Chunks fetched back from a simulated bucket that misbehaves, and what may go from the disk. */
import { describe, expect, test } from "vitest";
import { type ChunkId, chunkId } from "../../base/units.ts";
import { bucketKey, SimulatedStore, simulatedService } from "../../sink/index.ts";
import { Bucket } from "../lineage/bucket.ts";
import { claimEpoch } from "../lineage/claim-epoch.ts";
import { ShippingWorld } from "../ship/shipping-world.fixture.ts";
import { ChunkFetcher } from "./chunk-fetcher.ts";

const keyOf = (place: ShippingWorld, chunk: ChunkId): string =>
  bucketKey({ kind: "chunk", id: chunk, epoch: place.remote.find(chunk)?.epoch ?? 0 });

/** A store that has shipped a chunk. */
async function shipped(seed: number): Promise<{ place: ShippingWorld; chunk: ChunkId }> {
  const place = new ShippingWorld(seed);
  const chunk = await place.world.run(async () => {
    await place.open();
    const made = await place.newChunk();
    await place.checkpoint(made);
    await place.shipAll();
    return made;
  });
  return { place, chunk };
}

async function fileOf(place: ShippingWorld, chunk: ChunkId): Promise<Uint8Array> {
  const file = await place.env.storage.open(place.chunkPath(chunk), "read");
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

describe("a chunk that was shipped", () => {
  test("is fetched as it is on the disk, in any part, as soon as the manifest is open", async () => {
    const { place, chunk } = await shipped(1);
    await place.world.run(async () => {
      const bytes = await fileOf(place, chunk);
      const fileBytes = bytes.length;
      expect(place.remote.find(chunk)).toEqual({ epoch: 1, fileBytes });
      for (let offset = 0; offset < fileBytes; offset += 100) {
        const range = { offset, bytes: Math.min(100, fileBytes - offset) };
        const found = await place.remote.fetch(chunk, range);
        expect(found).toEqual(bytes.subarray(offset, offset + range.bytes));
      }
      expect(await place.remote.fetch(chunk, { offset: 0, bytes: fileBytes })).toEqual(bytes);
    });
  });

  test("that is not seen at once is looked for again", async () => {
    const { place, chunk } = await shipped(2);
    await place.world.run(async () => {
      const bytes = await fileOf(place, chunk);
      const range = { offset: 0, bytes: bytes.length };
      place.service.faults.failNext({ fault: "missing", operation: "get", keyPattern: /^chunks/ });
      expect(await place.remote.fetch(chunk, range)).toEqual(bytes);
    });
  });

  test("that is missing, or of another length, is told with its key and never served", async () => {
    const { place, chunk } = await shipped(3);
    const key = keyOf(place, chunk);
    await place.world.run(async () => {
      const { store } = place;
      const fetch = () => place.remote.fetch(chunk, { offset: 0, bytes: 16 });
      await fetch();
      const putId = "0123456789abcdef0123456789abcdef";
      await store.put(key, new Uint8Array(40), { putId });
      const why = "it has 40 bytes, and should have 728";
      await expect(fetch()).rejects.toMatchObject({
        code: "BOP_SINK_CORRUPT",
        details: { key, why },
      });
      await store.delete(key);
      await expect(fetch()).rejects.toMatchObject({ code: "BOP_SINK_CORRUPT", details: { key } });
    });
  });

  test("that a successor has removed says who has the bucket now", async () => {
    const { place, chunk } = await shipped(4);
    await place.world.run(async () => {
      const { store } = place;
      place.remote.attach({ epoch: place.epoch, isSafe: () => false });
      const dice = { random: place.random.fork(), wallMs: 0 };
      const next = await claimEpoch(new Bucket(store, place.bucket.storeId), { ...dice, known: 0 });
      await store.delete(keyOf(place, chunk));
      await expect(place.remote.fetch(chunk, { offset: 0, bytes: 16 })).rejects.toThrow(
        `writer ${next} has the bucket now`,
      );
    });
  });

  test("is not looked for in another bucket, where something else may bear its name", async () => {
    const { place, chunk } = await shipped(5);
    await place.world.run(async () => {
      const other = simulatedService(6);
      const store = new SimulatedStore({ service: other, clock: place.env.clock });
      const dice = { random: place.random.fork(), wallMs: 1 };
      await new Bucket(store, place.bucket.storeId).identify(dice);
      const putId = "0123456789abcdef0123456789abcdef";
      await store.put(keyOf(place, chunk), new Uint8Array(736), { putId });
      await place.manifest.close();
      await place.open();
      const { opened } = place.manifest;
      const fetcher = new ChunkFetcher({ store, clock: place.env.clock, opened });
      const foreign = { code: "BOP_SINK_FOREIGN" };
      const range = { offset: 0, bytes: 16 };
      await expect(fetcher.fetch(chunk, range)).rejects.toMatchObject(foreign);
    });
  });

  test("ends a call in time though the bucket never answers, and when its caller gives up", async () => {
    const { place, chunk } = await shipped(7);
    place.service.faults.failNext({ fault: "timeout-before", keyPattern: /^chunks/, times: 2 });
    await place.world.run(async () => {
      const { remote, env } = place;
      const range = { offset: 0, bytes: 16 };
      const away = { code: "BOP_SINK_UNAVAILABLE" };
      await expect(remote.fetch(chunk, range)).rejects.toMatchObject(away);
      const giveUp = new AbortController();
      const fetched = remote.fetch(chunk, range, giveUp.signal);
      env.clock.after(5, () => giveUp.abort(new Error("enough")));
      await expect(fetched).rejects.toThrow("enough");
    });
  });

  test("is found until its object goes, though the manifest stopped to name it", async () => {
    const { place, chunk } = await shipped(8);
    await place.world.run(async () => {
      while (place.remote.isNamed(chunk)) await place.checkpoint();
      expect(place.remote.find(chunk)).toBeDefined();
      await place.remote.fetch(chunk, { offset: 0, bytes: 16 });
      await place.manifest.publish({ removeRemoteGarbage: [keyOf(place, chunk)] });
      expect(place.remote.find(chunk)).toBeUndefined();
      expect(place.remote.find(chunkId(999))).toBeUndefined();
    });
  });
});

describe("the file of a chunk", () => {
  test("may go once a state of this epoch that names it is in the bucket, and not before", async () => {
    const place = new ShippingWorld(20);
    await place.world.run(async () => {
      await place.open();
      const chunk = await place.newChunk();
      await place.checkpoint(chunk);
      expect(place.shipper.isSafe(chunk)).toBe(false);
      const fault = { fault: "error-before", keyPattern: /^manifest/ } as const;
      place.service.faults.failNext({ ...fault, operation: "putIfAbsent", skip: 1 });
      await expect(place.shipper.round()).rejects.toMatchObject({ code: "BOP_SINK_UNKNOWN" });
      expect(place.remote.isNamed(chunk)).toBe(true); // The chunk is there, its state is not.
      expect(place.shipper.isSafe(chunk)).toBe(false);
      await place.shipAll();
      expect(place.shipper.isSafe(chunk)).toBe(true);
      const later = await place.newChunk();
      await place.checkpoint(later);
      expect(place.shipper.isSafe(later)).toBe(false);
      await place.shipAll();
      expect(place.shipper.isSafe(later)).toBe(true);
      await place.begin(); // The next epoch has no state yet.
      expect(place.shipper.isSafe(later)).toBe(false);
      await place.shipAll();
      expect(place.shipper.isSafe(later)).toBe(true);
    });
  });

  test("of a commit that the log alone names stays", async () => {
    const place = new ShippingWorld(21);
    await place.world.run(async () => {
      await place.open();
      const chunk = await place.newChunk();
      place.spilled.push(chunk);
      place.commit();
      await place.shipLog();
      await place.shipAll();
      expect(place.remote.isNamed(chunk)).toBe(true);
      expect(place.shipper.isSafe(chunk)).toBe(false);
    });
  });
});
