/**
 * Statements that wait for one database share a transaction. These tests hold the engine to the
 * promise that nobody can tell: the same statements are sent all at once to one database, and one
 * after the other to its twin, and every answer, every error and the final content must agree.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Database, ExecuteResult, Manager, SqliteError } from "../../src/index.ts";
import { openStore } from "../support/store.ts";

const SCHEMA = `
  create table parent (id integer primary key, name text unique on conflict rollback);
  create table child (
    id integer primary key,
    parent integer references parent (id) deferrable initially deferred,
    v integer check (v < 100)
  );
  create table log (n integer primary key, what text not null);
  create trigger child_added after insert on child when new.v = 13 begin
    select raise(rollback, 'thirteen');
  end;
  create trigger child_gone after delete on child begin
    insert into log (what) values ('gone ' || old.id);
  end;
`;

const small = fc.integer({ min: 1, max: 6 });
const name = fc.constantFrom("a", "b", "c");
const statement = fc.oneof(
  fc.record({
    sql: fc.constantFrom(
      "insert into parent (id, name) values (?1, ?2)",
      "insert or replace into parent (id, name) values (?1, ?2)",
      "insert or ignore into parent (id, name) values (?1, ?2)",
      "update parent set name = ?2 where id >= ?1",
      "delete from parent where id = ?1 and name <> ?2",
      "insert into parent (id, name) values (?1, ?2) returning id, name",
    ),
    parameters: fc.tuple(small, name),
  }),
  fc.record({
    sql: fc.constantFrom(
      "insert into child (parent, v) values (?1, ?2)",
      "insert or fail into child (id, parent, v) values (?1, ?2, 1), (?1, ?2, 2)",
      "update child set v = v + ?1 where parent = ?2",
      "delete from child where parent = ?1 or v = ?2 returning *",
      "insert into child (parent, v) select ?1, ?2 + id from child",
    ),
    parameters: fc.tuple(small, fc.constantFrom(1, 13, 98, 100)),
  }),
  fc.record({
    sql: fc.constantFrom(
      "insert into log (what) values (?1)",
      "insert into log (what) values (nullif(?1, 'a'))",
      "select count(*) as n from log where what = ?1",
      "insert into log (what) values (?1 || changes())",
      "insert into log (what) values (?1 || last_insert_rowid())",
      "not sql at all ?1",
    ),
    parameters: fc.tuple(name),
  }),
  fc.constantFrom(
    { sql: "create table if not exists extra (x unique)", parameters: [] },
    { sql: "drop table if exists extra", parameters: [] },
    { sql: "insert into extra values (1)", parameters: [] },
    { sql: "pragma user_version = 7", parameters: [] },
  ),
);

type One = { readonly sql: string; readonly parameters: readonly (string | number)[] };
type Sent = One | readonly One[];

/** Statements, and now and then a batch of them. */
const sent: fc.Arbitrary<Sent> = fc.oneof(
  { weight: 3, arbitrary: statement },
  { weight: 1, arbitrary: fc.array(statement, { minLength: 1, maxLength: 4 }) },
);

async function answerOf(db: Database, what: Sent): Promise<unknown> {
  try {
    if ("sql" in what) return plain(await db.execute(what.sql, what.parameters));
    return (await db.batch(what)).map(plain);
  } catch (error) {
    const { message, sqliteCode, statementIndex } = error as SqliteError;
    return { message, sqliteCode, statementIndex };
  }
}

function plain({ columns, rows, changes, lastInsertRowid }: ExecuteResult) {
  return { columns: columns.map((column) => column.name), rows, changes, lastInsertRowid };
}

async function contentOf(db: Database): Promise<unknown> {
  const tables = ["parent", "child", "log", "sqlite_schema"];
  const content = tables.map((table) => db.prepare(`select * from ${table} order by 1, 2`).all());
  return Promise.all([...content, db.pragma("user_version"), db.pragma("integrity_check")]);
}

async function twins(manager: Manager, run: number): Promise<[Database, Database]> {
  const pair = await Promise.all([
    manager.database(`together-${run}`),
    manager.database(`one-by-one-${run}`),
  ]);
  for (const db of pair) await db.exec(SCHEMA);
  return pair;
}

describe("coalesced execution", () => {
  // evidence: G7
  test("answers, errors and content are those of running one by one", async () => {
    const manager = await openStore();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 30 }), async (statements) => {
        const [together, oneByOne] = await twins(manager, run++);
        const expected: unknown[] = [];
        for (const each of statements) expected.push(await answerOf(oneByOne, each));
        const found = await Promise.all(statements.map((each) => answerOf(together, each)));
        expect(found).toEqual(expected);
        expect(await contentOf(together)).toEqual(await contentOf(oneByOne));
      }),
      { numRuns: 150 },
    );
  }, 120_000);

  test("what OR FAIL left behind is held to the foreign keys of the statement alone", async () => {
    const statements = [
      {
        sql: "insert or fail into child (id, parent, v) values (?1, ?2, 1), (?1, ?2, 2)",
        parameters: [1, 1],
      },
      { sql: "delete from child where parent = ?1 returning *", parameters: [1] },
      { sql: "insert into parent (id, name) values (?1, ?2)", parameters: [2, "a"] },
    ];
    const [together, oneByOne] = await twins(await openStore(), 0);
    const expected: unknown[] = [];
    for (const each of statements) expected.push(await answerOf(oneByOne, each));
    const found = await Promise.all(statements.map((each) => answerOf(together, each)));
    expect(found).toEqual(expected);
  });

  test("many callers of one database share commits and flushes", async () => {
    const manager = await openStore();
    const db = await manager.database("test");
    await db.exec("create table t (id integer primary key)");
    const before = manager.diagnostics().log;
    const insert = db.prepare("insert into t default values");
    await Promise.all(Array.from({ length: 500 }, () => insert.run()));
    const after = manager.diagnostics().log;
    expect(after.commits - before.commits).toBeLessThan(50);
    expect(after.flushes - before.flushes).toBeLessThan(50);
    expect(await db.prepare("select count(*) as n from t").get()).toEqual({ n: 500 });
  });

  test("callers of many databases share flushes", async () => {
    const manager = await openStore();
    const names = Array.from({ length: 50 }, (_, index) => `db-${index}`);
    const databases = await Promise.all(names.map((each) => manager.database(each)));
    await Promise.all(databases.map((db) => db.exec("create table t (id integer primary key)")));
    const before = manager.diagnostics().log;
    await Promise.all(databases.map((db) => db.prepare("insert into t default values").run()));
    const after = manager.diagnostics().log;
    expect(after.commits - before.commits).toBe(50);
    expect(after.flushes - before.flushes).toBeLessThan(15);
  });
});
