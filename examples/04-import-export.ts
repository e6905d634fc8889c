/**
 * SQLite files in and out: what is exported opens in any SQLite, and any SQLite file can come in.
 *
 *   npx tsx examples/04-import-export.ts   the store is ./data; another directory as an argument
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isStorageError, Manager } from "../src/index.ts";
import { sampleStatements } from "./sample/chinook-like.ts";

const manager = await Manager.open({ directory: process.argv[2] ?? "./data" });
const elsewhere = await mkdtemp(join(tmpdir(), "bop-example-"));
for (const { name } of await manager.list({ prefix: "shop" })) await manager.drop(name);

const shop = await manager.database("shop");
await shop.transaction(async (tx) => {
  for (const statement of sampleStatements()) await tx.exec(statement);
});

// A consistent copy, while others go on writing. `sqlite3 shop.sqlite` opens it.
const file = join(elsewhere, "shop.sqlite");
let progress = 0;
await shop.export(file, { onProgress: (done, total) => (progress = done / total) });
console.log(progress); // 1

await manager.import(file, "shop-copy");
const copy = await manager.database("shop-copy", { create: false });
const sales = "select country, cents from sales_by_country order by cents desc limit 1";
console.log(await copy.prepare(sales).get()); // { country: 'Brazil', cents: 74163 }
console.log(await copy.pragma("integrity_check")); // [ { integrity_check: 'ok' } ]

// Nothing is overwritten, neither a file nor a database.
await manager.import(file, "shop-copy").catch((error: unknown) => {
  if (!isStorageError(error, "BOP_EXISTS")) throw error;
  console.log(error.message); // there is a database named "shop-copy"
});

// What cannot be read is refused before anything is imported, with the reason.
await manager.import(import.meta.filename, "no-database").catch((error: unknown) => {
  if (!isStorageError(error, "BOP_IMPORT")) throw error;
  console.log(error.details.why); // it is not a SQLite database (or it is encrypted)
});

await rm(elsewhere, { recursive: true });
await manager.close();
