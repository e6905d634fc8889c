/**
 * Forks of the past against a model: what a database was after each of its commits, while everything
 * else goes on that changes what is kept of it; and exports of it, the same way.
 *
 * It is over 400 lines because one model serves all of them.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Env } from "../../src/base/env.ts";
import {
  type Database,
  type ExportOptions,
  Manager,
  type ManagerOptions,
} from "../../src/index.ts";
import { type SeededRandom, type SimulatedWorld, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";

beforeEach(() => prepareEngines("sqlite", 12));

const OPTIONS = {
  segmentBytes: 256 * 1024,
  checkpointLogBytes: 16 * 1024 * 1024,
  transactionMemoryBytes: 256 * 1024,
} as const;

type Rows = readonly string[];

const LIVES = 3;
const ROOM_BYTES = 1024 * 1024 * 1024;
/** What checkpoints leave free by default. */
const RESERVE_BYTES = 4 * 1024 * 1024;

/** A store whose database `a` is watched, in one world, through many lives. */
class Watched {
  readonly world: SimulatedWorld;
  readonly dice: SeededRandom;
  /** What `a` was after commits, by LSN, oldest first. */
  readonly moments: { readonly lsn: number; readonly rows: Rows }[] = [];
  readonly forks = new Map<string, Rows>();
  readonly #options: Partial<ManagerOptions>;
  readonly #stores: ReturnType<typeof memoryStores>;
  readonly #rows = new Map<number, string>();
  #manager: Manager | undefined;
  #env: Env | undefined;
  #count = 0;

  constructor(seed: number, options: Partial<ManagerOptions> = {}) {
    this.world = simulatedWorld({ seed });
    this.dice = this.world.random.fork();
    this.#stores = memoryStores(this.world.random.fork());
    this.#options = options;
  }

