/** Properties of a log store: what is there after a close, after a crash, after a failed write. */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import type { RecordLog } from "../api.ts";
import {
  assertEntries,
  assertRefused,
  entries,
  entry,
  ids,
  type LogStore,
  payloadOf,
  readAll,
  type Suite,
} from "./harness.ts";

type Again = (store: LogStore) => Promise<void>;

export function surviving(suite: Suite): void {
  const { runner } = suite;
  runner.describe("closed and opened again", () => {
    staying(suite, (store) => store.reopen());
  });
  runner.describe("moved out of memory, closed and opened again", () => {
    staying(suite, async (store) => {
      await store.settle?.();
      await store.reopen();
    });
  });
  runner.describe("cut off by a crash, where the store offers one", () => {
    staying(suite, async (store) => {
      if (store.crash === undefined) await store.reopen();
      else await store.crash();
    });
  });
}

/** Whatever was acknowledged is there. */
function staying({ test }: Suite, again: Again): void {
  entriesStay(test, again);
  stateStays(test, again);
}

function entriesStay(test: Suite["test"], again: Again): void {
  test("a log that is empty stays so, under its name", async (store) => {
    await store.log("a");
    await again(store);
    const log = await store.log("a");
    deepStrictEqual([log.firstIndex, log.lastIndex, log.boundary], Array(3).fill(undefined));
  });

  test("entries, terms, fields and durable index come back", async (store) => {
    const log = await store.log("a");
    await log.append([...entries(1n, 5n, 30n), { ...entry(2n, 31n), field: Uint8Array.of(3) }]);
    await again(store);
    const found = await store.log("a");
    deepStrictEqual([found.firstIndex, found.lastIndex, found.durableIndex], [5n, 31n, 31n]);
    assertEntries(await readAll(found), [...ids(1n, 5n, 30n), [2n, 31n]]);
    deepStrictEqual([...(await found.fieldAt(31n))], [3]);
    await found.append([entry(2n, 32n)]);
    strictEqual(found.lastIndex, 32n);
  });

  test("what was truncated stays away, and what took its place is there", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 20n));
    await store.settle?.();
    await log.truncateSuffix(9n);
    await log.append(entries(2n, 10n, 12n));
    await again(store);
    const found = await store.log("a");
    assertEntries(await readAll(found), [...ids(1n, 1n, 9n), ...ids(2n, 10n, 12n)]);
    await found.truncateSuffix("all");
    await again(store);
    strictEqual((await store.log("a")).lastIndex, undefined);
  });

  test("what was compacted stays away, and the boundary is known", async (store) => {
    const log = await store.log("a");
    await log.append(entries(3n, 1n, 20n));
    await store.settle?.();
    await log.compactPrefix(12n);
    await again(store);
    const found = await store.log("a");
    deepStrictEqual([found.boundary?.index, found.termAt(12n), found.firstIndex], [12n, 3n, 13n]);
    assertEntries(await readAll(found), ids(3n, 13n, 20n));
    await found.compactPrefix(30n, { term: 4n });
    await again(store);
    const after = await store.log("a");
    deepStrictEqual([after.firstIndex, after.lastIndex, after.termAt(30n)], [undefined, 30n, 4n]);
    await after.append([entry(4n, 31n)]);
  });
}

