/** Properties of a log store: what is truncated, compacted, cleared. */
import { deepStrictEqual, strictEqual } from "node:assert";
import {
  assertEntries,
  assertRefused,
  entries,
  entry,
  ids,
  payloadOf,
  readAll,
  type Suite,
} from "./harness.ts";

export function truncating({ runner, test }: Suite): void {
  runner.describe("truncating the suffix", () => {
    truncatingSome(test);
    truncatingAll(test);
  });
}

function truncatingSome(test: Suite["test"]): void {
  test("entries behind the index vanish, the one at it stays", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 10n));
    await log.truncateSuffix(7n);
    deepStrictEqual([log.lastIndex, log.durableIndex], [7n, 7n]);
    assertEntries(await readAll(log), ids(1n, 1n, 7n));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.read({ from: 8n }));
  });

  test("at or behind the last entry nothing happens", async (store) => {
    const log = await store.log("a");
    await log.truncateSuffix(5n);
    await log.append(entries(1n, 1n, 3n));
    await log.truncateSuffix(3n);
    await log.truncateSuffix(99n);
    assertEntries(await readAll(log), ids(1n, 1n, 3n));
  });

  test("other entries of a higher term take their place", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 6n));
    await log.truncateSuffix(3n);
    await log.append(entries(2n, 4n, 5n));
    assertEntries(await readAll(log), [...ids(1n, 1n, 3n), ...ids(2n, 4n, 5n)]);
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.termAt(6n));
    await log.append([{ ...entry(2n, 6n), payload: payloadOf(6n, 3) }]);
    strictEqual((await log.read({ from: 6n }))[0]?.payload.length, 3);
  });

  test("conflict and replacement are one change, if they are made as one", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 6n));
    const hardState = { term: 2n, vote: Uint8Array.of(1) };
    await log.commit({ truncateAfter: 3n, entries: entries(2n, 4n, 4n), hardState });
    assertEntries(await readAll(log), [...ids(1n, 1n, 3n), ...ids(2n, 4n, 4n)]);
    strictEqual((await log.readHardState())?.term, 2n);
  });
}

function truncatingAll(test: Suite["test"]): void {
  test("everything may go, and the log may begin anew at another index", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 4n));
    await log.truncateSuffix("all");
    deepStrictEqual([log.firstIndex, log.lastIndex, log.durableIndex], Array(3).fill(undefined));
    await log.append(entries(1n, 20n, 21n));
    assertEntries(await readAll(log), ids(1n, 20n, 21n));
    await log.truncateSuffix("all");
    await log.append(entries(1n, 2n, 3n));
    assertEntries(await readAll(log), ids(1n, 2n, 3n));
  });

  test("the boundary stays, and nothing below it can be kept", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 6n));
    await log.compactPrefix(4n);
    await assertRefused("BOP_LOG_COMPACTED", () => log.truncateSuffix(3n));
    await log.truncateSuffix(4n);
    deepStrictEqual([log.firstIndex, log.lastIndex], [undefined, 4n]);
    strictEqual(log.termAt(4n), 1n);
    await assertRefused("BOP_LOG_GAP", () => log.append([entry(1n, 6n)]));
    await log.append([entry(1n, 5n)]);
    assertEntries(await readAll(log), ids(1n, 5n, 5n));
  });

  test("what was truncated before it was durable never becomes durable", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 2n));
    const lost = log.append(entries(1n, 3n, 9n));
    const cut = log.truncateSuffix(4n);
    await Promise.all([lost, cut]);
    deepStrictEqual([log.lastIndex, log.durableIndex], [4n, 4n]);
    assertEntries(await readAll(log), ids(1n, 1n, 4n));
  });
}

export function compacting({ runner, test }: Suite): void {
  runner.describe("compacting the prefix", () => {
    compactingSome(test);
    compactingBeyond(test);
    compactingWithOthers(test);
  });
}

