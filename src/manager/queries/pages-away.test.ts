/**
 * SQL WHILE PAGES COME AND GO: two stores do the same work, by seed. In one of them any read may find
 * its page away, as often as the seed wills. Both answer the same, to everybody, and end the same.
 */
import { beforeAll, expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import type { PageNumber } from "../../base/units.ts";
import { seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { PagesAway, type Snapshot } from "../../page-store/index.ts";
import { SimulatedStore, simulatedService } from "../../sink/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Connection } from "../api/connection.ts";
import type { Database } from "../api/database.ts";
import { databaseName } from "../catalogue/names.ts";
import { StoreManager } from "../manager.ts";
import { openStore } from "../opening/opening.ts";
import { resolveManagerOptions } from "../resolve-options.ts";

type Rng = ReturnType<typeof seeded>;

/** Pages of the open database that have been brought; undefined: none is ever away. */
interface Absence {
  readonly here: Set<number>;
  /** False while calls are made whose order is to be the same in both stores. */
  goes: boolean;
  misses: number;
}

interface World {
  /** Another handle. */
  readonly database: () => Promise<Database>;
  readonly absence: Absence;
  /** Closes connections, so that the pages in their caches are read anew. */
  readonly forget: () => void;
}

/** Runs `work` on a store of its own in a world of its own. */
async function inStore<T>(rng: Rng | undefined, work: (world: World) => Promise<T>): Promise<T> {
  const world = simulatedWorld({ seed: 3 });
  const env = world.start();
  return world.run(async () => {
    const sink = new SimulatedStore({ service: simulatedService(3), clock: env.clock });
    const openKeyValueStore = memoryStores(seeded(3)).openerFor(env);
    const given = { directory: "/store", env, openKeyValueStore, sink, segmentBytes: 1024 * 1024 };
    const store = await openStore(resolveManagerOptions(given));
    const manager = new StoreManager(store);
    const absence: Absence = { here: new Set(), goes: true, misses: 0 };
    const { residency } = store.parts.pages;
    Object.defineProperty(residency, "mayHaveRemotePages", { get: () => rng !== undefined });
    await manager.database("it", { pageBytes: 512 });
    const { stream } = present(store.catalogue.databases.find(databaseName("it")), "it was made");
    const open = await store.database(stream);
    const { space } = open;
    const read = space.read.bind(space);
    if (rng !== undefined) {
      space.read = (snapshot: Snapshot, pageNumber: PageNumber) => {
        const isHere = !absence.goes || absence.here.has(pageNumber);
        if (isHere || rng.below(2) > 0) return read(snapshot, pageNumber);
        absence.misses += 1;
        throw new PagesAway({ database: "it", pageNumber }, async () => {
          await env.clock.sleep(rng.below(3));
          absence.here.add(pageNumber);
        });
      };
    }
    try {
      return await work({
        database: () => manager.database("it"),
        absence,
        forget: () => {
          absence.here.clear();
          if (open.idle) open.trim();
        },
      });
    } finally {
      absence.here.clear();
      await manager.close();
    }
  });
}

async function told(promise: Promise<unknown> | undefined): Promise<unknown> {
  try {
    return JSON.parse(
      JSON.stringify(await promise, (key, value) =>
        key === "lsn" ? 0 : typeof value === "bigint" ? `${value}n` : value,
      ) ?? "null",
    );
  } catch (error) {
    const { sqliteCode, code, message } = error as Record<string, unknown>;
    return { error: sqliteCode ?? code ?? message };
  }
}

const WRITES: readonly ((n: number) => string)[] = [
  (n) => `insert into t (a, b) values (${n}, hex(zeroblob(${n % 60})))`,
  (n) => `insert into t (a, b) select a + ${n}, b from t where id % 5 = 1 limit 9`,
  (n) => `update t set a = a + 1, b = b || 'y' where id % 7 = ${n % 7}`,
  (n) => `delete from t where id % 23 = ${n % 23}`,
  (n) => `insert into u values (${n % 20})`,
  (n) => `insert or rollback into u values (${n % 20})`,
  (n) => `insert or fail into u values (${n + 1000}), (${n % 20})`,
  (n) => `insert into t (a) select last_insert_rowid() + ${n}`,
  (n) => `insert into t (a) select last_insert_rowid() + id from t where id > ${n} limit 12`,
  (n) => `create table if not exists x${n % 3} as select a from t where id < ${n}`,
  (n) => `drop table if exists x${n % 3}`,
];
const READS: readonly ((n: number) => string)[] = [
  (n) => `select count(*) as n, sum(a) as a, sum(length(b)) as b from t where id > ${n % 40}`,
  (n) => `select id, a from t where a > ${n} order by a, id limit 5`,
  () => "select (select count(*) from u) as u, (select count(*) from log) as log",
  () => "select changes() as c, total_changes() as t, last_insert_rowid() as l",
  () => "pragma integrity_check",
];

function pick(rng: Rng, from: readonly ((n: number) => string)[]): string {
  return (from[rng.below(from.length)] as (n: number) => string)(rng.below(100));
}

const REFILL = `with recursive n(x) as (select 1 union all select x + 1 from n where x < 50)
  insert or ignore into t select x, x, hex(zeroblob(50)) from n`;

/** What some callers do at the same time; the answers come in their order. */
type Wave = (handles: readonly Database[], absence: Absence) => Promise<unknown>;

function waveOf(rng: Rng): Wave {
  const write = () => pick(rng, WRITES);
  const read = () => pick(rng, READS);
  const [one, two, three, four, five] = [write(), write(), write(), write(), write()];
  const [look, look2, batch] = [read(), read(), [write(), write()]];
  const rest = rng.below(2) === 0;
  switch (rng.below(8)) {
    case 0:
      return ([a, b, c], absence) => {
        absence.goes = false;
        const answers = Promise.all([
          told(a?.prepare(one).run()),
          told(b?.prepare(two).run()),
          told(c?.batch(batch)),
          told(a?.prepare(three).run()),
          told(b?.exec(`${four}; begin; ${five}; ${one}; commit`)),
          told(c?.prepare(five).run()),
        ]);
        absence.goes = true;
        return answers;
      };
    case 1:
      return ([a]) =>
        Promise.all([
          told(a?.prepare(one).run()),
          told(a?.batch(batch)),
          told(a?.prepare(two).run()),
          told(a?.exec(`${three}; ${four}`)),
          told(a?.prepare(five).run()),
        ]);
    case 2:
      return async ([a, b]) => [await told(a?.execute(look)), await told(b?.prepare(look2).all())];
    case 3:
      return ([a]) =>
        told(
          a?.transaction(async (tx) => {
            const answers = [await told(tx.prepare(one).run()), await told(tx.prepare(look).all())];
            const inner = tx.transaction(async (nested) => {
              await nested.exec(`${two}; ${three}`);
              if (rest) throw new Error("no");
            });
            answers.push(await told(inner), await told(tx.prepare(look2).all()));
            return answers;
          }) as Promise<unknown>,
        );
    case 4:
      return async ([a]) => {
        const connection = (await a?.connect()) as Connection;
        const calls = ["begin", one, look, "savepoint s", two, "rollback to s", three, look2];
        const end = connection.inTransaction ? "rollback" : rest ? "commit" : "rollback";
        const answers = await Promise.all(calls.map((sql) => told(connection.prepare(sql).all())));
        if (connection.inTransaction) answers.push(await told(connection.prepare(end).all()));
        await connection.close();
        return answers;
      };
    case 5:
      return async ([a]) => {
        const rows: unknown[] = [];
        for await (const row of a?.prepare("select id, a, b from t").iterate() ?? []) {
          rows.push(row);
          if (rest && rows.length > 30) break;
        }
        return rows;
      };
    case 6:
      return async ([a, b]) => [
        await told(a?.batch(batch)),
        await told(a?.prepare(one).run()),
        await told(a?.prepare("select changes(), total_changes(), last_insert_rowid()").all()),
        // Frees pages in the middle of the file, where the last ones go when it shrinks.
        await told(b?.transaction((tx) => tx.exec("delete from t where id < 50; delete from log"))),
        await told(b?.exec(`insert into t (id, b) select id + 1000, b from t limit 20; ${REFILL}`)),
      ];
    default:
      return ([a]) =>
        told(
          a?.transaction(
            async (tx) => [await told(tx.prepare(look).all()), await told(tx.prepare(one).run())],
            { mode: "deferred" },
          ) as Promise<unknown>,
        );
  }
}

const WAVES = 25;

async function outcomeOf(seed: number, rng: Rng | undefined) {
  return inStore(rng, async ({ database, absence, forget }) => {
    const choices = seeded(seed);
    const handles = [await database(), await database(), await database()];
    const [first] = handles as [Database];
    await first.exec(`
      create table t (id integer primary key, a integer, b text);
      create index t_a on t (a);
      create table u (a unique);
      create table log (n);
      create trigger t_log after insert on t begin insert into log values (new.a); end;
      with recursive n(x) as (select 1 union all select x + 1 from n where x < 80)
        insert into t select x, x * 7 % 31, hex(zeroblob(x % 70)) from n`);
    const connection = await first.connect();
    if (seed % 2 === 0) await connection.exec("pragma auto_vacuum = full; vacuum");
    await connection.close();
    const answers: unknown[] = [await first.pragma("auto_vacuum")];
    for (let n = 0; n < WAVES; n++) {
      forget();
      answers.push(await waveOf(choices)(handles, absence));
    }
    for (const table of ["t", "u", "log"]) {
      answers.push(await first.prepare(`select * from ${table}`).all());
    }
    for (const { execute } of handles.map((handle) => ({ execute: handle.execute.bind(handle) }))) {
      answers.push(await told(execute("select changes(), total_changes(), last_insert_rowid()")));
    }
    answers.push(await first.pragma("integrity_check"));
    return { answers, misses: absence.misses };
  });
}

// Of each store one: simulated time does not wait for a build that is compiled.
beforeAll(() => prepareEngines("sqlite", 8));

// evidence: G40
test.each([1, 2, 3, 4])(
  "seed %i: whatever is away, all answers and the end are the same",
  async (seed) => {
    const local = await outcomeOf(seed, undefined);
    const away = await outcomeOf(seed, seeded(seed + 1000));
    expect(away.misses).toBeGreaterThan(100);
    for (const [index, answer] of local.answers.entries()) {
      expect(away.answers[index], `wave ${index}`).toEqual(answer);
    }
    expect(local.answers.at(-1)).toEqual([{ integrity_check: "ok" }]);
  },
);

/** Whatever is not here is away, and takes two milliseconds to come. */
const ALL_AWAY: Rng = Object.assign(seeded(1), { below: (n: number) => (n === 3 ? 2 : 0) });
const LOOK = "select x from u";

/** A handle on which a call waits for the pages that it takes to compile its text, if any is away. */
async function withCallWaiting(
  rng: Rng | undefined,
  body: (handle: Database) => Promise<void>,
): Promise<void> {
  await inStore(rng, async ({ database, absence, forget }) => {
    const handle = await database();
    await handle.exec("create table t (a)");
    forget();
    const { misses } = absence;
    const made = handle.prepare("create table u as select 7 as x").run();
    expect(absence.misses > misses).toBe(rng !== undefined);
    await Promise.all([body(handle), made]);
  });
}

const PLACES = [
  ["here", undefined],
  ["away", ALL_AWAY],
] as const;

test.each(PLACES)(
  "what a handle is asked for comes behind the call before, its pages %s",
  async (_, rng) => {
    for (const mode of ["immediate", "deferred", "read"] as const) {
      await withCallWaiting(rng, async (handle) => {
        const look = handle.transaction((tx) => tx.prepare(LOOK).pluck().get(), { mode });
        expect(await look, mode).toBe(7);
      });
    }
    await withCallWaiting(rng, async (handle) => {
      const fork = await handle.fork("copy");
      expect(await fork.prepare(LOOK).pluck().get()).toBe(7);
    });
    await withCallWaiting(rng, async (handle) => {
      await handle.snapshot("then");
      const then = await handle.openSnapshot("then");
      expect(await then.prepare(LOOK).pluck().get()).toBe(7);
      await then.close();
    });
    await withCallWaiting(rng, async (handle) => {
      const { columns } = await handle.describe(LOOK);
      expect(columns.map(({ name }) => name)).toEqual(["x"]);
    });
  },
);

test("who waits behind a call that pages are brought for is refused in time, or when it gives up", async () => {
  await withCallWaiting(ALL_AWAY, async (handle) => {
    const giving = new AbortController();
    const { signal } = giving;
    const limits = [{ timeoutMs: 1 }, { timeoutMs: 1, mode: "read" }, { signal }] as const;
    const waiting = limits.map((each) => told(handle.transaction(() => 1, each)));
    giving.abort(new Error("enough"));
    const late = { error: "BOP_TIMEOUT" };
    expect(await Promise.all(waiting)).toEqual([late, late, { error: "enough" }]);
  });
});
