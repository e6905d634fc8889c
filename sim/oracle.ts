/**
 * THE ORACLE: compares an open store with the model, and takes what is there as the new beginning.
 *
 * (1) Which transactions are there is decided first, for all databases, and adopted: from then on
 *     they have been shown and must stay, whatever happens during the rest of the comparison.
 * (2) Then every row must be what these transactions made, and every database must be intact.
 */
import type { Database, Manager, Queryable } from "../src/index.ts";
import type { DatabaseModel } from "./database-model.ts";
import { promise } from "./failure.ts";
import type { Life } from "./life.ts";
import { ACCOUNTS, BALANCE, itemText, parseOps, READ_OPS, type State } from "./state.ts";

export interface Found {
  readonly database: Database;
  readonly model: DatabaseModel;
}

/** Throws a BrokenPromise unless the store holds what it must hold. Returns what it holds. */
export async function verify(life: Life, manager: Manager): Promise<Found[]> {
  const found = await adopt(life, manager);
  for (const each of found) await verifyContent(each);
  life.assertAlive();
  life.simulation.tally.add("verifications");
  return found;
}

/** See (1): nothing else is read. */
export async function adopt(life: Life, manager: Manager): Promise<Found[]> {
  const { catalogue, faulty, isUnheard, tally } = life.simulation;
  const names = (await manager.list()).map(({ name }) => name);
  const databases = new Map<string, Database>();
  const present = new Map<string, number[]>();
  for (const name of names) {
    const database = await manager.database(name, { create: false });
    databases.set(name, database);
    present.set(name, await opsOf(database));
  }
  life.assertAlive();
  const of = (name: string) => present.get(name) ?? [];
  const recovered = catalogue.recover(names, (name, model) =>
    model.problemWith(of(name), { holes: faulty || isUnheard }),
  );
  life.simulation.isUnheard = false;
  const found: Found[] = [];
  for (const [name, model] of recovered) {
    const database = databases.get(name);
    promise(database !== undefined, `${name} was listed and cannot be opened`);
    model.adopt(of(name));
    found.push({ database, model });
    tally.add("transactions found", of(name).length);
  }
  return found;
}

/** The transactions that are there, in order. */
export async function opsOf(database: Queryable): Promise<number[]> {
  const query = "select count(*) from sqlite_schema where name = 'op'";
  if ((await database.prepare(query).pluck().get()) === 0) return [];
  return parseOps(await database.prepare(READ_OPS).pluck().get());
}

/** A moment that was kept holds exactly what its model had been told of. */
export async function verifyMoment(moment: Queryable, model: DatabaseModel): Promise<void> {
  const problem = model.problemWith(await opsOf(moment), { holes: false });
  promise(problem === undefined, () => `${model.label}: a moment shows ${problem}`);
  await verifyContent({ database: moment, model });
}

export async function verifyContent({ database, model }: Content): Promise<void> {
  const ids = await opsOf(database);
  const verdict = await database.pragma("integrity_check");
  const isIntact = verdict.length === 1 && verdict[0]?.integrity_check === "ok";
  promise(isIntact, () => `${model.label} is damaged: ${JSON.stringify(verdict)}`);
  if (ids.length === 0) return;
  const state = model.stateAfter(ids);
  await verifyAccounts(database, { model, state });
  await verifyItems(database, { model, state });
}

export interface Content {
  readonly database: Queryable;
  readonly model: DatabaseModel;
}

interface Expected {
  readonly model: DatabaseModel;
  readonly state: State;
}

async function verifyAccounts(database: Queryable, { model, state }: Expected): Promise<void> {
  const query = "select id, balance from account order by id";
  const rows = await database.prepare(query).raw<[number, number]>().all();
  const there = JSON.stringify(rows);
  const wanted = JSON.stringify([...state.accounts].sort(([a], [b]) => a - b));
  promise(there === wanted, () => `${model.label}: accounts are ${there}, not ${wanted}`);
  const sum = rows.reduce((total, [, balance]) => total + balance, 0);
  promise(sum === ACCOUNTS * BALANCE, () => `${model.label}: money was made, ${sum} in all`);
}

async function verifyItems(database: Queryable, { model, state }: Expected): Promise<void> {
  const query = "select key, version, text from item order by key";
  const rows = await database.prepare(query).raw<[number, number, string]>().all();
  for (const [key, version, text] of rows) {
    const item = state.items.get(key);
    promise(item !== undefined, () => `${model.label}: item ${key} should not be there`);
    promise(item.version === version, () => `${model.label}: item ${key} is of ${version}`);
    promise(text === itemText(key, item), () => `${model.label}: item ${key} has a wrong text`);
  }
  const { size } = state.items;
  promise(rows.length === size, () => `${model.label}: ${rows.length} items, not ${size}`);
}