function compactingSome(test: Suite["test"]): void {
  test("entries up to the index vanish; its term and field are kept", async (store) => {
    const log = await store.log("a");
    const field = Uint8Array.of(5, 6);
    await log.append([entry(1n, 1n), { ...entry(2n, 2n), field }, entry(3n, 3n)]);
    await log.compactPrefix(2n);
    const { boundary } = log;
    deepStrictEqual([boundary?.index, boundary?.term], [2n, 2n]);
    deepStrictEqual([...(boundary?.field ?? [])], [5, 6]);
    deepStrictEqual([...(await log.fieldAt(2n))], [5, 6]);
    deepStrictEqual([log.firstIndex, log.lastIndex], [3n, 3n]);
    assertEntries(await readAll(log), [[3n, 3n]]);
  });

  test("at or below the boundary nothing happens: an older snapshot changes nothing", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 6n));
    await log.compactPrefix(4n);
    await log.compactPrefix(4n);
    await log.compactPrefix(2n);
    strictEqual(log.boundary?.index, 4n);
    assertEntries(await readAll(log), ids(1n, 5n, 6n));
  });

  test("everything compacted leaves the last index where it was", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 6n));
    await log.compactPrefix(6n);
    deepStrictEqual([log.firstIndex, log.lastIndex], [undefined, 6n]);
    await assertRefused("BOP_LOG_COMPACTED", () => log.read({ from: 6n }));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.read({ from: 7n }));
    await log.append(entries(1n, 7n, 8n));
    assertEntries(await readAll(log), ids(1n, 7n, 8n));
  });
}

function compactingBeyond(test: Suite["test"]): void {
  test("behind the last entry the log begins anew there, as after a snapshot", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 3n));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.compactPrefix(10n));
    await log.compactPrefix(10n, { term: 4n, field: Uint8Array.of(8) });
    deepStrictEqual([log.firstIndex, log.lastIndex, log.termAt(10n)], [undefined, 10n, 4n]);
    await assertRefused("BOP_LOG_GAP", () => log.append([entry(4n, 12n)]));
    await assertRefused("BOP_LOG_TERM", () => log.append([entry(3n, 11n)]));
    await log.append(entries(4n, 11n, 12n));
    assertEntries(await readAll(log), ids(4n, 11n, 12n));
  });

  test("a snapshot that contradicts the log is refused", async (store) => {
    const log = await store.log("a");
    await log.append([...entries(2n, 1n, 2n), ...entries(5n, 3n, 4n)]);
    await assertRefused("BOP_LOG_TERM", () => log.compactPrefix(9n, { term: 4n }));
    await assertRefused("BOP_LOG_TERM", () => log.compactPrefix(2n, { term: 3n }));
    assertEntries(await readAll(log), [...ids(2n, 1n, 2n), ...ids(5n, 3n, 4n)]);
  });

  test("after the first entry went, a higher term goes on behind the last", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 0n, 10n));
    await log.compactPrefix(0n);
    await log.append([entry(2n, 11n)]);
    assertEntries(await readAll(log), [...ids(1n, 1n, 10n), [2n, 11n]]);
  });

  test("terms are right at every index after each step, whatever their runs are", async (store) => {
    const log = await store.log("a");
    const runs: [bigint, bigint][] = [];
    let index = 1n;
    for (let length = 1n; length <= 6n; length++) {
      for (let n = 0n; n < length; n++) runs.push([length * 2n, index++]);
    }
    await log.append(runs.map(([term, at]) => entry(term, at)));
    for (let upTo = 1n; upTo < index; upTo++) {
      await log.compactPrefix(upTo);
      for (const [term, at] of runs) if (at >= upTo) strictEqual(log.termAt(at), term);
      await assertRefused("BOP_LOG_COMPACTED", () => log.termAt(upTo - 1n));
    }
    await log.append([entry(20n, index)]);
    deepStrictEqual([log.termAt(index - 1n), log.termAt(index)], [12n, 20n]);
  });

  test("clearing forgets the boundary too, and keeps what is no entry", async (store) => {
    const log = await store.log("a");
    await log.append(entries(5n, 1n, 4n), { hardState: { term: 5n } });
    await log.compactPrefix(2n);
    await log.clear();
    deepStrictEqual([log.lastIndex, log.boundary], [undefined, undefined]);
    await log.append(entries(1n, 1n, 1n));
    assertEntries(await readAll(log), ids(1n, 1n, 1n));
    strictEqual((await log.readHardState())?.term, 5n);
  });
}

function compactingWithOthers(test: Suite["test"]): void {
  test("what is appended in the same change follows what the change leaves", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 6n));
    const [compact, truncateAfter] = [{ upToIndex: 2n }, 4n];
    const gap = { compact, truncateAfter, entries: entries(2n, 7n, 7n) };
    await assertRefused("BOP_LOG_GAP", () => log.commit(gap));
    await assertRefused("BOP_LOG_CONFLICT", () => {
      return log.commit({ compact, truncateAfter, entries: entries(2n, 3n, 5n) });
    });
    assertEntries(await readAll(log), ids(1n, 1n, 6n));
    await log.commit({ compact, truncateAfter, entries: entries(2n, 5n, 5n) });
    assertEntries(await readAll(log), [...ids(1n, 3n, 4n), ...ids(2n, 5n, 5n)]);
  });
}
