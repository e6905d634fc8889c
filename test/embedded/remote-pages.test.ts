/** SQL over pages that are in the bucket and not here: a real store, whose chunk files are gone. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import {
  type Database,
  type Manager,
  type ObjectStore,
  openObjectStore,
  StorageError,
} from "../../src/index.ts";
import { openStore, temporaryDirectory } from "../support/store.ts";

const ROWS = 350;
const BODY_BYTES = 4000;

const bodies: Uint8Array[] = [];

/** Bytes that no codec makes smaller, the same each time. */
function bodyOf(row: number): Uint8Array {
  bodies[row] ??= makeBody(row);
  return bodies[row];
}

function makeBody(row: number): Uint8Array {
  const body = new Uint8Array(BODY_BYTES);
  let state = row * 2654435761;
  for (let index = 0; index < BODY_BYTES; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    body[index] = state >>> 24;
  }
  return body;
}

/** More than a megabyte: too large to be fetched at the first miss. */
async function fill(database: Database): Promise<void> {
  await database.exec(`
    create table t (id integer primary key, n integer, body blob);
    create index t_n on t (n);
    create table log (id integer primary key, what text)`);
  await database.transaction(async (tx) => {
    const insert = tx.prepare("insert into t values (?, ?, ?)");
    for (let row = 1; row <= ROWS; row++) await insert.run(row, (row * 7) % 100, bodyOf(row));
  });
}

/** A bucket whose chunks can be held back, or refused. */
class Bucket {
  readonly store: ObjectStore;
  gets = 0;
  #refusal: StorageError | undefined;
  #held: Promise<void> | undefined;
  #letGo: () => void = () => {};

