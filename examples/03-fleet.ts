/**
 * A fleet: a database for each tenant, all over one log. Commits that happen at the same time share
 * a flush, whichever databases they are for.
 *
 *   npx tsx examples/03-fleet.ts           the store is ./data; another directory as an argument
 */
import { Manager } from "../src/index.ts";

const TENANTS = 200;
const manager = await Manager.open({ directory: process.argv[2] ?? "./data" });
const names = Array.from({ length: TENANTS }, (_, at) => `fleet/tenant-${at}`);

const tenants = await Promise.all(
  names.map(async (name) => {
    const tenant = await manager.database(name);
    await tenant.exec("create table if not exists visit (page text not null)");
    await tenant.exec("delete from visit");
    return tenant;
  }),
);

const before = manager.diagnostics().log.flushes;
await Promise.all(
  tenants.map((tenant, at) => {
    return tenant.prepare("insert into visit values (?)").run(`/welcome?tenant=${at}`);
  }),
);
const flushes = manager.diagnostics().log.flushes - before;
console.log(flushes < TENANTS / 5); // true

// Each tenant sees its own rows and nothing else.
const page = await tenants[42]?.prepare("select page from visit").pluck().all();
console.log(page); // [ '/welcome?tenant=42' ]

// The fleet by name: pages of a sorted list.
const some = await manager.list({ prefix: "fleet/tenant-19", limit: 2 });
console.log(some.map(({ name }) => name)); // [ 'fleet/tenant-19', 'fleet/tenant-190' ]

// Idle handles cost next to nothing, but what is not needed can be given back, or dropped.
await tenants[0]?.close();
await manager.drop(names[1] ?? "");
const known = await manager.list({ prefix: "fleet/", limit: 1000 });
console.log(known.length); // 199

await manager.close();