  get manager(): Manager {
    if (this.#manager === undefined) throw new Error("the store is not open");
    return this.#manager;
  }

  get env(): Env {
    if (this.#env === undefined) throw new Error("the store was never open");
    return this.#env;
  }

  a(): Promise<Database> {
    return this.manager.database("a");
  }

  async open(): Promise<void> {
    const env = this.world.start();
    this.#env = env;
    const openKeyValueStore = this.#stores.openerFor(env);
    const place = { directory: "/store", env, openKeyValueStore };
    this.#manager = await Manager.open({ ...OPTIONS, ...this.#options, ...place });
    const a = await this.a();
    await a.exec("create table if not exists t (k integer primary key, v text)");
    this.#note();
  }

  /** After it nothing is durable but what was acknowledged, which is all that is noted. */
  async die(how: "close" | "kill"): Promise<void> {
    if (how === "close") await this.manager.close();
    this.#manager = undefined;
  }

  async write(): Promise<void> {
    const a = await this.a();
    const { dice } = this;
    const kind = dice.below(10);
    if (kind < 4) await this.#insert(a, 1 + dice.below(30), 1 + dice.below(900));
    else if (kind < 6) await this.#change(a);
    else if (kind < 8) await this.#remove(a);
    else if (kind === 8)
      await this.#insert(a, 400, 900); // Beyond the memory of a transaction.
    else await a.exec("vacuum");
    this.#note();
  }

  async besides(): Promise<void> {
    const kind = this.dice.below(4);
    if (kind === 0) return this.manager.checkpoint();
    const b = await this.manager.database("b");
    await b.exec("create table if not exists u (x)");
    await b.exec(`insert into u values (zeroblob(${this.dice.below(60_000)}))`);
    if (kind === 1) await this.manager.drop("b");
    if (kind === 2) await (await this.a()).snapshot(`s${this.#count++}`);
  }

  /** A fork of a moment, and what it must be. */
  async fork(moment: { readonly lsn: number; readonly rows: Rows }): Promise<Database> {
    const name = `past-${this.#count++}`;
    const fork = await (await this.a()).fork(name, { at: { lsn: moment.lsn } });
    this.forks.set(name, moment.rows);
    return fork;
  }

  /** A database made of the export of a moment. */
  async exported(at: NonNullable<ExportOptions["at"]>): Promise<Database> {
    const name = `exported-${this.#count++}`;
    const file = `/${name}.sqlite`;
    await (await this.a()).export(file, { at });
    await this.manager.import(file, name);
    return this.manager.database(name);
  }

  async #insert(a: Database, count: number, bytes: number): Promise<void> {
    await a.transaction(async (tx) => {
      const insert = tx.prepare("insert into t (k, v) values (?, ?)");
      for (let n = 0; n < count; n += 1) {
        const key = this.dice.below(1_000_000);
        if (this.#rows.has(key)) continue;
        const value = Buffer.from(this.dice.bytes(bytes)).toString("latin1");
        await insert.run(key, value);
        this.#rows.set(key, value);
      }
    });
  }

  async #change(a: Database): Promise<void> {
    for (const key of this.#some(3)) {
      const value = `changed ${this.dice.below(1000)}`;
      await a.prepare("update t set v = ? where k = ?").run(value, key);
      this.#rows.set(key, value);
    }
  }

  async #remove(a: Database): Promise<void> {
    const share = this.dice.below(3);
    const keys = share === 0 ? [...this.#rows.keys()] : this.#some(this.#rows.size / 2);
    await a.transaction(async (tx) => {
      const remove = tx.prepare("delete from t where k = ?");
      for (const key of keys) await remove.run(key);
    });
    for (const key of keys) this.#rows.delete(key);
  }

  #some(count: number): number[] {
    const keys = [...this.#rows.keys()];
    return keys.filter(() => this.dice.below(Math.max(1, keys.length)) < count);
  }

  #note(): void {
    const { durableLsn } = this.manager.diagnostics().log;
    const sorted = [...this.#rows].sort(([a], [b]) => a - b);
    const rows = sorted.map(([key, value]) => `${key} ${value}`);
    this.moments.push({ lsn: durableLsn, rows });
  }
}

async function rowsOf(database: Database): Promise<Rows> {
  const [verdict] = await database.prepare("pragma integrity_check").pluck().all();
  expect(verdict).toBe("ok");
  const there = await database
    .prepare("select count(*) from sqlite_schema where name = 't'")
    .pluck()
    .get();
  if (there === 0) return [];
  const rows = await database
    .prepare<[number, string]>("select k, v from t order by k")
    .raw()
    .all();
  return rows.map(([key, value]) => `${key} ${value}`);
}

/** Steps of one life; a few forks of any moment there was come in between. */
async function liveOn(watched: Watched, steps: number): Promise<void> {
  const { dice, moments } = watched;
  for (let step = 0; step < steps; step += 1) {
    if (dice.below(3) === 0) await watched.besides();
    else await watched.write();
    if (dice.below(6) === 0) {
      const moment = moments[dice.below(moments.length)];
      if (moment === undefined) continue;
      expect(await rowsOf(await watched.fork(moment))).toEqual(moment.rows);
    }
  }
}

async function compareAll({ manager, forks }: Watched): Promise<void> {
  for (const [name, rows] of forks) {
    const fork = await manager.database(name, { create: false });
    expect(await rowsOf(fork)).toEqual(rows);
  }
}

describe("forks of the past", () => {
  // evidence: G23
  test.each([3])(
    "are what the database was at any of its commits, whatever has happened since (seed %i)",
    async (seed) => {
      const watched = new Watched(seed);
      const { world, dice, moments } = watched;
      for (let life = 0; life < LIVES; life += 1) {
        await world.run(async () => {
          await watched.open();
          await liveOn(watched, 10);
          if (life === LIVES - 1) {
            for (const moment of moments) {
              if (dice.below(3) > 0) continue;
              expect(await rowsOf(await watched.fork(moment))).toEqual(moment.rows);
            }
            await watched.manager.checkpoint();
            await compareAll(watched);
          }
          await watched.die(dice.below(2) === 0 ? "close" : "kill");
        });
        world.kill();
      }
    },
    120_000,
  );
});

describe("exports of the past", () => {
  // evidence: G23
  test("are what the database was at any of its commits, and leave nothing in the store", async () => {
    const watched = new Watched(11);
    const { world, moments } = watched;
    await world.run(async () => {
      await watched.open();
      const { manager } = watched;
      for (let step = 0; step < 24; step += 1) {
        await watched.write();
        if (step % 7 === 6) await manager.checkpoint();
      }
      for (const [n, { lsn, rows }] of moments.entries()) {
        if (n % 3 === 0) expect(await rowsOf(await watched.exported({ lsn }))).toEqual(rows);
      }
      const a = await watched.a();
      await a.snapshot("kept");
      const kept = moments.at(-1)?.rows;
      await watched.write();
      expect(await rowsOf(await watched.exported({ snapshot: "kept" }))).toEqual(kept);
      const before = manager.diagnostics().databases.known;
      await a.export("/once.sqlite", { at: { lsn: moments[1]?.lsn ?? 0 } });
      const again = a.export("/once.sqlite", { at: { lsn: moments[1]?.lsn ?? 0 } });
      await expect(again).rejects.toMatchObject({ code: "BOP_EXISTS" });
      await expect(a.export("/never.sqlite", { at: { lsn: 0 } })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      const { log, databases } = manager.diagnostics();
      const ahead = a.export("/ahead.sqlite", { at: { lsn: log.newestLsn + 4096 } });
      await expect(ahead).rejects.toThrow(RangeError);
      expect(databases.known).toBe(before);
      const files = (await watched.env.storage.list("/")).filter((name) =>
        /never|ahead/.test(name),
      );
      expect(files).toEqual([]);
      await manager.close();
    });
  }, 60_000);
});

describe("the history window", () => {
  test("moves on by bytes: what is above its beginning can be had, and the rest says so", async () => {
    const watched = new Watched(40, { historyBytes: 2 * 1024 * 1024 });
    const { world, moments } = watched;
    await world.run(async () => {
      await watched.open();
      for (let step = 0; step < 36; step += 1) {
        await watched.write();
        if (step % 5 === 4) await watched.manager.checkpoint();
      }
      const { fromLsn, bytes } = watched.manager.diagnostics().log.history;
      expect(fromLsn).toBeGreaterThan(moments[5]?.lsn ?? 0);
      expect(bytes).toBeLessThanOrEqual(2 * 1024 * 1024);
      for (const [n, moment] of moments.entries()) {
        if (n % 4 > 0) continue;
        if (moment.lsn < fromLsn) {
          const gone = { code: "BOP_SNAPSHOT_GONE", details: { database: "a" } };
          await expect(watched.fork(moment)).rejects.toMatchObject(gone);
        } else expect(await rowsOf(await watched.fork(moment))).toEqual(moment.rows);
      }
      await watched.manager.close();
    });
  }, 120_000);

  test("may move on while a fork of the past is being made, which is whole all the same", async () => {
    const watched = new Watched(41, { historyBytes: 256 * 1024 });
    await watched.world.run(async () => {
      await watched.open();
      for (let step = 0; step < 10; step += 1) await watched.write();
      const { manager, moments } = watched;
      const forks = moments.map((moment) => ({ moment, fork: watched.fork(moment) }));
      for (let round = 0; round < 3; round += 1) {
        await watched.write();
        await manager.checkpoint();
      }
      for (const { moment, fork } of forks) expect(await rowsOf(await fork)).toEqual(moment.rows);
      await expect(watched.fork(moments[0] ?? { lsn: 0, rows: [] })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      await manager.close();
    });
  }, 60_000);

  test("finds a moment by its time, also where the clock was set back", async () => {
    const watched = new Watched(42);
    const { world } = watched;
    await world.run(async () => {
      await watched.open();
      const a = await watched.a();
      const times: Date[] = [];
      for (let n = 0; n < 6; n += 1) {
        await watched.env.clock.sleep(1000);
        await a.prepare("insert into t (k, v) values (?, 'x')").run(n);
        await watched.env.clock.sleep(500);
        times.push(new Date(watched.env.clock.wallMs()));
        if (n === 2) await watched.manager.checkpoint();
      }
      for (const [n, at] of times.entries()) {
        const fork = await a.fork(`at-${n}`, { at });
        expect(await fork.prepare("select count(*) from t").pluck().get()).toBe(n + 1);
      }
      const setBackAt = new Date(watched.env.clock.wallMs());
      world.jumpWall(-10_000);
      await a.prepare("insert into t (k, v) values (99, 'late')").run();
      // What is committed since the clock was set back is no older than what was before.
      const before = await a.fork("before", { at: times.at(-2) ?? new Date(0) });
      expect(await before.prepare("select count(*) from t").pluck().get()).toBe(5);
      const newest = await a.fork("newest", { at: setBackAt });
      expect(await newest.prepare("select count(*) from t").pluck().get()).toBe(7);
      const future = { at: new Date(watched.env.clock.wallMs() + 60_000) };
      await expect(a.fork("future", future)).rejects.toThrow(RangeError);
      await expect(a.fork("ahead", { at: { lsn: 2 ** 40 } })).rejects.toThrow(RangeError);
      await expect(a.fork("long-ago", { at: new Date(0) })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      await watched.manager.close();
    });
  }, 60_000);

  test("gives way to a checkpoint that finds no room", async () => {
    const watched = new Watched(44, { checkpointLogBytes: 1024 * 1024 * 1024 });
    const { world } = watched;
    await world.run(async () => {
      await watched.open();
      const b = await watched.manager.database("b");
      await b.exec("create table u (x)");
      const put = b.prepare("insert into u values (randomblob(200000))");
      for (let n = 0; n < 20; n += 1) await put.run();
      await watched.manager.checkpoint();
      for (let n = 0; n < 12; n += 1) await put.run();
      const before = watched.manager.diagnostics().log.history.segments;
      expect(before).toBeGreaterThan(10);
      const { env } = watched;
      world.disk.capacityBytes = ROOM_BYTES;
      const usedBytes = ROOM_BYTES - (await env.storage.freeBytes("/store"));
      world.disk.capacityBytes = usedBytes + RESERVE_BYTES;
      await watched.manager.checkpoint();
      expect(watched.manager.diagnostics().log.history.segments).toBeLessThan(before);
      world.disk.capacityBytes = Number.POSITIVE_INFINITY;
      await watched.manager.close();
    });
  }, 60_000);

  test("of 0 ms is none: what a checkpoint has folded is gone, and the log takes no more room", async () => {
    const watched = new Watched(43, { historyMs: 0 });
    await watched.world.run(async () => {
      await watched.open();
      for (let step = 0; step < 8; step += 1) await watched.write();
      await watched.manager.checkpoint();
      const { history } = watched.manager.diagnostics().log;
      expect(history).toMatchObject({ bytes: 0, segments: 0 });
      const [first] = watched.moments;
      await expect(watched.fork(first ?? { lsn: 0, rows: [] })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      await watched.manager.close();
    });
  }, 60_000);
});

describe("a crash while the past is forked", () => {
  // evidence: G3, G23
  test("leaves the fork, whole, or nothing of it", async () => {
    const outcomes = new Set<string>();
    for (let n = 1; n <= 11; n += 1) {
      const how = n % 2 === 0 ? "power" : "kill";
      await prepareEngines("sqlite", 4);
      const watched = new Watched(500 + n);
      const { world, moments } = watched;
      let isForked = false;
      const life = world.run(async () => {
        await watched.open();
        for (let step = 0; step < 6; step += 1) await watched.write();
        const moment = moments[4];
        if (moment === undefined) throw new Error("there are five moments");
        world.disk.crashAt(n, how);
        await watched.fork(moment);
        isForked = true;
        await watched.env.clock.sleep(200);
      });
      await life.catch((error) => {
        if (world.alive) throw error;
      });
      if (world.alive) world.kill();
      await world.run(async () => {
        await watched.open();
        const names = (await watched.manager.list()).map(({ name }) => name);
        const [name, rows] = ["past-0", moments[4]?.rows];
        outcomes.add(String(names.includes(name)));
        if (isForked) expect(names).toContain(name);
        if (names.includes(name)) {
          expect(await rowsOf(await watched.manager.database(name))).toEqual(rows);
        }
        await watched.manager.close();
      });
      world.kill();
    }
    expect([...outcomes].sort()).toEqual(["false", "true"]);
  }, 120_000);
});
