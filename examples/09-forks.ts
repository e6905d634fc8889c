/**
 * Forks and snapshots: try a migration on a copy of a tenant that costs nothing, and throw the copy
 * away; keep a moment before the real one, and look something up in it afterwards.
 *
 *   npx tsx examples/09-forks.ts           the store is ./data; another directory as an argument
 */
import { type Database, Manager } from "../src/index.ts";

const manager = await Manager.open({ directory: process.argv[2] ?? "./data" });
for (const { name } of await manager.list({ prefix: "forks/" })) await manager.drop(name);

const tenant = await manager.database("forks/tenant");
await tenant.exec("create table customer (id integer primary key, name text, city text)");
await tenant.exec("insert into customer (name, city) values ('Ada', 'London'), ('Grace', null)");

const migrate = (database: Database) =>
  database.transaction(async (tx) => {
    await tx.exec("create table city (id integer primary key, name text not null unique)");
    await tx.exec("insert into city (name) select distinct city from customer");
    await tx.exec("alter table customer drop column city");
  });

// On a fork first. It has all that the tenant has, and nothing that happens to it is seen there.
const trial = await tenant.fork("forks/trial");
const failure = await migrate(trial).then(
  () => "none",
  (error: Error) => error.message,
);
console.log(failure.includes("NOT NULL constraint failed")); // true

await trial.exec("update customer set city = 'unknown' where city is null");
await migrate(trial);
console.log(await trial.prepare("select count(*) from city").pluck().get()); // 2

const [family] = await manager.tree("forks/tenant");
console.log(family?.forks.map(({ name }) => name)); // [ 'forks/trial' ]
await manager.drop("forks/trial");

// Now in earnest, with a way back.
await tenant.snapshot("before-cities");
await tenant.exec("update customer set city = 'unknown' where city is null");
await migrate(tenant);

const before = await tenant.openSnapshot("before-cities");
const grace = await before.prepare("select city from customer where name = 'Grace'").get();
console.log(grace); // { city: null }
await before.close();

const old = await tenant.fork("forks/as-before", { at: { snapshot: "before-cities" } });
console.log(await old.prepare("select city from customer where id = 1").pluck().get()); // London
await tenant.dropSnapshot("before-cities");

await manager.close();
