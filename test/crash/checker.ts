/**
 * THE PROCESS THAT LOOKS AFTERWARDS: opens the store, prints what is in every database as one line
 * of JSON each, and closes the store. Argument: directory.
 */
import { Manager } from "../../src/index.ts";
import type { Found } from "./ledger.ts";

async function main(): Promise<void> {
  const [directory = ""] = process.argv.slice(2);
  const manager = await Manager.open({ directory });
  for (const { name } of await manager.list()) {
    const database = await manager.database(name, { create: false });
    const hasTables = "select count(*) from sqlite_schema where name in ('op', 'account')";
    const tables = await database.prepare(hasTables).pluck<number>().get();
    const intact = await database.pragma("integrity_check");
    const ids = "select id from op order by seq";
    const found: Found = {
      name,
      tables: tables ?? 0,
      ids: tables === 2 ? await database.prepare(ids).pluck<string>().all() : [],
      transfers: tables === 2 ? await sum(database, "count(*) from op where body = 'transfer'") : 0,
      money: tables === 2 ? await sum(database, "sum(balance) from account") : 0,
      verdict: String(intact[0]?.integrity_check),
    };
    console.log(JSON.stringify(found));
  }
  await manager.close();
}

async function sum(
  database: Awaited<ReturnType<Manager["database"]>>,
  what: string,
): Promise<number> {
  return Number(await database.prepare(`select ${what}`).pluck().get());
}

await main();
