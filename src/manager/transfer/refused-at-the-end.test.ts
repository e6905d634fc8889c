/** Imports and forks of the past that are complete, while the log takes nothing new. */
import { beforeEach, expect, test } from "vitest";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Database } from "../api/database.ts";
import { Manager } from "../manager.ts";

const FILE = "/notes.sqlite";
const HANG_MS = 2000;
const LARGE = "insert into filler values (randomblob(200000))";

beforeEach(() => prepareEngines("sqlite", 2));

interface Place {
  readonly world: SimulatedWorld;
  readonly manager: Manager;
  readonly notes: Database;
  /** The next flush hangs, and meanwhile more waits for the log than it lets wait. */
  fillUp(): void;
  /** Until the log takes something again. */
  drain(): Promise<void>;
}

function within(body: (place: Place) => Promise<void>): Promise<void> {
  const world = simulatedWorld({ seed: 3 });
  return world.run(async () => {
    const env = world.start();
    const manager = await Manager.open({
      directory: "/store",
      env,
      openKeyValueStore: memoryStores(seeded(3)).openerFor(env),
      segmentBytes: 256 * 1024,
      inlineFlushMs: 0,
      limits: { maxBacklogBytes: 128 * 1024, admissionTimeoutMs: 0 },
    });
    const notes = await manager.database("notes");
    await notes.exec("create table note (body text); insert into note values ('one')");
    await notes.export(FILE);
    const other = await manager.database("other");
    await other.exec("create table filler (body)");
    let filling: Promise<void> | undefined;
    const fillUp = () => {
      world.disk.hangNext({ operation: "sync", pathPattern: /\.wal$/, ms: HANG_MS });
      filling = other.exec(LARGE);
    };
    await body({ world, manager, notes, fillUp, drain: async () => filling });
    await manager.close();
  });
}

const bodies = (database: Database) =>
  database.prepare("select body from note order by rowid").pluck().all();

test("an import that is refused when its pages are copied leaves nothing, and its name is free", () =>
  within(async ({ manager, fillUp, drain }) => {
    const imported = manager.import(FILE, "copy", {
      onProgress: (done, total) => done === total && fillUp(),
    });
    await expect(imported).rejects.toMatchObject({ code: "BOP_BACKPRESSURE" });
    const opened = manager.database("copy", { create: false });
    await expect(opened).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    await drain();
    await manager.import(FILE, "copy");
    expect(await bodies(await manager.database("copy"))).toEqual(["one"]);
  }));

test("a fork of the past that is refused when it is whole leaves nothing, and its name is free", () =>
  within(async ({ manager, notes, fillUp, drain }) => {
    await manager.checkpoint();
    const { lsn } = await notes.prepare("insert into note values ('two')").run();
    await notes.exec("insert into note values ('three')");
    const forking = notes.fork("past", { at: { lsn } });
    fillUp(); // Its commit waits in the flush that hangs.
    await expect(forking).rejects.toMatchObject({ code: "BOP_BACKPRESSURE" });
    const opened = manager.database("past", { create: false });
    await expect(opened).rejects.toMatchObject({ code: "BOP_NOT_FOUND" });
    await drain();
    expect(await bodies(await notes.fork("past", { at: { lsn } }))).toEqual(["one", "two"]);
  }));
