/** Record logs of a store, beside its databases: names, handles, checkpoints, memory. */
import { describe, expect, test } from "vitest";
import type { NewLogEntry } from "../../src/index.ts";
import { openStore, temporaryDirectory } from "../support/store.ts";

const entry = (index: number, bytes = 100): NewLogEntry => {
  return { term: 1n, index: BigInt(index), payload: new Uint8Array(bytes).fill(index & 255) };
};
const entries = (first: number, last: number, bytes = 100): NewLogEntry[] =>
  Array.from({ length: last - first + 1 }, (_, at) => entry(first + at, bytes));
const code = (expected: string) => expect.objectContaining({ code: expected });

describe("record logs of a store", () => {
  test("have names of their own, which a database may have too", async () => {
    const manager = await openStore();
    await manager.database("one");
    await manager.log("one");
    await manager.log("two");
    expect((await manager.logs()).map(({ name }) => name)).toEqual(["one", "two"]);
    expect((await manager.list()).map(({ name }) => name)).toEqual(["one"]);
    expect((await manager.logs({ prefix: "t" })).map(({ name }) => name)).toEqual(["two"]);
    await expect(manager.log("three", { create: false })).rejects.toEqual(code("BOP_NOT_FOUND"));
    await expect(manager.log("")).rejects.toThrow(RangeError);
    await expect(manager.logs({ limit: 0 })).rejects.toThrow(RangeError);
  });

  test("are renamed and dropped, and stay so; what is open hears of it", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ directory });
    const [one, two] = [await manager.log("one"), await manager.log("two")];
    await one.append(entries(1, 3));
    await two.append(entries(1, 3));
    await manager.checkpoint();
    await manager.renameLog("one", "first");
    expect(one.name).toBe("first");
    await expect(manager.renameLog("first", "two")).rejects.toEqual(code("BOP_EXISTS"));
    await manager.dropLog("two");
    await expect(two.append([entry(4)])).rejects.toEqual(code("BOP_DROPPED"));
    await expect(two.read({ from: 1n })).rejects.toEqual(code("BOP_DROPPED"));
    await expect(manager.dropLog("two")).rejects.toEqual(code("BOP_NOT_FOUND"));
    await manager.close();
    await expect(one.append([entry(4)])).rejects.toEqual(code("BOP_CLOSED"));
    const again = await openStore({ directory });
    expect((await again.logs()).map(({ name }) => name)).toEqual(["first"]);
    const log = await again.log("first");
    expect(log.lastIndex).toBe(3n);
    const two2 = await again.log("two");
    expect(two2.lastIndex).toBeUndefined();
  });

  test("that ends at the last index there can be is opened again, and takes nothing behind it", async () => {
    const LAST = 2n ** 64n - 1n;
    const directory = await temporaryDirectory();
    const last = { term: 1n, index: LAST, payload: Uint8Array.of(1) };
    let manager = await openStore({ directory });
    await (await manager.log("ahead")).compactPrefix(LAST, { term: 1n });
    await (await manager.log("whole")).append([last]);
    const folded = await manager.log("folded");
    await folded.append([last]);
    await folded.compactPrefix(LAST);
    for (let life = 0; life < 2; life++) {
      await manager.close();
      manager = await openStore({ directory });
      for (const name of ["ahead", "whole", "folded"]) {
        const log = await manager.log(name);
        expect(log.lastIndex).toBe(LAST);
        expect(log.firstIndex).toBe(name === "whole" ? LAST : undefined);
        await expect(log.append([last])).rejects.toEqual(code("BOP_LOG_CONFLICT"));
        await expect(log.append([{ ...last, index: LAST + 1n }])).rejects.toThrow(RangeError);
      }
    }
    const whole = await manager.log("whole");
    expect(await whole.read({ from: LAST })).toHaveLength(1);
    await whole.compactPrefix(LAST);
    expect(whole.firstIndex).toBeUndefined();
  });

  test("a handle that was given back is refused, others go on", async () => {
    const manager = await openStore();
    const [one, other] = [await manager.log("one"), await manager.log("one")];
    await one.close();
    await one.close();
    await expect(one.append([entry(1)])).rejects.toEqual(code("BOP_CLOSED"));
    await other.append([entry(1)]);
    expect(other.lastIndex).toBe(1n);
  });

  test("leave memory at a checkpoint and are read from chunks, which go when they are compacted", async () => {
    const manager = await openStore({ logCacheBytes: 0 });
    const log = await manager.log("one");
    await log.append(entries(1, 2000, 500));
    expect(manager.diagnostics().recordLogs.unstoredBytes).toBeGreaterThan(1e6);
    await manager.checkpoint();
    const { recordLogs } = manager.diagnostics();
    expect(recordLogs).toMatchObject({ unstoredBytes: 0, cachedBytes: 0, chunks: 1 });
    const found = await log.read({ from: 700n, maxBytes: 100_000 });
    expect(found).toHaveLength(200);
    expect(found.every(({ index, payload }) => payload[9] === Number(index & 255n))).toBe(true);
    expect(manager.diagnostics().recordLogs.blocksRead).toBeGreaterThan(0);
    await log.compactPrefix(2000n);
    await manager.checkpoint();
    expect(manager.diagnostics().recordLogs.chunks).toBe(0);
  });

  test("hold the store's log until a checkpoint has folded them, and diagnostics names them", async () => {
    const manager = await openStore();
    const pinned = () => manager.diagnostics().log.pinned.map(({ kind, name }) => [kind, name]);
    const [one, two] = [await manager.log("one"), await manager.log("two")];
    await manager.checkpoint();
    expect(pinned()).toEqual([]);
    await two.append(entries(1, 3));
    await one.setHardState({ term: 1n });
    await two.append(entries(4, 5));
    expect(pinned()).toEqual([
      ["record-log", "two"],
      ["record-log", "one"],
    ]);
    const [oldest] = manager.diagnostics().log.pinned;
    expect(oldest?.bytes).toBeGreaterThan(200);
    await manager.checkpoint();
    expect(pinned()).toEqual([]);
    await manager.close();
  });

  test("of a chunk of which little is left the rest is carried over, and nothing else changes", async () => {
    const manager = await openStore({ logCacheBytes: 0 });
    const [log, idle] = [await manager.log("one"), await manager.log("idle")];
    await idle.append(entries(1, 20, 400));
    await log.append(entries(1, 4000, 500));
    await manager.checkpoint();
    const before = manager.diagnostics().recordLogs.chunkBytes;
    await log.compactPrefix(3990n);
    await log.append(entries(4001, 4010, 500));
    await manager.checkpoint();
    await manager.checkpoint();
    const { chunkBytes } = manager.diagnostics().recordLogs;
    expect(chunkBytes).toBeLessThan(before / 10);
    expect((await idle.read({ from: 1n })).map(({ payload }) => payload[0])).toEqual(
      Array.from({ length: 20 }, (_, at) => at + 1),
    );
    expect((await log.read({ from: 3991n })).map(({ index }) => index).at(-1)).toBe(4010n);
  });

  test("share flushes with each other and with databases", async () => {
    const manager = await openStore();
    const database = await manager.database("db");
    await database.exec("create table t (a)");
    const insert = database.prepare("insert into t values (?)");
    const logs = await Promise.all(Array.from({ length: 20 }, (_, at) => manager.log(`log ${at}`)));
    const before = manager.diagnostics().log.flushes;
    await Promise.all([
      ...logs.map((log) => log.append(entries(1, 5))),
      ...Array.from({ length: 20 }, (_, at) => insert.run(at)),
    ]);
    expect(manager.diagnostics().log.flushes - before).toBeLessThan(10);
    expect(await database.prepare("select count(*) from t").pluck().get()).toBe(20);
  });

  test("an append in a loop does not keep the event loop from its other work", async () => {
    const manager = await openStore();
    const log = await manager.log("one");
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      if (turns < 3) setImmediate(turn);
    };
    setImmediate(turn);
    let index = 1;
    while (turns < 3 && index < 100_000) await log.append([entry(index++)]);
    expect(turns).toBe(3);
  });

  test("what is called behind a compaction that must read a chunk counts behind it", async () => {
    const directory = await temporaryDirectory();
    const first = await openStore({ directory });
    await (await first.log("one")).append(entries(1, 50));
    await first.close();
    const manager = await openStore({ directory });
    const [log, other] = [await manager.log("one"), await manager.log("one")];
    const number = (value: number) => ({ stable: { n: new Uint8Array([value]) } });
    const done = await Promise.all([
      log.commit({ compact: { upToIndex: 20n }, ...number(1) }),
      other.append([entry(51)]),
      log.append([entry(52)], number(2)),
      log.commit({ compact: { upToIndex: 30n }, ...number(3) }),
      other.append([entry(53)]),
      log.append([entry(55)]).catch(({ code: refused }) => ({ lsn: Number.NaN, refused })),
      log.append([entry(54)], number(4)),
    ]);
    expect(done[5]).toMatchObject({ refused: "BOP_LOG_GAP" });
    const lsns = done.map(({ lsn }) => lsn).filter((lsn) => !Number.isNaN(lsn));
    expect(lsns).toEqual([...lsns].sort((a, b) => a - b));
    expect([log.boundary?.index, log.lastIndex]).toEqual([30n, 54n]);
    expect(await log.readStable("n")).toEqual(new Uint8Array([4]));
    await log.append([entry(55)]);
    expect(log.lastIndex).toBe(55n);
    await manager.close();
  });

  test("a change over several logs that must read a chunk comes before what is called behind it", async () => {
    const directory = await temporaryDirectory();
    const field = (text: string) => new TextEncoder().encode(text);
    const first = await openStore({ directory });
    const written = entries(1, 3).map((one) => ({ ...one, field: field("old") }));
    await (await first.log("one")).append(written);
    await first.close(); // Opened again, memory has nothing of them: fields lie in a chunk.
    const manager = await openStore({ directory });
    const [one, two] = [await manager.log("one"), await manager.log("two")];
    const replace = (index: bigint) => ({
      truncateAfter: index - 1n,
      entries: [{ term: 1n, index, payload: field("x"), field: field("new") }],
    });
    const done = await Promise.all([
      manager.commitLogs([
        { log: one, compact: { upToIndex: 2n } },
        { log: two, entries: [entry(1)] },
      ]),
      one.commit(replace(2n)).catch(({ code: refused }) => refused),
      two.append([entry(2)]),
      manager.commitLogs([
        { log: two, entries: [entry(3)] },
        { log: one, ...replace(3n) },
      ]),
    ]);
    expect(done[1]).toBe("BOP_LOG_COMPACTED");
    expect(one.boundary).toEqual({ index: 2n, term: 1n, field: field("old") });
    expect([one.lastIndex, two.lastIndex]).toEqual([3n, 3n]);
    expect(await one.fieldAt(3n)).toEqual(field("new"));
  });

  test("small entries, large ones, new terms and what is refused stand in order, and are kept", async () => {
    const directory = await temporaryDirectory();
    const manager = await openStore({ directory });
    const log = await manager.log("one");
    const given: NewLogEntry[] = [];
    const waiting: Promise<unknown>[] = [];
    for (let index = 1; index <= 400; index++) {
      const bytes = index % 50 === 0 ? 9000 : index % 7 === 0 ? 4001 : index % 300;
      const term = BigInt(1 + Math.floor(index / 40));
      const field = index % 11 === 0 ? { field: new Uint8Array([index & 255]) } : {};
      const payload = new Uint8Array(bytes).fill(index & 255);
      given.push({ term, index: BigInt(index), payload: payload.slice(), ...field });
      waiting.push(log.append([{ term, index: BigInt(index), payload, ...field }]));
      // What was given is the log's from the call on.
      payload.fill(0);
    }
    expect(log.lastIndex).toBe(400n);
    await expect(log.append([entry(400)])).rejects.toEqual(code("BOP_LOG_CONFLICT"));
    await expect(log.append([entry(402)])).rejects.toEqual(code("BOP_LOG_GAP"));
    await expect(log.append([entry(401)])).rejects.toEqual(code("BOP_LOG_TERM"));
    for (const nonsense of [null, "entry", 7, { ...given[0], index: 401n, payload: "text" }]) {
      await expect(log.append([nonsense as unknown as NewLogEntry])).rejects.toThrow(TypeError);
    }
    const written = await Promise.all(waiting);
    expect(written.at(-1)).toMatchObject({ lastIndex: 400n });
    const kept = given.map(({ field = new Uint8Array(0), ...rest }) => ({ ...rest, field }));
    expect(await log.read({ from: 1n })).toEqual(kept);
    await manager.close();
    const again = await (await openStore({ directory })).log("one");
    expect(await again.read({ from: 1n })).toEqual(kept);
  });

  test("what is no log, no entry or no range is refused before anything happens", async () => {
    const manager = await openStore();
    const other = await openStore();
    const [log, foreign] = [await manager.log("one"), await other.log("one")];
    const wrong = [
      () => log.append([{ term: 1, index: 1n, payload: new Uint8Array(1) } as never]),
      () => log.append([{ term: 1n, index: 1n, payload: "text" } as never]),
      () => log.commit({ entires: [] } as never),
      () => log.commit({ onConflict: "overwrite" } as never),
      () => log.read({ form: 1n } as never),
      () => manager.commitLogs([]),
      () => manager.commitLogs([{ log: foreign, entries: [entry(1)] }]),
      () => manager.commitLogs([{ log }, { log }]),
    ];
    for (const call of wrong) await expect(call(), String(call)).rejects.toThrow(TypeError);
    const small = await openStore({ maxEntryBytes: 1024 });
    const limited = await small.log("one");
    await expect(limited.append([entry(1, 1025)])).rejects.toThrow(RangeError);
    expect([log.lastIndex, limited.lastIndex]).toEqual([undefined, undefined]);
  });
});
