/** What a transaction leaves on its seat, of statements that did not come to their end. */
import { expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { PagesAway } from "../../page-store/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { StoreManager } from "../manager.ts";
import { openStore } from "../opening/opening.ts";
import { resolveManagerOptions } from "../resolve-options.ts";
import type { OpenDatabase } from "./open-database.ts";
import { runScripted } from "./script.ts";
import type { Seat } from "./seat.ts";
import { SeatTransaction } from "./seat-transaction.ts";
import { Session } from "./session.ts";

interface Place {
  readonly database: OpenDatabase;
  readonly session: Session;
  readonly seat: Seat;
}

/** A database that gives back its free pages at each commit, and a seat that has read nothing yet. */
async function withSeat(use: (place: Place) => void): Promise<void> {
  await prepareEngines("sqlite", 1);
  const world = simulatedWorld({ seed: 1 });
  const env = world.start();
  await world.run(async () => {
    const openKeyValueStore = memoryStores(seeded(2)).openerFor(env);
    const given = { directory: "/store", env, openKeyValueStore };
    const store = await openStore(resolveManagerOptions(given));
    const manager = new StoreManager(store);
    const handle = await manager.database("it", { pageBytes: 512 });
    const connection = await handle.connect();
    await connection.exec(`
      pragma auto_vacuum = full; vacuum;
      create table t (id integer primary key, body);
      with recursive n(x) as (select 1 union all select x + 1 from n where x < 100)
        insert into t select x, zeroblob(400) from n`);
    await connection.close();
    const row = present(store.catalogue.databases.find("it"), "it was made");
    const database = await store.database(row.stream);
    const session = new Session();
    const seat = database.takeSpare(session);
    use({ database, session, seat });
    database.giveBack(seat, { reusable: false });
    await manager.close();
  });
}

test("a statement of a script that a read transaction refuses is freed, and those that read run", async () => {
  await withSeat((place) => {
    const transaction = new SeatTransaction(place);
    transaction.command("BEGIN");
    transaction.isScoped = true;
    transaction.isReadonly = true;
    for (const sql of ["insert into t (body) values (1)", "create table u (x)"]) {
      const { statement } = transaction.compileFirst(`${sql}; select 1`);
      const refused = present(statement, "it compiles");
      expect(() => transaction.runFirst(refused)).toThrow("in a read transaction");
      expect(() => refused.step()).toThrow("finalized");
    }
    const { statement } = transaction.compileFirst("select count(*) from t");
    transaction.runFirst(present(statement, "it compiles"));
    expect(transaction.isOpen).toBe(true);
    transaction.abandon();
  });
});

test("a COMMIT of a script is freed that finds pages away before it has begun, and can be repeated", async () => {
  await withSeat(({ database, session, seat }) => {
    const { connection } = seat;
    const place = { seat, session, mayMiss: true };
    const run = (sql: string): void => {
      runScripted(place, present(connection.prepare(sql).statement, "it compiles"));
    };
    run("begin immediate");
    run("delete from t where id < 50");
    const { space } = database;
    const read = space.read;
    space.read = () => {
      throw new PagesAway({ database: "it", pageNumber: 1 }, async () => {});
    };
    const commit = present(connection.prepare("commit").statement, "it compiles");
    expect(() => runScripted(place, commit)).toThrow(PagesAway);
    expect(() => commit.step()).toThrow("finalized");
    expect(connection.writing).toBe(true);
    space.read = read;
    run("commit");
    expect(connection.autocommit).toBe(true);
  });
});

test("a statement of a script that does not compile gives the writer back that it was to have", async () => {
  await withSeat((place) => {
    const transaction = new SeatTransaction(place);
    transaction.giveWriter(() => {});
    expect(() => transaction.compileFirst("insert into gone values (1)")).toThrow("no such table");
    expect(transaction.hasWriter).toBe(false);
  });
});
