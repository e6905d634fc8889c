/** Properties of a log store: hard state, stable keys, snapshot metadata. */
import { deepStrictEqual, strictEqual } from "node:assert";
import {
  assertEntries,
  assertRefused,
  entries,
  entry,
  ids,
  readAll,
  type Suite,
} from "./harness.ts";

export function keeping({ runner, test }: Suite): void {
  runner.describe("state beside the entries", () => {
    test("nothing stored is nothing, not zero", async (store) => {
      const log = await store.log("a");
      strictEqual(await log.readHardState(), undefined);
      strictEqual(await log.readStable("CurrentTerm"), undefined);
      strictEqual(await log.readSnapshotMeta(), undefined);
    });

    test("a vote and a commit index are read back as they were saved", async (store) => {
      const log = await store.log("a");
      await log.setHardState({ term: 2n ** 64n - 1n, vote: Uint8Array.of(1, 2, 3), commit: 9n });
      const state = await log.readHardState();
      deepStrictEqual([state?.term, state?.commit], [2n ** 64n - 1n, 9n]);
      deepStrictEqual([...(state?.vote ?? [])], [1, 2, 3]);
      await log.setHardState({ term: 3n });
      const next = await log.readHardState();
      deepStrictEqual([next?.term, next?.commit, next?.vote?.length], [3n, undefined, 0]);
    });

    test("a stable key is set, replaced and removed on its own", async (store) => {
      const log = await store.log("a");
      await log.commit({ stable: { one: Uint8Array.of(1), two: Uint8Array.of(2) } });
      await log.setStable("one", Uint8Array.of(9, 9));
      await log.setStable("two", undefined);
      deepStrictEqual([...((await log.readStable("one")) ?? [])], [9, 9]);
      strictEqual(await log.readStable("two"), undefined);
    });

    test("state is saved with entries as one change", async (store) => {
      const log = await store.log("a");
      await log.append(entries(1n, 1n, 2n), {
        hardState: { term: 1n, vote: Uint8Array.of(4) },
        stable: { applied: Uint8Array.of(2) },
      });
      assertEntries(await readAll(log), ids(1n, 1n, 2n));
      strictEqual((await log.readHardState())?.term, 1n);
      deepStrictEqual([...((await log.readStable("applied")) ?? [])], [2]);
    });

    test("of a change that is refused nothing is kept, state included", async (store) => {
      const log = await store.log("a");
      await log.append(entries(1n, 1n, 2n), { hardState: { term: 1n } });
      await assertRefused("BOP_LOG_GAP", () =>
        log.append([entry(7n, 9n)], { hardState: { term: 7n }, stable: { k: Uint8Array.of(1) } }),
      );
      strictEqual((await log.readHardState())?.term, 1n);
      strictEqual(await log.readStable("k"), undefined);
      strictEqual(log.lastIndex, 2n);
    });

    test("the last index is the log's own, however far a snapshot is", async (store) => {
      const log = await store.log("a");
      await log.append(entries(1n, 1n, 2n), { snapshotMeta: Uint8Array.of(99) });
      strictEqual(log.lastIndex, 2n);
      deepStrictEqual([...((await log.readSnapshotMeta()) ?? [])], [99]);
      await log.saveSnapshotMeta(new Uint8Array(0));
      strictEqual(await log.readSnapshotMeta(), undefined);
    });

    test("two logs of one store know nothing of each other", async (store) => {
      const [one, two] = [await store.log("one"), await store.log("two")];
      await one.append(entries(1n, 1n, 3n), { stable: { k: Uint8Array.of(1) } });
      await two.append(entries(7n, 10n, 11n));
      assertEntries(await readAll(one), ids(1n, 1n, 3n));
      assertEntries(await readAll(two), ids(7n, 10n, 11n));
      strictEqual(await two.readStable("k"), undefined);
    });
  });
}
