import { describe, expect, test } from "vitest";
import type { Change, ChangesOptions, Manager } from "../../src/index.ts";
import { openStore, temporaryDirectory } from "../support/store.ts";

/** Reads until `enough` says so, and leaves the loop. */
async function read(
  manager: Manager,
  options: ChangesOptions,
  enough: (seen: readonly Change[]) => boolean,
): Promise<Change[]> {
  const seen: Change[] = [];
  for await (const change of manager.changes(options)) {
    seen.push(change);
    if (enough(seen)) break;
  }
  return seen;
}

const has = (kind: Change["kind"]) => (seen: readonly Change[]) => seen.at(-1)?.kind === kind;
const count = (n: number) => (seen: readonly Change[]) => seen.length === n;
const told = (seen: readonly Change[]) =>
  seen.map((change) => ("database" in change ? `${change.kind} ${change.database}` : change.kind));

describe("changes", () => {
  test("what happens to databases is told in order, with what they are called and have been", async () => {
    const manager = await openStore();
    await manager.database("a");
    await manager.database("b");
    await manager.rename("a", "c");
    await manager.drop("b");
    const seen = await read(manager, { cursor: "indexer" }, has("dropped"));
    expect(told(seen)).toEqual(["created a", "created b", "renamed c", "dropped b"]);
    expect(seen[2]).toMatchObject({ previousName: "a", stream: 1 });
    expect(seen.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  test("record logs come and go in the same order as databases, under names of their own", async () => {
    const directory = await temporaryDirectory();
    const first = await openStore({ directory });
    await first.log("a");
    await first.database("a");
    await first.renameLog("a", "b");
    await first.close();
    const second = await openStore({ directory });
    await second.dropLog("b");
    const seen = await read(second, { cursor: "indexer" }, has("log-dropped"));
    const kinds = seen.map(({ kind }) => kind).filter((kind) => kind !== "checkpoint");
    expect(kinds).toEqual(["log-created", "created", "log-renamed", "log-dropped"]);
    expect(seen.find(({ kind }) => kind === "log-renamed")).toMatchObject({
      log: "b",
      previousName: "a",
    });
  });

  // evidence: G13
  test("a reader goes on behind what it acknowledged, also after the store was opened again", async () => {
    const directory = await temporaryDirectory();
    const first = await openStore({ directory });
    for (const name of ["a", "b", "c"]) await first.database(name);
    for await (const change of first.changes({ cursor: "indexer" })) {
      if (change.sequence === 3) break;
      await change.ack();
    }
    await first.close();
    const second = await openStore({ directory });
    const seen = await read(second, { cursor: "indexer" }, count(1));
    expect(told(seen)).toEqual(["created c"]);
    expect(second.cursors()).toMatchObject([{ name: "indexer", acknowledged: 2, inUse: false }]);
  });

  test("a reader that has read everything waits, and hears of a commit soon after", async () => {
    const manager = await openStore({ changeLog: { advanceDelayMs: 5 } });
    const db = await manager.database("notes");
    const reader = read(manager, { cursor: "indexer" }, has("advanced"));
    await db.exec("create table t (v)");
    const seen = await reader;
    expect(told(seen)).toEqual(["created notes", "advanced"]);
    expect(seen[1]).toMatchObject({ databases: [{ database: "notes", stream: 1 }] });
  });

  test("while nobody reads, a checkpoint tells which databases it folded", async () => {
    const manager = await openStore();
    const db = await manager.database("notes");
    await db.exec("create table t (v)");
    await manager.checkpoint();
    const seen = await read(manager, { cursor: "late" }, has("checkpoint"));
    expect(told(seen)).toEqual(["created notes", "checkpoint"]);
    expect(seen[1]).toMatchObject({ databases: [{ database: "notes" }] });
  });

  test("an import is told of when it is done, and one that failed never", async () => {
    const manager = await openStore();
    const directory = await temporaryDirectory();
    const db = await manager.database("source");
    await db.exec("create table t (v); insert into t values (1)");
    await db.export(`${directory}/source.sqlite`);
    await expect(manager.import(`${directory}/nothing.sqlite`, "none")).rejects.toThrow();
    await manager.import(`${directory}/source.sqlite`, "target");
    const seen = await read(manager, { cursor: "indexer" }, has("imported"));
    expect(told(seen).filter((each) => !each.startsWith("advanced"))).toEqual([
      "created source",
      "imported target",
    ]);
  });

  test("a cursor is read by one loop at a time, and is free when that has ended", async () => {
    const manager = await openStore();
    await manager.database("a");
    const first = manager.changes({ cursor: "indexer" });
    await first.next();
    const second = manager.changes({ cursor: "indexer" });
    await expect(second.next()).rejects.toMatchObject({
      code: "BOP_CURSOR_BUSY",
      details: { cursor: "indexer" },
    });
    await expect(manager.dropCursor("indexer")).rejects.toMatchObject({ code: "BOP_CURSOR_BUSY" });
    await first.return?.();
    expect(await read(manager, { cursor: "indexer" }, count(1))).toHaveLength(1);
    await manager.dropCursor("indexer");
    expect(manager.cursors()).toEqual([]);
  });

  test("a loop that waits ends with the signal's reason, and with BOP_CLOSED when the store closes", async () => {
    const manager = await openStore();
    const aborting = new AbortController();
    const waiting = manager.changes({ cursor: "a", signal: aborting.signal }).next();
    const closing = manager.changes({ cursor: "b" }).next();
    const left = manager.changes({ cursor: "c" });
    const leaving = left.next();
    await left.return?.();
    expect(await leaving).toEqual({ done: true, value: undefined });
    aborting.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    const closed = expect(closing).rejects.toMatchObject({ code: "BOP_CLOSED" });
    await manager.close();
    await closed;
  });

  test("a cursor that begins now hears only of what comes", async () => {
    const manager = await openStore();
    await manager.database("before");
    const reader = manager.changes({ cursor: "late", fromNow: true });
    const next = reader.next();
    await manager.database("after");
    expect(told([(await next).value as Change])).toEqual(["created after"]);
    await reader.return?.();
    const made = await manager.createCursor("made", { fromNow: true });
    expect(made).toMatchObject({ name: "made", state: "active", lag: 0, inUse: false });
    await manager.database("later");
    expect(told(await read(manager, { cursor: "made" }, count(1)))).toEqual(["created later"]);
  });

  test("a cursor that lagged too far is told so when it comes back, and can begin anew", async () => {
    const manager = await openStore({ changeLog: { keepLast: 10, maxLag: 100 } });
    await manager.database("first");
    await read(manager, { cursor: "slow" }, count(1));
    await Promise.all(Array.from({ length: 150 }, (_, n) => manager.database(`database-${n}`)));
    await manager.checkpoint();
    await manager.checkpoint();
    await manager.database("last");
    await manager.checkpoint();
    const late = manager.changes({ cursor: "slow" }).next();
    await expect(late).rejects.toMatchObject({
      code: "BOP_CURSOR_EVICTED",
      details: { cursor: "slow", acknowledged: 0 },
    });
    expect(manager.cursors()).toMatchObject([{ name: "slow", state: "evicted" }]);
    const { changes } = manager.diagnostics();
    expect(changes).toMatchObject({ evictions: 1 });
    expect(changes.removedRecords).toBeGreaterThan(0);
    expect(changes.removedBytes).toBeGreaterThan(0);
    const [anew] = await read(manager, { cursor: "slow", reset: true }, count(1));
    expect(anew?.sequence).toBe(changes.oldest);
    const others = await read(manager, { cursor: "other" }, has("cursor-evicted"));
    expect(others.at(-1)).toMatchObject({ cursor: "slow", acknowledged: 0 });
  });

  test("there is a limit to the number of cursors, and dropping one makes room", async () => {
    const manager = await openStore({ changeLog: { maxCursors: 1 } });
    await manager.database("a");
    await read(manager, { cursor: "one" }, count(1));
    const two = () => read(manager, { cursor: "two" }, count(1));
    await expect(two()).rejects.toMatchObject({ code: "BOP_CURSOR_LIMIT", details: { limit: 1 } });
    await manager.dropCursor("one");
    expect(await two()).toHaveLength(1);
  });

  test("many creations share few commits of the manifest, and nobody waits for them", async () => {
    const manager = await openStore();
    await Promise.all(Array.from({ length: 500 }, (_, n) => manager.database(`database-${n}`)));
    const seen = await read(manager, { cursor: "indexer" }, count(500));
    expect(new Set(seen.map(({ generation }) => generation)).size).toBeLessThan(10);
    expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, index) => index + 1));
  });

  test("options that make no sense are refused by name", async () => {
    const manager = await openStore();
    expect(() => manager.changes({ cursor: "" })).toThrow(RangeError);
    expect(() => manager.changes({ cursor: 7 as unknown as string })).toThrow(TypeError);
    expect(() => manager.changes({ cursor: "a", form: true } as ChangesOptions)).toThrow("form");
    await expect(openStore({ changeLog: { keepLast: 5, maxLag: 1 } })).rejects.toThrow("maxLag");
    const wrong = { changeLog: { keepLast: 200, maxLag: 100 } };
    await expect(openStore(wrong)).rejects.toThrow("keepLast (200) is above maxLag (100)");
  });
});
