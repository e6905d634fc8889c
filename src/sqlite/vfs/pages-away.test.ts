/**
 * PAGES THAT ARE AWAY, as the engine takes them: whatever read of a statement misses, the statement
 * can be run again, and then everything is as if nothing had been away.
 */
import { describe, expect, test } from "vitest";
import { ioError, StorageError } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";
import { AwaySpace } from "../away-space.fixture.ts";
import { engineOf, INTACT, KINDS, type TestConnection, TestDatabase } from "../database.fixture.ts";

const SMALL_PAGES = 512;

const TABLES = `
  create table t (id integer primary key, a integer, b text);
  create index t_a on t (a);
  create table log (n integer);
  create trigger t_log after insert on t begin insert into log values (new.a); end;
  with recursive n(x) as (select 1 union all select x + 1 from n where x < 120)
    insert into t select x, x * 7 % 31, hex(zeroblob(x % 90)) from n;
`;

/** Every statement runs again until it finds its pages, in a savepoint if it is in a transaction. */
function runStubbornly(connection: TestConnection, sql: string): unknown[][] {
  for (;;) {
    const { raw } = connection;
    const isOpen = !raw.autocommit && !/^(commit|rollback|savepoint|release)/.test(sql);
    try {
      if (isOpen) raw.command("SAVEPOINT again");
      const rows = connection.rows(sql);
      if (isOpen && !raw.autocommit) raw.command("RELEASE again");
      return rows;
    } catch (error) {
      if (!(error instanceof PagesAway)) throw error;
      if (!isOpen) continue;
      raw.command("ROLLBACK TO again");
      raw.command("RELEASE again");
    }
  }
}

interface Outcome {
  readonly rows: unknown[][][];
  readonly after: unknown;
  readonly plan: unknown;
}

/** Runs `statements` on a new connection of which the n-th read misses. */
async function outcomeOf(kind: (typeof KINDS)[number], work: Work, missAt: number) {
  let away: AwaySpace | undefined;
  const database = new TestDatabase(await engineOf(kind), (memory) => {
    away = new AwaySpace(memory);
    return away.space;
  });
  const space = away as unknown as AwaySpace;
  const before = database.connect({ pageBytes: SMALL_PAGES });
  before.exec(`${work.setup ?? ""};${TABLES}`);
  if (work.more !== undefined) before.exec(work.more);
  before.close();
  space.reads = 0;
  space.missAt = missAt;
  const connection = connectStubbornly(database);
  const rows = work.statements.map((sql) => runStubbornly(connection, sql));
  const reads = space.reads;
  space.missAt = 0;
  const plan = connection.rows("explain query plan select * from t where a = 3 and b = 'x'");
  connection.close();
  const reader = database.connect();
  const after = ["t", "log"].map((table) => reader.rows(`select * from ${table}`));
  reader.close();
  expect(database.check()).toEqual(INTACT);
  const outcome: Outcome = { rows, after, plan };
  return { outcome, reads, misses: space.misses };
}

/** To open a connection reads the schema. */
function connectStubbornly(database: TestDatabase): TestConnection {
  for (;;) {
    try {
      return database.connect();
    } catch (error) {
      if (!(error instanceof PagesAway)) throw error;
    }
  }
}

interface Work {
  readonly name: string;
  /** Before the tables are made. */
  readonly setup?: string;
  /** After. */
  readonly more?: string;
  readonly statements: readonly string[];
}

const WORKS: readonly Work[] = [
  {
    name: "reads and a plain write",
    statements: [
      "select count(*), sum(a) from t where a > 3",
      "update t set b = b || 'x', a = a + 1 where a between 5 and 9",
      "select group_concat(id) from (select id from t where a = 6 order by b)",
      "pragma integrity_check",
    ],
  },
  {
    name: "a transaction with an index, a trigger and a savepoint of its own",
    statements: [
      "begin immediate",
      "insert into t (a, b) select a, b from t where id < 40",
      "savepoint mine",
      "delete from t where a in (select a from t where id between 10 and 14)",
      "release mine",
      "insert or replace into t values (5, 99, 'again')",
      "commit",
    ],
  },
  {
    name: "what changes the schema, and statistics",
    more: "analyze",
    statements: [
      "select count(*) from t where a = 3",
      "create table u as select a, b from t where a < 9",
      "alter table u add column c",
      "drop index t_a",
      "create index t_ab on t (a, b)",
      "analyze",
    ],
  },
  {
    name: "a file that shrinks by itself",
    setup: "pragma auto_vacuum = full",
    statements: ["delete from t where id > 20", "insert into log select 1 from t"],
  },
  {
    name: "a transaction after which a file shrinks, once the pages were given back before",
    setup: "pragma auto_vacuum = full",
    statements: [
      "begin immediate",
      "delete from t where id > 20",
      "pragma incremental_vacuum",
      "commit",
    ],
  },
  { name: "a file that is made anew", statements: ["delete from t where a > 9", "vacuum"] },
];

