/** Properties of an object store: what signals, closing and damage end. */
import { deepStrictEqual, strictEqual } from "node:assert";
import type { ObjectStore } from "../object-store.ts";
import { assertRefused, largeBody, pattern, put, type Suite, text } from "./harness.ts";

export function ending({ runner, test }: Suite): void {
  runner.describe("ending", () => {
    test("a signal that is aborted already ends every call with its reason, and nothing is done", async ({
      store,
    }) => {
      const reason = new Error("given up");
      const signal = AbortSignal.abort(reason);
      await store.put("there", text("x"), put());
      for (const call of callsOf(store, signal)) {
        strictEqual(
          await call().then(
            () => "done",
            (error: unknown) => error,
          ),
          reason,
        );
      }
      deepStrictEqual(
        (await store.list("")).objects.map(({ key }) => key),
        ["there"],
      );
    });

    test("a signal that is aborted on the way leaves the object whole, or none", async (place) => {
      const { store } = place;
      const body = largeBody(place);
      const controller = new AbortController();
      const putting = store.put("a", body, { ...put(), signal: controller.signal });
      controller.abort(new Error("given up"));
      await putting.catch(() => undefined);
      const found = await store.get("a");
      strictEqual(found === undefined || Buffer.compare(found.bytes, body) === 0, true);
      await store.put("a", body, put());
      strictEqual((await store.head("a"))?.sizeBytes, body.length);
    });

    test("after closing every call is refused, and closing twice is closing once", async (place) => {
      const store = await place.another();
      await store.put("a", text("x"), put());
      await Promise.all([store.close(), store.close()]);
      await store.close();
      for (const call of callsOf(store, undefined)) await assertRefused("BOP_CLOSED", call);
      strictEqual((await place.store.head("a"))?.sizeBytes, 1);
    });

    test("a body that was damaged where it lies is reported and not served", async (place) => {
      if (place.damage === undefined) return;
      await place.store.put("a/b", pattern(5000), put());
      await place.damage("a/b");
      await assertRefused("BOP_SINK_CORRUPT", () => place.store.get("a/b"));
    });
  });
}

function callsOf(
  store: ObjectStore,
  signal: AbortSignal | undefined,
): readonly (() => Promise<unknown>)[] {
  return [
    () => store.put("a", text("x"), { ...put(), signal }),
    () => store.putIfAbsent("new", text("x"), { ...put(), signal }),
    () => store.get("there", { signal }),
    () => store.head("there", { signal }),
    () => store.list("", { signal }),
    () => store.delete("there", { signal }),
  ];
}
