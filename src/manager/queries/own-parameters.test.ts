/** Whose memory it is: a statement binds what was given with the call, whatever became of it since. */
import { expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines, type SqlInput } from "../../sqlite/index.ts";
import type { Database } from "../api/database.ts";
import { Manager } from "../manager.ts";
import { ownParameters } from "./own-parameters.ts";

/** What `write` left in a table of a key and bytes, in order. */
async function written(write: (database: Database) => Promise<unknown>): Promise<unknown[]> {
  await prepareEngines("sqlite", 1);
  const world = simulatedWorld({ seed: 5 });
  const env = world.start();
  const openKeyValueStore = memoryStores(world.random.fork()).openerFor(env);
  return await world.run(async () => {
    const manager = await Manager.open({ directory: "/store", env, openKeyValueStore });
    const database = await manager.database("a");
    await database.exec("create table pair (k, bytes)");
    await write(database);
    const rows = await database.prepare("select k, hex(bytes) from pair order by k").raw().all();
    await manager.close();
    return rows;
  });
}

const INSERT = "insert into pair values (:k, :bytes)";

test("bytes that are used again at once are stored as they were given", async () => {
  const rows = await written((database) => {
    const bytes = Buffer.alloc(2, 7);
    const insert = database.prepare(INSERT);
    const made: Promise<unknown>[] = [insert.run(1, bytes), insert.run({ k: 2, bytes })];
    made.push(database.execute(INSERT, [3, bytes]));
    made.push(database.batch([{ sql: INSERT, parameters: [4, bytes] }]));
    bytes.fill(9);
    return Promise.all(made);
  });
  expect(rows).toEqual([1, 2, 3, 4].map((k) => [k, "0707"]));
});

test("one object that is filled anew for each row makes as many rows, and an array likewise", async () => {
  const rows = await written((database) => {
    const insert = database.prepare(INSERT);
    const row: Record<string, SqlInput> = { bytes: null };
    const values: SqlInput[] = [0, null];
    const made: Promise<unknown>[] = [];
    for (const k of [1, 2, 3]) {
      row.k = k;
      values[0] = k + 10;
      made.push(insert.run(row), database.execute(INSERT, values));
      made.push(database.batch([{ sql: INSERT, parameters: values }]));
      values[0] = k + 20;
      made.push(database.execute(INSERT, values));
    }
    return Promise.all(made);
  });
  const keys = [1, 2, 3, 11, 11, 12, 12, 13, 13, 21, 22, 23];
  expect(rows).toEqual(keys.map((k) => [k, ""]));
});

test("what is wrong stays as wrong as it was given, for who binds it to say", () => {
  const wrong = [undefined, null, 7, "text"] as never[];
  expect(wrong.map(ownParameters)).toEqual(wrong);
  const given = JSON.parse('{ "__proto__": 1, "b": 2 }');
  expect(Object.keys(ownParameters(given))).toEqual(["__proto__", "b"]);
  const detached = new Uint8Array(2);
  structuredClone(detached, { transfer: [detached.buffer] });
  expect(ownParameters([detached])).toEqual([detached]);
});