describe.each(KINDS)("%s, with pages away", (kind) => {
  test.each(WORKS)("$name: whichever read misses, it comes out the same", async (work) => {
    const undisturbed = await outcomeOf(kind, work, 0);
    expect(undisturbed.reads).toBeGreaterThan(10);
    const step = Math.max(1, Math.ceil(undisturbed.reads / READS_TRIED));
    for (let n = 1; n <= undisturbed.reads; n += step) {
      const disturbed = await outcomeOf(kind, work, n);
      expect(disturbed.misses, `read ${n}`).toBe(1);
      expect(disturbed.outcome, `read ${n}`).toEqual(undisturbed.outcome);
    }
  });
});

/** Of each work; spread over all of them. */
const READS_TRIED = 16;

describe.each(KINDS)("%s, with pages away, a connection", (kind) => {
  async function opened(setup: string) {
    let away: AwaySpace | undefined;
    const database = new TestDatabase(await engineOf(kind), (memory) => {
      away = new AwaySpace(memory);
      return away.space;
    });
    const connection = database.connect({ pageBytes: SMALL_PAGES });
    connection.exec(setup);
    return { database, connection, space: away as unknown as AwaySpace };
  }

  test("loads a schema with its statistics, or not at all, so that plans are the same", async () => {
    const query = "explain query plan select * from w where a = 3 and b = 5";
    const { database, connection, space } = await opened(`
      create table w (a integer, b integer);
      create index w_b on w (b);
      create index w_a on w (a);
      with recursive n(x) as (select 1 union all select x + 1 from n where x < 200)
        insert into w select x % 2, x from n;
      analyze`);
    connection.close();
    const reader = database.connect();
    const plan = JSON.stringify(reader.rows(query));
    expect(plan).toContain("w_b");
    for (let n = 1; n < 30; n++) {
      const writer = database.connect();
      writer.exec(`create table other_${n} (a)`);
      writer.close();
      space.reads = 0;
      space.missAt = n;
      runStubbornly(reader, n % 2 === 0 ? "select count(*) from w" : `select * from other_${n}`);
      space.missAt = 0;
      expect(JSON.stringify(reader.rows(query)), `read ${n}`).toBe(plan);
    }
    expect(space.misses).toBeGreaterThan(3);
    reader.close();
  });

  test("that COMMIT finds a page away has its transaction still, unless the file was to shrink", async () => {
    for (const [setup, isKept] of [
      ["", true],
      ["pragma auto_vacuum = full", false],
    ] as const) {
      const { database, connection, space } = await opened(`${setup}; ${TABLES}`);
      connection.close();
      const writer = database.connect();
      writer.exec("begin immediate; delete from t where id < 100");
      space.reads = 0;
      space.missAt = 1;
      let lost = false;
      try {
        writer.raw.command("COMMIT");
      } catch (error) {
        expect(error).toBeInstanceOf(PagesAway);
        space.missAt = 0;
        lost = !writer.raw.writing;
        expect(writer.raw.autocommit).toBe(false);
        writer.raw.command(lost ? "ROLLBACK" : "COMMIT");
      }
      space.missAt = 0;
      expect(lost).toBe(!isKept && space.misses > 0);
      expect(space.misses).toBe(isKept ? 0 : 1);
      writer.close();
      const reader = database.connect();
      expect(reader.value("select count(*) from t")).toBe(isKept ? 21 : 120);
      reader.close();
      expect(database.check()).toEqual(INTACT);
    }
  });
});

describe.each(KINDS)("an integrity check of %s that meets a page", (kind) => {
  const checked = async (error: Error) => {
    let away: AwaySpace | undefined;
    const database = new TestDatabase(await engineOf(kind), (memory) => {
      away = new AwaySpace(memory);
      return away.space;
    });
    const writer = database.connect({ pageBytes: SMALL_PAGES });
    writer.exec(TABLES);
    writer.close();
    const space = away as unknown as AwaySpace;
    space.error = error;
    const outcomes: string[] = [];
    for (let at = 1; ; at += 1) {
      const reader = database.connect();
      reader.rows("select 1 from t where id = 1"); // The schema is loaded.
      [space.reads, space.missAt, space.misses] = [0, at, 0];
      try {
        outcomes.push(JSON.stringify(reader.rows("pragma integrity_check(t)")));
      } catch (thrown) {
        outcomes.push((thrown as { code: string }).code);
      }
      space.missAt = 0;
      reader.close();
      if (space.misses === 0) return outcomes;
    }
  };

  test("that cannot be read now is refused with what the device said, and reports no damage", async () => {
    const refused = ioError("read", "a chunk", new Error("EIO"));
    const outcomes = await checked(refused);
    expect(outcomes.length).toBeGreaterThan(3);
    expect(new Set(outcomes.slice(0, -1))).toEqual(new Set(["BOP_IO"]));
    expect(outcomes.at(-1)).toContain("ok");
  });

  test("that is damaged says so in its report", async () => {
    const details = { file: "a chunk", offset: 0, why: "checksum" };
    const outcomes = await checked(new StorageError("BOP_CORRUPT", "damaged", { details }));
    expect(outcomes.some((found) => found.includes("unable to get the page"))).toBe(true);
  });
});
