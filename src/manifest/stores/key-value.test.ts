/** What every key-value store must do, held against each of them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { seeded, simulatedWorld } from "../../io/index.ts";
import type { KeyValueStore, OpenKeyValueStore } from "./key-value.ts";
import { openLmdbStore } from "./lmdb-store.ts";
import { memoryStores } from "./memory-store.ts";

interface Place {
  readonly open: OpenKeyValueStore;
  readonly directory: string;
  readonly run: <T>(program: () => Promise<T>) => Promise<T>;
}

const scratch: string[] = [];
afterAll(async () => {
  for (const directory of scratch) await rm(directory, { recursive: true, force: true });
});

async function lmdbPlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), "bop-manifest-"));
  scratch.push(directory);
  // A dot in the name must not make it a file.
  return { open: openLmdbStore, directory: join(directory, "mani.fest"), run: (fn) => fn() };
}

async function memoryPlace(): Promise<Place> {
  const world = simulatedWorld({ seed: 7 });
  const open = memoryStores(seeded(8)).openerFor(world.start());
  return { open, directory: "/store/manifest", run: (fn) => world.run(fn) };
}

const bytes = (...values: number[]) => Uint8Array.from(values);
const pairsOf = (store: KeyValueStore, from: Uint8Array, to: Uint8Array) =>
  [...store.range(from, to)].map(({ key, value }) => [[...key], [...value]]);

describe.each([
  ["lmdb", lmdbPlace],
  ["memory", memoryPlace],
])("the %s store", (_name, makePlace) => {
  const inPlace = async (program: (place: Place) => Promise<void>) => {
    const place = await makePlace();
    await place.run(() => program(place));
  };

  test("a value comes back as it was put, and an absent key is undefined", () =>
    inPlace(async ({ open, directory }) => {
      const store = await open(directory);
      const large = seeded(1).bytes(100_000);
      await store.commit([
        { key: bytes(1), value: bytes() },
        { key: bytes(1, 0), value: large },
      ]);
      expect([...(store.get(bytes(1)) ?? bytes(9))]).toEqual([]);
      expect(Buffer.compare(store.get(bytes(1, 0)) ?? bytes(), large)).toBe(0);
      expect(store.get(bytes(2))).toBeUndefined();
      await store.close();
    }));

  test("keys are in order of their bytes, and a range ends before its end", () =>
    inPlace(async ({ open, directory }) => {
      const store = await open(directory);
      const keys = [bytes(1, 255), bytes(1), bytes(2), bytes(1, 0), bytes(1, 0, 0), bytes(128)];
      await store.commit(keys.map((key, at) => ({ key, value: bytes(at) })));
      expect(pairsOf(store, bytes(1), bytes(2)).map(([key]) => key)).toEqual([
        [1],
        [1, 0],
        [1, 0, 0],
        [1, 255],
      ]);
      expect(pairsOf(store, bytes(2), bytes(255)).map(([key]) => key)).toEqual([[2], [128]]);
      await store.close();
    }));

  test("what a range gave out stays as it was when the store changes afterwards", () =>
    inPlace(async ({ open, directory }) => {
      const store = await open(directory);
      await store.commit([1, 2, 3].map((n) => ({ key: bytes(n), value: bytes(n, n) })));
      const before = [...store.range(bytes(1), bytes(9))];
      const one = store.get(bytes(1));
      await store.commit([1, 2, 3].map((n) => ({ key: bytes(n), value: bytes(9, 9) })));
      expect(before.map(({ value }) => [...value])).toEqual([
        [1, 1],
        [2, 2],
        [3, 3],
      ]);
      expect([...(one ?? [])]).toEqual([1, 1]);
      await store.close();
    }));

  test("a committed batch is there after reopening, and a removed key is not", () =>
    inPlace(async ({ open, directory }) => {
      const first = await open(directory);
      await first.commit([
        { key: bytes(1), value: bytes(1) },
        { key: bytes(2), value: bytes(2) },
      ]);
      await first.commit([{ key: bytes(1) }, { key: bytes(3) }]);
      await first.close();
      const second = await open(directory);
      expect(pairsOf(second, bytes(0), bytes(255))).toEqual([[[2], [2]]]);
      await second.close();
    }));

  test("commits called at once are applied in order of the calls", () =>
    inPlace(async ({ open, directory }) => {
      const store = await open(directory);
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => store.commit([{ key: bytes(1), value: bytes(n) }])),
      );
      expect([...(store.get(bytes(1)) ?? [])]).toEqual([19]);
      await store.close();
    }));

  test("a conditional commit whose condition is false changes nothing", () =>
    inPlace(async ({ open, directory }) => {
      const store = await open(directory);
      const put = (n: number) => [{ key: bytes(1), value: bytes(n) }];
      expect(await store.commitIf({ key: bytes(1) }, put(1))).toBe(true);
      expect(await store.commitIf({ key: bytes(1) }, put(2))).toBe(false);
      expect(await store.commitIf({ key: bytes(1), value: bytes(7) }, put(3))).toBe(false);
      expect([...(store.get(bytes(1)) ?? [])]).toEqual([1]);
      expect(await store.commitIf({ key: bytes(1), value: bytes(1) }, put(4))).toBe(true);
      expect([...(store.get(bytes(1)) ?? [])]).toEqual([4]);
      await store.close();
    }));

  test("of many who claim one key at once exactly one succeeds", () =>
    inPlace(async ({ open, directory }) => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => open(directory)));
      const claims = await Promise.all(
        stores.map((store, n) =>
          store.commitIf({ key: bytes(1) }, [{ key: bytes(1), value: bytes(n) }]),
        ),
      );
      expect(claims.filter((won) => won)).toHaveLength(1);
      const winner = claims.indexOf(true);
      expect(stores.map((store) => [...(store.get(bytes(1)) ?? [])])).toEqual(
        stores.map(() => [winner]),
      );
      for (const store of stores) await store.close();
    }));

  test("closing one handle leaves another on the same directory open", () =>
    inPlace(async ({ open, directory }) => {
      const [a, b] = [await open(directory), await open(directory)];
      await a.commit([{ key: bytes(1), value: bytes(1) }]);
      await a.close();
      await b.commit([{ key: bytes(2), value: bytes(2) }]);
      expect(pairsOf(b, bytes(0), bytes(9))).toHaveLength(2);
      await b.close();
    }));

  test("closing waits for commits under way, and closing twice is closing once", () =>
    inPlace(async ({ open, directory }) => {
      const store = await open(directory);
      const commit = store.commit([{ key: bytes(1), value: bytes(5) }]);
      await Promise.all([store.close(), store.close(), commit]);
      expect(() => store.get(bytes(1))).toThrow("closed");
      const refused = await store.commit([]).catch((error: unknown) => error);
      expect(isStorageError(refused, "BOP_CLOSED")).toBe(true);
      const again = await open(directory);
      expect([...(again.get(bytes(1)) ?? [])]).toEqual([5]);
      await again.close();
    }));

  test("a store has one owner until it is closed, and the claim comes with the registration", () =>
    inPlace(async ({ open, directory }) => {
      const key = bytes(1);
      const [a, b] = [await open(directory), await open(directory)];
      expect(await a.own(key, () => bytes(1))).toEqual({ owned: true, found: undefined });
      const refused = await b.own(key, () => bytes(2));
      expect(refused).toEqual({ owned: false, found: bytes(1) });
      await b.close();
      await a.close();
      const c = await open(directory);
      const withdrawn = await c.own(key, () => undefined);
      expect(withdrawn).toEqual({ owned: false, found: bytes(1) });
      const taken = await c.own(key, (found) => Uint8Array.of(...(found ?? []), 3));
      expect(taken).toEqual({ owned: true, found: bytes(1) });
      expect([...(c.get(key) ?? [])]).toEqual([1, 3]);
      await c.commit([{ key, value: bytes(4) }]);
      await c.close();
    }));

  test("reads during a commit that takes pauses see what was before it, and all of it behind", () =>
    inPlace(async ({ open, directory }) => {
      const store = await open(directory);
      const key = (n: number) => bytes(1, n >> 8, n & 255);
      const batch = (value: number) =>
        Array.from({ length: 1000 }, (_, n) => ({ key: key(n), value: bytes(value) }));
      await store.commit(batch(1));
      const seen = new Set<number>();
      const look = () => {
        for (const [, value] of pairsOf(store, bytes(1), bytes(2))) seen.add(value?.[0] ?? 0);
        seen.add(store.get(key(0))?.[0] ?? 0);
      };
      let steps = 0;
      await store.commit(batch(2), () => {
        steps += 1;
        if (steps % 400 === 0) look();
        return steps % 100 === 0 ? Promise.resolve() : undefined;
      });
      expect([...seen].filter((value) => value !== 1)).toEqual([]);
      seen.clear();
      look();
      expect([...seen]).toEqual([2]);
      await store.close();
    }));

  test("of many who want to own a store at once exactly one does", () =>
    inPlace(async ({ open, directory }) => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => open(directory)));
      const claims = await Promise.all(
        stores.map((store, n) => store.own(bytes(1), () => bytes(n))),
      );
      const winners = claims.flatMap(({ owned }, n) => (owned ? [n] : []));
      expect(winners).toHaveLength(1);
      for (const store of stores) await store.close();
      const later = await open(directory);
      const { found } = await later.own(bytes(1), () => undefined);
      expect([...(found ?? [])]).toEqual(winners);
      await later.close();
    }));
});
