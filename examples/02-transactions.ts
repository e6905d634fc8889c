/**
 * Transactions: commit on return, roll back on throw, savepoints within, and reads of one moment.
 *
 *   npx tsx examples/02-transactions.ts    the store is ./data; another directory as an argument
 */
import { Manager, type Queryable, SqliteError } from "../src/index.ts";

const manager = await Manager.open({ directory: process.argv[2] ?? "./data" });
const bank = await manager.database("bank");
await bank.exec(`
  drop table if exists account;
  create table account (name text primary key, cents integer not null check (cents >= 0)) strict;
  insert into account values ('ana', 1000), ('ben', 0);
`);

const balances = (on: Queryable) => on.prepare("select cents from account").pluck().all();

async function transfer(from: string, to: string, cents: number): Promise<void> {
  await bank.transaction(async (tx) => {
    await tx.prepare("update account set cents = cents + ? where name = ?").run(cents, to);
    await tx.prepare("update account set cents = cents - ? where name = ?").run(cents, from);
  });
}

await transfer("ana", "ben", 300); // resolves when it is durable
console.log(await balances(bank)); // [ 700, 300 ]

// The check constraint refuses the second update, and the first is undone with it.
await transfer("ana", "ben", 5000).catch((error: unknown) => {
  if (!(error instanceof SqliteError)) throw error;
  console.log(error.sqliteCode, error.retryable); // SQLITE_CONSTRAINT_CHECK false
});
console.log(await balances(bank)); // [ 700, 300 ]

// A transaction within a transaction is a savepoint: undone alone.
await bank.transaction(async (tx) => {
  await tx.exec("update account set cents = cents + 1 where name = 'ana'");
  await tx
    .transaction(async (inner) => {
      await inner.exec("delete from account");
      throw new Error("second thoughts");
    })
    .catch((error: Error) => console.log(error.message)); // second thoughts
});
console.log(await balances(bank)); // [ 701, 300 ]

// A read transaction sees one moment, whatever is written meanwhile, and holds up nobody.
await bank.transaction(
  async (tx) => {
    const before = await balances(tx);
    await transfer("ben", "ana", 300);
    console.log(before, await balances(tx)); // [ 701, 300 ] [ 701, 300 ]
  },
  { mode: "read" },
);
console.log(await balances(bank)); // [ 1001, 0 ]

await manager.close();
