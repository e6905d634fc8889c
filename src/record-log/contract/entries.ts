/** Properties of a log store: what is appended, and how it is read. */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
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

export function appending({ runner, test }: Suite): void {
  runner.describe("appending", () => {
    appendingAnything(test);
    appendingInOrder(test);
    appendingBytes(test);
  });
}

function appendingAnything(test: Suite["test"]): void {
  test("a new log has no entry, no boundary and nothing to read", async (store) => {
    const log = await store.log("a");
    const { firstIndex, lastIndex, durableIndex, boundary } = log;
    deepStrictEqual([firstIndex, lastIndex, durableIndex, boundary], Array(4).fill(undefined));
    deepStrictEqual(await log.read({ from: 0n, clip: true }), []);
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.read({ from: 0n }));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.termAt(1n));
  });

  test("an append that is done is durable, and its last entry is the last", async (store) => {
    const log = await store.log("a");
    const { lastIndex } = await log.append(entries(1n, 1n, 5n));
    deepStrictEqual([lastIndex, log.lastIndex, log.durableIndex], [5n, 5n, 5n]);
    assertEntries(await readAll(log), ids(1n, 1n, 5n));
  });

  test("an append of nothing changes nothing", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 3n, 4n));
    await log.append([]);
    deepStrictEqual([log.firstIndex, log.lastIndex], [3n, 4n]);
  });

  test("the first entry may have any index, also 0 and the highest", async (store) => {
    for (const first of [0n, 11n, 2n ** 64n - 1n]) {
      const log = await store.log(`from ${first}`);
      await log.append([entry(2n ** 64n - 1n, first)]);
      deepStrictEqual([log.firstIndex, log.lastIndex], [first, first]);
      assertEntries(await log.read({ from: first }), [[2n ** 64n - 1n, first]]);
    }
  });
}

function appendingInOrder(test: Suite["test"]): void {
  test("a gap, or entries out of order, is refused and changes nothing", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 3n));
    await assertRefused("BOP_LOG_GAP", () => log.append([entry(1n, 5n)]));
    await assertRefused("BOP_LOG_GAP", () => log.append([entry(1n, 4n), entry(1n, 6n)]));
    await assertRefused("BOP_LOG_GAP", () => log.append([entry(1n, 4n), entry(1n, 4n)]));
    assertEntries(await readAll(log), ids(1n, 1n, 3n));
    await log.append([entry(1n, 4n)]);
    assertEntries(await readAll(log), ids(1n, 1n, 4n));
  });

  test("an entry that is there is not written over unless that is asked for", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 5n));
    await assertRefused("BOP_LOG_CONFLICT", () => log.append([entry(2n, 3n)]));
    assertEntries(await readAll(log), ids(1n, 1n, 5n));
    await log.append(entries(2n, 3n, 4n), { onConflict: "replace" });
    assertEntries(await readAll(log), [...ids(1n, 1n, 2n), ...ids(2n, 3n, 4n)]);
    strictEqual(log.durableIndex, 4n);
  });

  test("entries at or below the boundary are passed over by a replacement", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 5n));
    await log.compactPrefix(3n);
    await log.append(entries(1n, 2n, 6n), { onConflict: "replace" });
    assertEntries(await readAll(log), ids(1n, 4n, 6n));
    await log.append(entries(1n, 1n, 2n), { onConflict: "replace" });
    assertEntries(await readAll(log), ids(1n, 4n, 6n));
  });

  test("a term that falls is refused, among the entries and behind those there", async (store) => {
    const log = await store.log("a");
    await log.append([entry(3n, 1n)]);
    await assertRefused("BOP_LOG_TERM", () => log.append([entry(2n, 2n)]));
    await assertRefused("BOP_LOG_TERM", () => log.append([entry(5n, 2n), entry(4n, 3n)]));
    await log.append([entry(3n, 2n), entry(9n, 3n)]);
    deepStrictEqual([log.termAt(1n), log.termAt(2n), log.termAt(3n)], [3n, 3n, 9n]);
  });
}

function appendingBytes(test: Suite["test"]): void {
  test("each entry keeps its own opaque field, or none", async (store) => {
    const log = await store.log("a");
    const field = new Uint8Array(256).fill(7);
    await log.append([{ ...entry(1n, 1n), field }, entry(1n, 2n)]);
    deepStrictEqual([...(await log.fieldAt(1n))], [...field]);
    deepStrictEqual((await log.fieldAt(2n)).length, 0);
    const [first] = await log.read({ from: 1n });
    deepStrictEqual([...(first?.field ?? [])], [...field]);
  });

  test("payloads may be empty, or larger than any buffer on the way", async (store) => {
    const log = await store.log("a");
    await log.append([entry(1n, 1n, 0), entry(1n, 2n, 3 * 1024 * 1024), entry(1n, 3n, 1)]);
    const found = await log.read({ from: 1n, maxBytes: 8 * 1024 * 1024 });
    deepStrictEqual(
      found.map(({ payload }) => payload.length),
      [0, 3 * 1024 * 1024, 1],
    );
    assertEntries(found, ids(1n, 1n, 3n));
  });

  test("what a caller changes afterwards changes nothing in the log", async (store) => {
    const log = await store.log("a");
    const payload = payloadOf(1n);
    const appended = log.append([{ term: 1n, index: 1n, payload }]);
    payload.fill(0);
    await appended;
    const [read] = await log.read({ from: 1n });
    read?.payload.fill(1);
    assertEntries(await log.read({ from: 1n }), [[1n, 1n]]);
  });

  test("appends that do not wait for each other are made in the order of the calls", async (store) => {
    const log = await store.log("a");
    const all = entries(1n, 1n, 200n).map((each) => log.append([each]));
    await Promise.all(all);
    assertEntries(await readAll(log, 1000), ids(1n, 1n, 200n));
  });
}

