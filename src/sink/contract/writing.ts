/** Properties of an object store: what is put, created and deleted. */
import { deepStrictEqual, strictEqual } from "node:assert";
import { MIB } from "../../base/units.ts";
import type { ObjectStore } from "../object-store.ts";
import {
  assertBody,
  assertMisuse,
  assertRefused,
  largeBody,
  pattern,
  put,
  putId,
  type Suite,
  sha256,
  text,
} from "./harness.ts";

const RACERS = 16;
const LARGE_RACERS = 4;
export function putting({ runner, test }: Suite): void {
  runner.describe("putting", () => {
    test("what was put is got, by everybody, with its put id and its hash", async (place) => {
      const other = await place.another();
      for (const bytes of [0, 1, 4096, 70_001]) {
        const body = pattern(bytes);
        const key = `wal/of-${bytes}`;
        const options = put();
        await place.store.put(key, body, options);
        const info = { key, sizeBytes: bytes, putId: options.putId, sha256: sha256(body) };
        deepStrictEqual(await other.head(key), info);
        deepStrictEqual((await other.get(key))?.info, info);
        await assertBody(other, key, body);
      }
    });

    test("a put replaces what was there, longer or shorter", async ({ store }) => {
      for (const body of [pattern(5000), pattern(3), pattern(70_000)]) {
        await store.put("a", body, put());
        await assertBody(store, "a", body);
      }
    });

    test("a large body arrives whole, with its put id", async (place) => {
      const { store } = place;
      const body = largeBody(place);
      const options = { ...put(), sha256: sha256(body) };
      await store.put("chunks/00/large", body, options);
      const info = await store.head("chunks/00/large");
      deepStrictEqual([info?.putId, info?.sizeBytes], [options.putId, body.length]);
      await assertBody(store, "chunks/00/large", body);
      const range = { offset: (body.length >> 1) - 10, bytes: 20 };
      const across = await store.get("chunks/00/large", { range });
      deepStrictEqual(across?.bytes, body.slice(range.offset, range.offset + range.bytes));
    });

    test("a body that is not what it was said to be is refused, and none is stored", async ({
      store,
    }) => {
      const options = () => ({ ...put(), sha256: sha256(text("another")) });
      await assertRefused("BOP_SINK_CORRUPT", () => store.put("a", text("one"), options()));
      await assertRefused("BOP_SINK_CORRUPT", () => store.putIfAbsent("a", text("one"), options()));
      strictEqual(await store.head("a"), undefined);
    });

    test("what is no key, no put id or no hash is refused before anything happens", async ({
      store,
    }) => {
      const no = ["", "/a", "a/", "a//b", "../a", "a/../b", "A", "a b", "ä", ".a", "a.", "a\\b"];
      for (const key of [...no, "a".repeat(129), "a/".repeat(300).concat("a")]) {
        await assertMisuse(TypeError, () => store.put(key, text("x"), put()));
        await assertMisuse(TypeError, () => store.putIfAbsent(key, text("x"), put()));
        await assertMisuse(TypeError, () => store.get(key));
        await assertMisuse(TypeError, () => store.head(key));
        await assertMisuse(TypeError, () => store.delete(key));
      }
      for (const id of ["", "0".repeat(31), "G".repeat(32)]) {
        await assertMisuse(TypeError, () => store.put("a", text("x"), { putId: id }));
      }
      await assertMisuse(TypeError, () => store.put("a", text("x"), { ...put(), sha256: "00" }));
      deepStrictEqual((await store.list("")).objects, []);
    });
  });
}

export function creating({ runner, test }: Suite): void {
  runner.describe("creating", () => {
    test("the first one creates, the next is told what is there and changes nothing", async (place) => {
      const other = await place.another();
      const first = put();
      const created = await place.store.putIfAbsent("epoch/1", text("one"), first);
      deepStrictEqual(created, { type: "created" });
      const outcome = await other.putIfAbsent("epoch/1", text("another"), put());
      const info = {
        key: "epoch/1",
        sizeBytes: 3,
        putId: first.putId,
        sha256: sha256(text("one")),
      };
      deepStrictEqual(outcome, { type: "exists", info });
      await assertBody(other, "epoch/1", text("one"));
    });

    test("the same put once more gets the first one's answer, also by another process", async (place) => {
      const other = await place.another();
      const again = put();
      for (const store of [place.store, place.store, other]) {
        const outcome = await store.putIfAbsent("a", text("same"), again);
        deepStrictEqual(outcome, { type: "created" });
      }
    });

    test("of many at once exactly one creates, and its body is the one that is there", async (place) => {
      const stores = [place.store, await place.another()];
      for (let round = 0; round < 3; round++) {
        await race(stores, { key: `race/${round}`, racers: RACERS, bytes: 40 });
      }
      await race(stores, { key: "race/large", racers: LARGE_RACERS, bytes: MIB / 4 });
    });

    test("what was put without a condition is there as well", async ({ store }) => {
      await store.put("a", text("put"), put());
      const outcome = await store.putIfAbsent("a", text("created"), put());
      strictEqual(outcome.type, "exists");
      await assertBody(store, "a", text("put"));
    });
  });
}

async function race(
  stores: readonly ObjectStore[],
  { key, racers, bytes }: { key: string; racers: number; bytes: number },
): Promise<void> {
  const ids = Array.from({ length: racers }, () => putId());
  const bodies = ids.map((_, index) => pattern(bytes).fill(index, 0, 8));
  const outcomes = await Promise.all(
    ids.map(async (id, index) => {
      const store = stores[index % stores.length] as ObjectStore;
      const body = bodies[index] as Uint8Array;
      return persistently(() => store.putIfAbsent(key, body, { putId: id }));
    }),
  );
  const winners = outcomes.flatMap(({ type }, index) => (type === "created" ? [index] : []));
  strictEqual(winners.length, 1, `winners of ${key}`);
  const winner = winners[0] ?? -1;
  for (const outcome of outcomes) {
    if (outcome.type === "exists") strictEqual(outcome.info.putId, ids[winner]);
  }
  await assertBody(stores[0] as ObjectStore, key, bodies[winner] as Uint8Array);
}

/** As every caller of an object store does: an unclear outcome is asked for again. */
async function persistently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const retryable = (error as { retryable?: unknown }).retryable === true;
      if (!retryable || attempt === 10) throw error;
    }
  }
}

export function deleting({ runner, test }: Suite): void {
  runner.describe("deleting", () => {
    test("what was deleted is gone, for everybody, and can be created anew", async (place) => {
      const other = await place.another();
      await place.store.put("a/b", text("one"), put());
      await place.store.put("a/c", text("stays"), put());
      await other.delete("a/b");
      strictEqual(await place.store.get("a/b"), undefined);
      strictEqual(await place.store.head("a/b"), undefined);
      deepStrictEqual(
        (await place.store.list("")).objects.map(({ key }) => key),
        ["a/c"],
      );
      const outcome = await place.store.putIfAbsent("a/b", text("two"), put());
      deepStrictEqual(outcome, { type: "created" });
      await assertBody(other, "a/b", text("two"));
    });

    test("deleting what is not there changes nothing", async ({ store }) => {
      await store.delete("a");
      await store.delete("a/b/c");
      await store.put("a", text("one"), put());
      await store.delete("a");
      await store.delete("a");
      strictEqual(await store.get("a"), undefined);
    });
  });
}