  constructor(beneath: ObjectStore) {
    const get: ObjectStore["get"] = async (key, options) => {
      if (key.includes("chunks/")) {
        this.gets += 1;
        if (this.#refusal !== undefined) throw this.#refusal;
        await this.#held;
      }
      return beneath.get(key, options);
    };
    this.store = new Proxy(beneath, {
      get: (target, name) => {
        if (name === "get") return get;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#letGo = resolve;
    });
  }

  letGo(): void {
    this.#held = undefined;
    this.#letGo();
  }

  refuse(reason: boolean): void {
    const details = { store: "it", operation: "get", key: "chunks", reason: "permission" } as const;
    this.#refusal = reason
      ? new StorageError("BOP_SINK_REFUSED", "not allowed", { details })
      : undefined;
  }
}

interface Cold {
  readonly manager: Manager;
  readonly bucket: Bucket;
}

/** A store whose databases lie in the bucket, but for what opening it needs. */
async function coldStore(names: readonly string[]): Promise<Cold> {
  const directory = await temporaryDirectory();
  const folder = pathToFileURL(await temporaryDirectory()).href;
  const warm = await openStore({ directory, sink: folder });
  for (const name of names) await fill(await warm.database(name));
  await warm.close();
  const chunks = join(directory, "chunks");
  for (const entry of await readdir(chunks)) await rm(join(chunks, entry), { recursive: true });
  const bucket = new Bucket(await openObjectStore(folder));
  const manager = await openStore({ directory, sink: bucket.store });
  return { manager, bucket };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof StorageError ? error.code : String(error);
  }
}

/** Whether a promise has settled when others have had a hundred turns. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  let open = true;
  const settled = (): void => {
    open = false;
  };
  promise.then(settled, settled);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  return open;
}

async function rowsOf(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

const SUM = "select count(*) as rows, sum(n) as n, sum(length(body)) as bytes from t";

/** Each on a database of its own. */
const KINDS: Readonly<Record<string, (database: Database) => Promise<unknown>>> = {
  read: async (database) => [
    await database.prepare("select n from t where id = 77").get(),
    await database.prepare(SUM).get(),
  ],
  write: async (database) => [
    await database.prepare("update t set n = n + 1 where n between 10 and 20").run(),
    await database.prepare("insert into t (n, body) select n, body from t where id % 9 = 0").run(),
    await database.prepare("select sum(n), count(*) from t").get(),
  ],
  together: async (database) => {
    const answers = await Promise.all([
      ...[3, 99, 200, 301].map((id) =>
        database.prepare("update t set n = 0, body = zeroblob(9) where id = ?").run(id),
      ),
      database.prepare("insert into log (what) values ('a')").run(),
      database.batch(["insert into log (what) values ('b')", "delete from t where n = 13"]),
    ]);
    return answers.flat().map(({ changes, lastInsertRowid }) => [changes, lastInsertRowid]);
  },
  script: async (database) => {
    await database.exec(`
      insert into log (what) values ('once');
      update t set n = n + 1000 where id > 300;
      begin; insert into log select id + 10, 'many' from t where n = 5; delete from t where n = 6;
      commit;
      insert into log (what) select 'last' from t where id = 250`);
    return database.prepare("select (select count(*) from log), sum(n) from t").get();
  },
  iterator: async (database) => [
    await rowsOf(database.prepare("select id, n from t where length(body) > 5").iterate()),
    (await rowsOf(database.prepare("select random() % 9 from t where length(body) > 5").iterate()))
      .length,
  ],
  transaction: async (database) => {
    const changes = await database.transaction(async (tx) => {
      await tx.exec("insert into log (what) values ('tx')");
      const { changes } = await tx.prepare("delete from t where n in (1, 2, 3)").run();
      await tx.transaction((inner) => inner.exec("update t set n = -1 where id = 349"));
      return changes;
    });
    const sums = await database.transaction((tx) => tx.prepare(SUM).get(), { mode: "read" });
    return [changes, sums, await database.prepare("select * from log").all()];
  },
  connection: async (database) => {
    const connection = await database.connect();
    await connection.exec("begin");
    const run = connection.prepare("update t set n = n * 2 where n > 90").run();
    const counters = connection.prepare("select changes(), total_changes()").raw().get();
    const answers: unknown[] = [(await run).changes, await counters];
    await connection.exec("savepoint s; delete from t where id < 200; rollback to s; commit");
    answers.push(await connection.prepare(SUM).get());
    await connection.close();
    return answers;
  },
  check: async (database) => [
    await database.pragma("integrity_check"),
    await database.describe("select n, body from t").then(({ columns }) => columns.length),
  ],
};

// evidence: G40
test("statements of every kind give over remote pages what they give over local ones", async () => {
  const kinds = Object.keys(KINDS);
  const { manager, bucket } = await coldStore(kinds);
  const local = await openStore();
  for (const kind of kinds) {
    const work = KINDS[kind] as (database: Database) => Promise<unknown>;
    await fill(await local.database(kind));
    const warm = await local.database(kind);
    const before = bucket.gets;
    expect(strip(await work(await manager.database(kind))), kind).toEqual(strip(await work(warm)));
    expect(bucket.gets, kind).toBeGreaterThan(before);
  }
});

/** Positions in two logs differ. */
function strip(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer, (key, value) => (key === "lsn" ? 0 : asText(value))));
}