function stateStays(test: Suite["test"], again: Again): void {
  test("hard state, stable keys and snapshot come back", async (store) => {
    const log = await store.log("a");
    await log.setHardState({ term: 5n, vote: Uint8Array.of(1), commit: 3n });
    await log.commit({ stable: { one: Uint8Array.of(1), two: Uint8Array.of(2) } });
    await log.setStable("two", undefined);
    await log.saveSnapshotMeta(Uint8Array.of(8));
    await again(store);
    const found = await store.log("a");
    const state = await found.readHardState();
    deepStrictEqual([state?.term, state?.commit, [...(state?.vote ?? [])]], [5n, 3n, [1]]);
    deepStrictEqual([...((await found.readStable("one")) ?? [])], [1]);
    strictEqual(await found.readStable("two"), undefined);
    deepStrictEqual([...((await found.readSnapshotMeta()) ?? [])], [8]);
  });

  test("a payload larger than any buffer on the way comes back", async (store) => {
    const log = await store.log("a");
    await log.append([entry(1n, 1n), entry(1n, 2n, 2_500_000), entry(1n, 3n)]);
    await again(store);
    const [, large] = await (await store.log("a")).read({ from: 1n, maxBytes: 4_000_000 });
    ok(Buffer.from(payloadOf(2n, 2_500_000)).equals(large?.payload ?? new Uint8Array(0)));
  });

  test("a cleared log begins anew", async (store) => {
    const log = await store.log("a");
    await log.append(entries(9n, 1n, 8n));
    await log.compactPrefix(3n);
    await store.settle?.();
    await log.clear();
    await log.append(entries(1n, 2n, 4n));
    await again(store);
    const found = await store.log("a");
    strictEqual(found.boundary, undefined);
    assertEntries(await readAll(found), ids(1n, 2n, 4n));
  });
}

/** What all of the changes say is there, or nothing of it: here, all, for they were acknowledged. */
export function grouping({ runner, test }: Suite): void {
  runner.describe("one change over several logs", () => {
    test("changes all of them, and stays so", async (store) => {
      if (store.commitLogs === undefined) return;
      const [one, two] = [await store.log("one"), await store.log("two")];
      await one.append(entries(1n, 1n, 3n));
      await store.commitLogs([
        { log: one, truncateAfter: 1n, entries: entries(2n, 2n, 2n), hardState: { term: 2n } },
        { log: two, entries: [entry(2n, 9n, 1_500_000)], stable: { k: Uint8Array.of(1) } },
      ]);
      const check = async (a: RecordLog, b: RecordLog) => {
        assertEntries(await readAll(a), [...ids(1n, 1n, 1n), [2n, 2n]]);
        assertEntries(await readAll(b), [[2n, 9n]]);
        strictEqual((await a.readHardState())?.term, 2n);
      };
      await check(one, two);
      await (store.crash?.() ?? store.reopen());
      await check(await store.log("one"), await store.log("two"));
    });

    test("is refused as a whole if one of them cannot take it", async (store) => {
      const { commitLogs } = store;
      if (commitLogs === undefined) return;
      const [one, two] = [await store.log("one"), await store.log("two")];
      await two.append(entries(1n, 1n, 3n));
      await assertRefused("BOP_LOG_GAP", () =>
        commitLogs([
          { log: one, entries: entries(1n, 1n, 1n) },
          { log: two, entries: entries(1n, 9n, 9n) },
        ]),
      );
      deepStrictEqual([one.lastIndex, two.lastIndex], [undefined, 3n]);
      await store.reopen();
      strictEqual((await store.log("one")).lastIndex, undefined);
    });
  });
}

export function failing({ runner, test }: Suite): void {
  runner.describe("a device that refuses, where the store offers one", () => {
    test("acknowledges nothing more, and shows nothing that may be lost", async (store) => {
      if (store.failWrites === undefined) return;
      const log = await store.log("a");
      await log.append(entries(1n, 1n, 3n));
      store.failWrites();
      let refused = 0;
      for (let n = 0; n < 20 && refused < 3; n++) {
        await log.append([entry(1n, (log.lastIndex ?? 0n) + 1n)]).catch(() => {
          refused += 1;
        });
      }
      strictEqual(refused, 3, "it was refused, and goes on being refused");
      deepStrictEqual([log.lastIndex, log.durableIndex], [3n, 3n]);
      assertEntries(await log.read({ from: 1n }), ids(1n, 1n, 3n));
      await assertRefused("BOP_LOG_UNAVAILABLE", () => log.read({ from: 4n, unstable: true }));
    });
  });
}
