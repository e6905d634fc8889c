/** WHAT IS IN A STORE that was left somehow: opened, read by SQL, checked by SQLite, and closed. */
import { type Database, Manager } from "../../src/index.ts";
import type { Found } from "./ledger.ts";

export async function look(directory: string): Promise<Found[]> {
  const manager = await Manager.open({ directory });
  const all: Found[] = [];
  for (const { name } of await manager.list()) {
    const database = await manager.database(name, { create: false });
    const hasTables = "select count(*) from sqlite_schema where name in ('op', 'account')";
    const tables = await database.prepare(hasTables).pluck<number>().get();
    const intact = await database.pragma("integrity_check");
    const ids = "select id from op order by seq";
    all.push({
      name,
      tables: tables ?? 0,
      ids: tables === 2 ? await database.prepare(ids).pluck<string>().all() : [],
      transfers: tables === 2 ? await sum(database, "count(*) from op where body = 'transfer'") : 0,
      money: tables === 2 ? await sum(database, "sum(balance) from account") : 0,
      verdict: String(intact[0]?.integrity_check),
    });
  }
  await manager.close();
  return all;
}

async function sum(database: Database, what: string): Promise<number> {
  return Number(await database.prepare(`select ${what}`).pluck().get());
}