export function reading({ runner, test }: Suite): void {
  runner.describe("reading", () => {
    readingRanges(test);
    readingBeside(test);
  });
}

function readingRanges(test: Suite["test"]): void {
  test("a range has its first index and not its last; an empty one has none", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 0n, 10n));
    deepStrictEqual(await log.read({ from: 3n, to: 3n }), []);
    assertEntries(await log.read({ from: 5n, to: 7n }), ids(1n, 5n, 6n));
    assertEntries(await log.read({ from: 0n, to: 11n }), ids(1n, 0n, 10n));
    assertEntries(await log.read({ from: 9n, to: 99n }), ids(1n, 9n, 10n));
  });

  test("a range beyond what is there is an error, or is cut, as asked for", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 6n));
    await log.compactPrefix(2n);
    await assertRefused("BOP_LOG_COMPACTED", () => log.read({ from: 2n, to: 5n }));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.read({ from: 7n }));
    assertEntries(await log.read({ from: 0n, to: 5n, clip: true }), ids(1n, 3n, 4n));
    assertEntries(await log.read({ from: 5n, to: 50n, clip: true }), ids(1n, 5n, 6n));
    deepStrictEqual(await log.read({ from: 7n, to: 9n, clip: true }), []);
    deepStrictEqual(await log.read({ from: 0n, to: 2n, clip: true }), []);
  });

  test("a read bounded by bytes gives at least one entry, and the rest later", async (store) => {
    const log = await store.log("a");
    await log.append([1n, 2n, 3n, 4n].map((index) => entry(1n, index, 100)));
    assertEntries(await log.read({ from: 2n, maxBytes: 0 }), ids(1n, 2n, 2n));
    assertEntries(await log.read({ from: 2n, maxBytes: 199 }), ids(1n, 2n, 2n));
    assertEntries(await log.read({ from: 2n, maxBytes: 200 }), ids(1n, 2n, 3n));
    deepStrictEqual(await log.read({ from: 2n, to: 2n, maxBytes: 0 }), []);
    assertEntries(await readAll(log, 1), ids(1n, 1n, 4n));
  });

  test("the term of an entry that is gone or not there yet is an error", async (store) => {
    const log = await store.log("a");
    await log.append([...entries(1n, 1n, 3n), ...entries(4n, 4n, 5n)]);
    await log.compactPrefix(2n);
    deepStrictEqual(
      [2n, 3n, 4n, 5n].map((index) => log.termAt(index)),
      [1n, 1n, 4n, 4n],
    );
    await assertRefused("BOP_LOG_COMPACTED", () => log.termAt(1n));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.termAt(6n));
    await assertRefused("BOP_LOG_COMPACTED", () => log.fieldAt(1n));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.fieldAt(6n));
  });
}

function readingBeside(test: Suite["test"]): void {
  test("a reader that was there before sees what is appended later", async (store) => {
    const [writer, reader] = [await store.log("a"), await store.log("a")];
    await writer.append(entries(1n, 1n, 2n));
    assertEntries(await readAll(reader), ids(1n, 1n, 2n));
    await writer.append(entries(2n, 3n, 3n));
    assertEntries(await readAll(reader), [...ids(1n, 1n, 2n), ...ids(2n, 3n, 3n)]);
  });

  test("reading backwards entry by entry finds every one", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 100n));
    for (let index = 100n; index >= 1n; index--) {
      assertEntries(await log.read({ from: index, to: index + 1n }), [[1n, index]]);
    }
  });

  test("what is not durable yet is read only by who asks for it", async (store) => {
    const log = await store.log("a");
    await log.append(entries(1n, 1n, 2n));
    const appended = log.append(entries(1n, 3n, 4n));
    if (log.durableIndex === 2n) {
      await assertRefused("BOP_LOG_UNAVAILABLE", () => log.read({ from: 3n }));
      assertEntries(await log.read({ from: 1n }), ids(1n, 1n, 2n));
    }
    assertEntries(await log.read({ from: 3n, unstable: true }), ids(1n, 3n, 4n));
    await log.waitDurable(4n);
    ok((log.durableIndex ?? 0n) >= 4n);
    await appended;
    assertEntries(await log.read({ from: 3n }), ids(1n, 3n, 4n));
    await assertRefused("BOP_LOG_UNAVAILABLE", () => log.waitDurable(5n));
  });

  test("readers beside a writer always see a prefix of what it appends", async (store) => {
    const log = await store.log("a");
    await log.append([entry(1n, 1n)]);
    let seen = 0n;
    const look = async () => {
      const found = await readAll(log, 10_000);
      const last = found.at(-1)?.index ?? 0n;
      assertEntries(found, ids(1n, 1n, last));
      ok(last >= seen);
      seen = last;
    };
    for (let index = 2n; index <= 40n; index++) {
      await Promise.all([look(), log.append([entry(1n, index)]), look()]);
    }
    await look();
    strictEqual(seen, 40n);
  });
}