function asText(value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

test("exports, forks, moments and jobs read remote pages", async () => {
  const { manager } = await coldStore(["export", "fork", "job"]);
  const path = join(await temporaryDirectory(), "copy.sqlite");
  await (await manager.database("export")).export(path);
  const back = await openStore();
  await back.import(path, "back");
  const sums = await (await back.database("back")).prepare(SUM).get();
  expect(sums).toMatchObject({ rows: ROWS, bytes: ROWS * BODY_BYTES });
  const source = await manager.database("fork");
  const fork = await source.fork("branch");
  await source.prepare("delete from t where id > 100").run();
  expect(await fork.prepare(SUM).get()).toEqual(sums);
  const { id } = await manager.verifyDatabase("job");
  expect(await manager.job(id).finished()).toMatchObject({ result: "ok" });
});

test("who waits for pages holds up neither another database nor readers of his own", async () => {
  const { manager, bucket } = await coldStore(["one", "two"]);
  const one = await manager.database("one");
  const two = await manager.database("two");
  await two.prepare(SUM).get();
  const known = one.prepare("select n from t where id = 1");
  expect(await known.get()).toEqual({ n: 7 });
  bucket.hold();
  const reading = one.prepare(SUM).get();
  const writing = one.prepare("update t set body = null where id = 340").run();
  const behind = one.prepare("update t set n = 8 where id = 1").run();
  expect(await isOpen(reading)).toBe(true);
  expect(await known.get()).toEqual({ n: 7 });
  await two.prepare("insert into log (what) values ('meanwhile')").run();
  expect(await two.prepare(SUM).get()).toMatchObject({ rows: ROWS });
  expect([await isOpen(reading), await isOpen(writing), await isOpen(behind)]).toEqual(
    Array(3).fill(true),
  );
  bucket.letGo();
  expect((await writing).changes).toBe(1);
  expect((await behind).changes).toBe(1);
  expect(await reading).toMatchObject({ rows: ROWS });
  expect(await known.get()).toEqual({ n: 8 });
});

test("a wait for pages ends when its time is over, its caller gives up, or the store closes", async () => {
  const { manager, bucket } = await coldStore(["one"]);
  const one = await manager.database("one");
  await one.prepare("select n from t where id = 1").get();
  bucket.hold();
  expect(await codeOf(one.execute(SUM, [], { timeoutMs: 20 }))).toBe("BOP_TIMEOUT");
  const update = "update t set body = null where id = 340";
  expect(await codeOf(one.execute(update, [], { timeoutMs: 20 }))).toBe("BOP_TIMEOUT");
  expect(await codeOf(one.exec(`begin; ${update}; commit`, { timeoutMs: 20 }))).toBe("BOP_TIMEOUT");
  const slow = one.transaction((tx) => tx.prepare(update).run(), { timeoutMs: 20 });
  expect(await codeOf(slow)).toBe("BOP_TIMEOUT");
  const controller = new AbortController();
  const aborted = one.transaction((tx) => tx.prepare(update).run(), { signal: controller.signal });
  expect(await isOpen(aborted)).toBe(true);
  controller.abort(new Error("no more"));
  await expect(aborted).rejects.toThrow("no more");
  const waiting = [
    one.prepare(SUM).get(),
    one.prepare(update).run(),
    rowsOf(one.prepare("select length(body) from t").iterate()),
  ].map(codeOf);
  expect(await isOpen(Promise.race(waiting))).toBe(true);
  await manager.close();
  expect(await Promise.all(waiting)).toEqual(Array(3).fill("BOP_CLOSED"));
});

test("a bucket that says no fails the statement that needs it, and nothing else", async () => {
  const { manager, bucket } = await coldStore(["one"]);
  const one = await manager.database("one");
  await one.prepare("select n from t where id = 1").get();
  bucket.refuse(true);
  const update = "update t set body = null where id = 340";
  const [known, refused, behind] = await Promise.all([
    codeOf(one.prepare("insert into log (what) values ('before')").run()),
    codeOf(one.prepare(update).run()),
    codeOf(one.prepare("insert into log (what) values ('behind')").run()),
  ]);
  expect([known, refused, behind]).toEqual(["none", "BOP_SINK_REFUSED", "none"]);
  expect(await codeOf(one.prepare(SUM).get())).toBe("BOP_SINK_REFUSED");
  await one.transaction(async (tx) => {
    await tx.exec("insert into log (what) values ('in the transaction')");
    expect(await codeOf(tx.prepare(update).run())).toBe("BOP_SINK_REFUSED");
    await tx.exec("insert into log (what) values ('it goes on')");
  });
  bucket.refuse(false);
  expect((await one.prepare(update).run()).changes).toBe(1);
  expect(await one.prepare("select what from log order by id").pluck().all()).toEqual([
    "before",
    "behind",
    "in the transaction",
    "it goes on",
  ]);
  expect(await one.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
});
