import { expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines, type SqliteConnection } from "../../sqlite/index.ts";
import { StoreManager } from "../manager.ts";
import { openStore } from "../opening/opening.ts";
import { resolveManagerOptions } from "../resolve-options.ts";
import { closedError } from "./closed.ts";
import type { OpenDatabase } from "./open-database.ts";
import { Session } from "./session.ts";

const DATABASES = 20;

interface Opened {
  readonly store: Awaited<ReturnType<typeof openStore>>;
  readonly manager: StoreManager;
  readonly databases: readonly OpenDatabase[];
  /** One of each database, and one more that a transaction of the first is read on. */
  readonly connections: readonly SqliteConnection[];
}

async function withConnections(use: (opened: Opened) => Promise<void>): Promise<void> {
  await prepareEngines("sqlite", 1);
  const world = simulatedWorld({ seed: 1 });
  const env = world.start();
  await world.run(async () => {
    const openKeyValueStore = memoryStores(world.random.fork()).openerFor(env);
    const given = { directory: "/store", env, openKeyValueStore };
    const store = await openStore(resolveManagerOptions(given));
    const manager = new StoreManager(store);
    const databases: OpenDatabase[] = [];
    for (let n = 0; n < DATABASES; n += 1) {
      const handle = await manager.database(`d${n}`);
      await handle.exec("create table note (body); insert into note values ('kept')");
      const row = present(store.catalogue.databases.find(`d${n}`), "it was made");
      databases.push(await store.database(row.stream));
    }
    const connections = databases.map((each) => each.readSeat(new Session()).connection);
    const lent = present(databases[0], "there is a first").takeSpare(new Session()).connection;
    lent.command("BEGIN");
    await use({
      store,
      manager,
      databases,
      connections: [...connections, lent],
    });
    await manager.close();
  });
}

const openOf = (connections: readonly SqliteConnection[]): number =>
  connections.filter(({ open }) => open).length;

test("a fleet that turns read-only uses no connection again, and closes a few a turn", async () => {
  await withConnections(async ({ store, manager, databases, connections }) => {
    const closing = store.fleet.turnReadOnly(closedError("store"));
    expect(databases.map(({ connectionCount }) => connectionCount)).toEqual(databases.map(() => 0));
    expect(openOf(connections)).toBe(DATABASES); // The one in a transaction is closed at once.
    const left: number[] = [];
    while (closing.next().done !== true) left.push(openOf(connections));
    expect(left).toEqual([12, 4]);
    expect(openOf(connections)).toBe(0);
    const handle = await manager.database("d7");
    expect(await handle.prepare("select body from note").pluck().all()).toEqual(["kept"]);
  });
});

test("a fleet that is closed before it has closed them closes those too, each once", async () => {
  await withConnections(async ({ store, manager, connections }) => {
    const closing = store.fleet.turnReadOnly(closedError("store"));
    closing.next();
    expect(openOf(connections)).toBe(12);
    await manager.close();
    expect(openOf(connections)).toBe(0);
    expect(closing.next().done).toBe(true);
  });
});
