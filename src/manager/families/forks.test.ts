/** Forks and snapshots over a simulated disk that dies, hangs and is full. */
import { beforeEach, describe, expect, test } from "vitest";
import { seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Database } from "../api/database.ts";
import { Manager } from "../manager.ts";
import type { ManagerOptions } from "../options.ts";

type Rest = Omit<ManagerOptions, "directory" | "env" | "openKeyValueStore">;

const BODIES = "select group_concat(body) from (select body from note order by id)";
const bodiesOf = (database: Pick<Database, "prepare">) =>
  database.prepare(BODIES).pluck<string | null>().get();

function storeIn(seed: number, options: Rest = {}) {
  const world = simulatedWorld({ seed });
  const stores = memoryStores(seeded(seed));
  const open = () => {
    const env = world.start();
    const openKeyValueStore = stores.openerFor(env);
    return Manager.open({
      directory: "/store",
      env,
      openKeyValueStore,
      segmentBytes: 256 * 1024,
      inlineFlushMs: 0,
      ...options,
    });
  };
  return { world, stores, open };
}

async function begin(manager: Manager): Promise<Database> {
  const notes = await manager.database("notes");
  await notes.exec("create table note (id integer primary key, body text)");
  await notes.exec("insert into note (body) values ('one')");
  return notes;
}

beforeEach(() => prepareEngines("sqlite", 4));

/** Every tenth change is cut at, from another one for each way; the simulation has the others. */
const STRIDE = 10;
const WAYS = [
  { how: "kill", first: 3 },
  { how: "power", first: 8 },
] as const;

describe("a crash", () => {
  /** What happens, and what was acknowledged of it. */
  async function live(manager: Manager, told: string[]): Promise<void> {
    const notes = await manager.database("notes");
    const fork = await notes.fork("fork");
    told.push("fork");
    await notes.snapshot("mine");
    told.push("mine");
    await notes.exec("insert into note (body) values ('two')");
    await manager.snapshot("all");
    told.push("all");
    await fork.exec("insert into note (body) values ('three')");
    told.push("three");
    await manager.checkpoint();
    const leaf = await fork.fork("leaf");
    told.push("leaf");
    await notes.dropSnapshot("mine");
    told.push("no mine");
    await leaf.exec("insert into note (body) values ('four')");
    await manager.drop("fork");
    told.push("no fork");
    await manager.checkpoint();
  }

  async function verify(manager: Manager, told: readonly string[]): Promise<void> {
    const names = (await manager.list()).map(({ name }) => name);
    expect(names).toContain("notes");
    if (told.includes("fork") && !told.includes("leaf")) expect(names).toContain("fork");
    if (told.includes("no fork")) expect(names).not.toContain("fork");
    if (told.includes("leaf")) expect(names).toContain("leaf");
    const notes = await manager.database("notes");
    expect(["one", "one,two"]).toContain(await bodiesOf(notes));
    for (const name of names.filter((each) => each !== "notes")) {
      const found = (await bodiesOf(await manager.database(name))) ?? "";
      const least = name === "leaf" || told.includes("three") ? "one,three" : "one";
      expect(found.startsWith(least) && "one,three,four".startsWith(found), found).toBe(true);
    }
    const kept = (await notes.snapshots()).map(({ name }) => name);
    if (told.includes("mine") && !told.includes("leaf")) expect(kept).toContain("mine");
    if (told.includes("no mine")) expect(kept).not.toContain("mine");
    if (told.includes("all")) expect(kept).toContain("all");
    for (const name of kept) {
      const moment = await notes.openSnapshot(name);
      expect(await bodiesOf(moment)).toBe(name === "all" ? "one,two" : "one");
      await moment.close();
    }
  }

  // evidence: G22
  test.each(WAYS)(
    "($how) at any change leaves what was acknowledged, and of the rest all or nothing",
    async ({ how, first }) => {
      for (let change = first; ; change += STRIDE) {
        const { world, open } = storeIn(change);
        const told: string[] = [];
        await world
          .run(async () => {
            const manager = await open();
            await begin(manager);
            await manager.checkpoint();
            world.disk.crashAt(change, how);
            await live(manager, told);
            await manager.close();
          })
          .catch((error) => {
            if (world.alive) throw error;
          });
        if (world.alive) {
          expect(told).toHaveLength(7);
          expect(change).toBeGreaterThan(20);
          break;
        }
        await prepareEngines("sqlite", 3);
        await world.run(async () => {
          let manager = await open();
          await verify(manager, told);
          await manager.checkpoint();
          await verify(manager, told);
          await manager.close();
          manager = await open();
          await verify(manager, told);
          await manager.close();
        });
      }
    },
  );
});

describe("a device that hangs", () => {
  // evidence: G2
  test("shows no fork and no snapshot to others before they are durable", async () => {
    const { world, open } = storeIn(1);
    await world.run(async () => {
      const manager = await open();
      const notes = await begin(manager);
      const { clock } = world.start();
      world.disk.hangNext({ operation: "sync", pathPattern: /\.wal$/, ms: 5000 });
      let told = 0;
      const changes = [notes.fork("fork"), notes.snapshot("mine"), manager.snapshot("all")];
      for (const change of changes) void change.then(() => (told += 1));
      const opening = notes.openSnapshot("mine").then(() => (told += 1));
      await clock.sleep(1000);
      expect(told).toBe(0);
      expect(await manager.list()).toMatchObject([{ name: "notes", snapshots: 0 }]);
      expect(await notes.snapshots()).toEqual([]);
      expect(await manager.tree()).toEqual([]);
      await Promise.all([...changes, opening]);
      expect(told).toBe(4);
      expect(await manager.list()).toMatchObject([
        { name: "fork", forkedFrom: { name: "notes" } },
        { name: "notes", snapshots: 1 },
      ]);
      expect(await manager.tree()).toHaveLength(1);
      await manager.close();
    });
  });
});

describe("a log that takes nothing new", () => {
  test("a fork that waits at the door for a database that is dropped meanwhile is refused, and nothing is done", async () => {
    const { world, open } = storeIn(2, { limits: { writeTimeoutMs: 100 } });
    await world.run(async () => {
      const manager = await open();
      const notes = await begin(manager);
      const other = await manager.database("other");
      const { clock } = world.start();
      world.disk.hangNext({ operation: "sync", pathPattern: /\.wal$/, ms: 2000 });
      const writing = other.exec("create table t (a)");
      await clock.sleep(500);
      const dropping = manager.drop("notes"); // Both wait, in this order.
      const forking = notes.fork("fork");
      const keeping = notes.snapshot("mine");
      await expect(forking).rejects.toMatchObject({ code: "BOP_DROPPED" });
      await expect(keeping).rejects.toMatchObject({ code: "BOP_DROPPED" });
      await Promise.all([dropping, writing]);
      expect((await manager.list()).map(({ name }) => name)).toEqual(["other"]);
      await manager.close();
    });
  });
});
