/**
 * Changes: an index of all databases that is kept up to date by reading what happens to the store. It
 * stops, misses nothing, and goes on where it was.
 *
 *   npx tsx examples/08-changes.ts         the store is ./data; another directory as an argument
 */
import { type Change, Manager } from "../src/index.ts";

const directory = process.argv[2] ?? "./data";
const index = new Map<number, string>(); // What you would keep in a place of your own.
let manager = await Manager.open({ directory });

function apply(change: Change): void {
  if (change.kind === "created" || change.kind === "renamed") {
    if (change.database.startsWith("changes/")) index.set(change.stream, change.database);
  }
  if (change.kind === "dropped") index.delete(change.stream);
}

/** Applies changes and acknowledges them, until a database of that name came, went or was renamed. */
async function follow(kind: Change["kind"], name: string): Promise<void> {
  for await (const change of manager.changes({ cursor: "indexer" })) {
    apply(change);
    await change.ack(); // Durable: not told again. Every tenth or hundredth is cheaper.
    if (change.kind === kind && "database" in change && change.database === name) return;
  }
}

const known = await manager.list({ prefix: "changes/" }); // What this example made before.
for (const { name } of known) await manager.drop(name);
await manager.createCursor("indexer", { fromNow: true, reset: true });

for (const name of ["changes/a", "changes/b"]) await manager.database(name);
await follow("created", "changes/b");
console.log([...index.values()]); // [ 'changes/a', 'changes/b' ]

// The indexer is not running, and nor, for a moment, is the store. Both go on.
await manager.rename("changes/a", "changes/c");
await manager.close();
manager = await Manager.open({ directory });
await manager.drop("changes/b");

await follow("dropped", "changes/b");
console.log([...index.values()]); // [ 'changes/c' ]

// While somebody reads, commits are told of as well: which databases, not which rows.
const shop = await manager.database("changes/c");
const advanced = (async () => {
  for await (const change of manager.changes({ cursor: "indexer" })) {
    if (change.kind === "advanced") return change.databases.map(({ database }) => database);
  }
  return [];
})();
await shop.exec("create table if not exists sale (item text)");
await shop.prepare("insert into sale values (?)").run("a pencil");
console.log(await advanced); // [ 'changes/c' ]

await manager.close();
