/** What a call is given that it cannot mean is refused by name, before anything happens. */
import { describe, expect, test } from "vitest";
import { openDatabase, openStore } from "../support/store.ts";

const INSERT = "insert into t values (1)";

async function counted() {
  const db = await openDatabase();
  await db.exec("create table t (v)");
  const count = () => db.prepare("select count(*) from t").pluck<number>().get();
  return { db, count };
}

/** What is thrown, at once or later. */
async function refusalOf(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

async function expectRefused(
  call: () => unknown,
  kind: "TypeError" | "RangeError",
  message: string,
): Promise<void> {
  const refusal = await refusalOf(call);
  expect(refusal).toMatchObject({ name: kind, message: expect.stringContaining(message) });
}

const WRONG: readonly (readonly [object, "TypeError" | "RangeError", string])[] = [
  [{ timeoutMs: "x" }, "TypeError", 'timeoutMs is "x"; want a positive number of milliseconds'],
  [{ timeoutMs: null }, "TypeError", "timeoutMs is null"],
  [{ timeoutMs: -5 }, "RangeError", "timeoutMs is -5"],
  [{ timeoutMs: Number.NaN }, "RangeError", "timeoutMs is NaN"],
  [{ integers: "float" }, "TypeError", 'integers is "float"; want number, bigint, string'],
  [{ maxBytes: "a" }, "TypeError", 'maxBytes is "a"; want a number of bytes'],
  [{ maxBytes: -1 }, "RangeError", "maxBytes is -1"],
  [{ rows: "no" }, "TypeError", 'rows is "no"; want true or false'],
];

describe("options of a statement", () => {
  test.each(WRONG)("%j is refused, and nothing runs", async (options, kind, message) => {
    const { db, count } = await counted();
    await expectRefused(
      () => db.execute(INSERT, [], options as never),
      kind,
      `execute: ${message}`,
    );
    await expectRefused(() => db.batch([INSERT], options as never), kind, `batch: ${message}`);
    expect(await count()).toBe(0);
  });

  test("a script's time is one, or is refused", async () => {
    const { db, count } = await counted();
    const wrong = { timeoutMs: "x" } as never;
    await expectRefused(() => db.exec(INSERT, wrong), "TypeError", 'exec: timeoutMs is "x"');
    await expectRefused(() => db.exec(INSERT, { timeoutMs: -5 }), "RangeError", "timeoutMs is -5");
    expect(await count()).toBe(0);
  });

  test("those that are right, or not said, are taken", async () => {
    const { db, count } = await counted();
    const right = { integers: "number", rows: true, timeoutMs: 60_000, maxBytes: 0.5 } as const;
    await db.execute(INSERT, [], right);
    const unsaid = { integers: undefined, rows: undefined, timeoutMs: undefined } as never;
    expect((await db.execute("select v from t", [], unsaid)).rows).toEqual([[1n]]);
    await db.exec(INSERT, { timeoutMs: Number.POSITIVE_INFINITY });
    expect(await count()).toBe(2);
  });

  test("a statement of a batch with a name that nobody knows is refused", async () => {
    const { db, count } = await counted();
    const misspelt = { sql: "insert into t values (?)", args: [1] };
    const refusal = 'batch, statement 1: unknown option "args"';
    await expectRefused(() => db.batch([INSERT, misspelt as never]), "TypeError", refusal);
    await db.batch([{ sql: INSERT }, { sql: "insert into t values (?)", parameters: [1] }]);
    expect(await count()).toBe(2);
  });
});

test("what else a call is given is looked at as well", async () => {
  const store = await openStore();
  const db = await store.database("a");
  const wrong = (value: unknown) => value as never;
  const calls: (readonly [() => unknown, string])[] = [
    [() => store.database("b", { create: wrong("no") }), 'database: create is "no"; want true or'],
    [() => store.log("b", { create: wrong(0) }), "log: create is 0; want true or false"],
    [() => store.list({ prefix: wrong(5) }), "prefix is 5; want a text"],
    [() => db.export(wrong(5)), "export: the path is 5; want the path of a file"],
    [() => db.export("a\0b"), "export: the path has a zero byte"],
    [() => store.import(wrong(undefined), "b"), "import: the path is undefined"],
    [() => db.transaction(async () => 1, { signal: wrong(5) }), "signal is 5; want an AbortSignal"],
  ];
  for (const [call, message] of calls) await expectRefused(call, "TypeError", message);
  expect((await store.list()).map(({ name }) => name)).toEqual(["a"]);
});

test("a number in quotes is shown with them, and a fraction is told that a whole number is wanted", async () => {
  const open = (cacheBytes: unknown) => () => openStore({ cacheBytes: cacheBytes as number });
  await expectRefused(open("67108864"), "RangeError", 'cacheBytes is "67108864"; want a whole');
  await expectRefused(open(2 ** 24 + 0.5), "RangeError", "want a whole number from 1048576 to");
});

test("a SELECT that is run tells the moment that it saw, which is that of the last commit", async () => {
  const { db } = await counted();
  const { lsn } = await db.prepare(INSERT).run();
  const read = await db.prepare("select v from t").run();
  expect(read.lsn).toBeGreaterThanOrEqual(lsn);
  await db.durable(read.lsn);
});
