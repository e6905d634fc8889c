/** Properties of an object store: what is got, and which keys there are. */
import { deepStrictEqual, strictEqual } from "node:assert";
import { type ListedObject, listAll, type ObjectStore } from "../object-store.ts";
import { assertMisuse, keysOf, pattern, put, type Suite, text } from "./harness.ts";

const BODY_BYTES = 100_000;

export function reading({ runner, test }: Suite): void {
  runner.describe("reading", () => {
    readingParts(test);
    test("what is not there is undefined, whatever lies beside it", async ({ store }) => {
      await store.put("a/b", text("x"), put());
      for (const key of ["b", "a/c", "a/b/c", "a/bb"]) {
        strictEqual(await store.get(key), undefined);
        strictEqual(await store.head(key), undefined);
        strictEqual(await store.get(key, { range: { offset: 0, bytes: 1 } }), undefined);
      }
    });

    test("somebody who reads while it is replaced gets one of the two, whole", async (place) => {
      const other = await place.another();
      const bodies = [pattern(200_000), pattern(150_000).fill(7)];
      await place.store.put("a", bodies[0] as Uint8Array, put());
      const writing = (async () => {
        for (let round = 1; round < 6; round++) {
          await place.store.put("a", bodies[round % 2] as Uint8Array, put());
        }
      })();
      for (let read = 0; read < 6; read++) {
        const found = await other.get("a");
        const same = bodies.some((body) => Buffer.compare(body, found?.bytes ?? text("")) === 0);
        strictEqual(same, true);
      }
      await writing;
    });
  });
}

function readingParts(test: Suite["test"]): void {
  test("a range is that part of the body, cut to it, with the size of all of it", async ({
    store,
  }) => {
    const body = pattern(BODY_BYTES);
    await store.put("a", body, put());
    const parts = [
      [{ offset: 0, bytes: 1 }, 0, 1],
      [{ offset: 100, bytes: 100 }, 100, 200],
      [{ offset: BODY_BYTES - 10, bytes: 10 }, BODY_BYTES - 10, BODY_BYTES],
      [{ offset: BODY_BYTES - 10, bytes: 5000 }, BODY_BYTES - 10, BODY_BYTES],
      [{ offset: BODY_BYTES, bytes: 1 }, BODY_BYTES, BODY_BYTES],
      [{ offset: BODY_BYTES + 5, bytes: 7 }, BODY_BYTES, BODY_BYTES],
      [{ lastBytes: 10 }, BODY_BYTES - 10, BODY_BYTES],
      [{ lastBytes: BODY_BYTES * 2 }, 0, BODY_BYTES],
    ] as const;
    for (const [range, from, to] of parts) {
      const found = await store.get("a", { range });
      deepStrictEqual(found?.bytes, body.slice(from, to), JSON.stringify(range));
      strictEqual(found?.info.sizeBytes, BODY_BYTES);
    }
  });

  test("every range of an empty object is empty", async ({ store }) => {
    await store.put("a", new Uint8Array(0), put());
    for (const range of [{ offset: 0, bytes: 1 }, { lastBytes: 5 }]) {
      deepStrictEqual((await store.get("a", { range }))?.bytes, new Uint8Array(0));
    }
  });

  test("what is no range is refused", async ({ store }) => {
    await store.put("a", text("x"), put());
    for (const range of [
      { offset: -1, bytes: 1 },
      { offset: 0, bytes: 0 },
      { offset: 0.5, bytes: 1 },
      { lastBytes: 0 },
      { lastBytes: Number.NaN },
    ]) {
      await assertMisuse(RangeError, () => store.get("a", { range }));
    }
  });
}

const KEYS = [
  "a-b",
  "a/1",
  "a/10",
  "a/2",
  "a/b-c/1",
  "a/b/1",
  "a/b/2/3",
  "a0",
  "b",
  "manifest/00000000000000000001/00000000000000000002",
];

export function listing({ runner, test }: Suite): void {
  runner.describe("listing", () => {
    test("keys come in the order of their bytes, with their sizes", async ({ store }) => {
      const backwards = [...KEYS].reverse();
      await Promise.all(backwards.map((key, index) => store.put(key, pattern(index), put())));
      const { objects, next } = await store.list("");
      deepStrictEqual(keysOf(objects), KEYS);
      strictEqual(next, undefined);
      deepStrictEqual(
        objects.map(({ sizeBytes }) => sizeBytes),
        KEYS.map((_, index) => KEYS.length - 1 - index),
      );
    });

    test("a prefix may end anywhere, and nothing is listed that does not begin with it", async ({
      store,
    }) => {
      await Promise.all(KEYS.map((key) => store.put(key, text("x"), put())));
      const prefixes = ["", "a", "a/", "a/b", "a/b/", "a/b-", "a/1", "b", "b/", "c", "manifest/0"];
      for (const prefix of prefixes) {
        const wanted = KEYS.filter((key) => key.startsWith(prefix));
        deepStrictEqual(keysOf((await store.list(prefix)).objects), wanted, prefix);
      }
    });

    test("pages follow each other without gap and without repetition", async ({ store }) => {
      await Promise.all(KEYS.map((key) => store.put(key, text("x"), put())));
      for (const limit of [1, 3, KEYS.length - 1, KEYS.length, 1000]) {
        deepStrictEqual(keysOf(await all(store, "", limit)), KEYS);
        const within = KEYS.filter((key) => key.startsWith("a/"));
        deepStrictEqual(keysOf(await all(store, "a/", limit)), within);
      }
      for (const after of ["", "a", "a/", "a/1", "a/b/2/3", "a/b-", "b", "zz"]) {
        const behind = KEYS.filter((key) => key > after);
        deepStrictEqual(keysOf((await store.list("", { after })).objects), behind, after);
      }
    });

    test("an empty store lists nothing, and a limit out of range is refused", async ({ store }) => {
      deepStrictEqual(await store.list("a/"), { objects: [], next: undefined });
      for (const limit of [0, 1001, 1.5]) {
        await assertMisuse(RangeError, () => store.list("", { limit }));
      }
      await assertMisuse(TypeError, () => store.list("../" + "A"));
    });
  });
}

async function all(store: ObjectStore, prefix: string, limit: number): Promise<ListedObject[]> {
  const found: ListedObject[] = [];
  for await (const object of listAll(store, prefix, { limit })) found.push(object);
  return found;
}
