/**
 * WATCHED: a store in a simulated world, and what one of its databases was after each of its commits.
 * What is read of its past later is compared with that.
 */
import { expect } from "vitest";
import type { Env } from "../../src/base/env.ts";
import {
  type Database,
  type ExportOptions,
  Manager,
  type ManagerOptions,
} from "../../src/index.ts";
import { type SeededRandom, type SimulatedWorld, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";

const OPTIONS = {
  segmentBytes: 256 * 1024,
  checkpointLogBytes: 16 * 1024 * 1024,
  transactionMemoryBytes: 256 * 1024,
} as const;

export type Rows = readonly string[];

/** A store whose database `a` is watched, in one world, through many lives. */
export class Watched {
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

export async function rowsOf(database: Database): Promise<Rows> {
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
