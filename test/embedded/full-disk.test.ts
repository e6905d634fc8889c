/**
 * A disk that is full when a checkpoint is due: what goes on, what is refused and why, and what happens
 * when there is room again.
 */
import { beforeEach, expect, test } from "vitest";
import type { Env } from "../../src/base/env.ts";
import { type Database, isStorageError, Manager, type ManagerOptions } from "../../src/index.ts";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const STORE = "/store";
const COUNT = "select count(*) from note";
const BIG = "insert into note (body) values (hex(randomblob(10000)))";

interface Place {
  readonly world: SimulatedWorld;
  readonly env: Env;
  readonly manager: Manager;
  readonly notes: Database;
  /** Leaves so much free. */
  leave(bytes: number): Promise<void>;
  reopen(): Promise<Manager>;
}

type Rest = Pick<ManagerOptions, "limits">;

async function within(options: Rest, body: (place: Place) => Promise<void>): Promise<void> {
  const world = simulatedWorld({ seed: 8 });
  const stores = memoryStores(seeded(9));
  const env = world.start();
  const reopen = () =>
    Manager.open({
      directory: STORE,
      env,
      openKeyValueStore: stores.openerFor(env),
      segmentBytes: 256 * KIB,
      checkpointLogBytes: MIB,
      ...options,
    });
  await world.run(async () => {
    const manager = await reopen();
    const notes = await manager.database("notes");
    await notes.exec("create table note (id integer primary key, body text)");
    await manager.checkpoint();
    const leave = async (bytes: number) => {
      world.disk.capacityBytes = 1024 * MIB;
      const usedBytes = world.disk.capacityBytes - (await env.storage.freeBytes(STORE));
      world.disk.capacityBytes = usedBytes + bytes;
    };
    await body({ world, env, manager, notes, leave, reopen });
  });
}

/** Writes until it is refused; the refusal, and how many rows were written. */
async function fill(notes: Database): Promise<{ error: unknown; rows: number }> {
  for (let rows = 0; rows < 1000; rows++) {
    try {
      await notes.exec(BIG);
    } catch (error) {
      return { error, rows };
    }
  }
  throw new Error("nothing was refused");
}

async function files(env: Env, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await env.storage.list(`${STORE}/${folder}`)) {
    const path = `${folder}/${name}`;
    if ((await env.storage.stat(`${STORE}/${path}`))?.kind === "file") found.push(path);
    else found.push(...(await files(env, path)));
  }
  return found;
}

const countOf = (database: Database) => database.prepare(COUNT).pluck().get();

beforeEach(() => prepareEngines("sqlite", 2));

// evidence: G27
test("a checkpoint without room does not begin; commits go on into the log, then hear why, and reads go on", async () => {
  const limits = { reserveBytes: 64 * MIB, maxInflightSegments: 8, admissionTimeoutMs: 500 };
  await within({ limits }, async ({ env, manager, notes, leave }) => {
    const before = await files(env, "chunks");
    await leave(40 * MIB);
    const { error, rows } = await fill(notes);
    expect(rows).toBeGreaterThan(50); // More than a checkpoint would have let gather.
    if (!isStorageError(error, "BOP_DISK_FULL")) throw error;
    expect(error.details).toEqual({ operation: "checkpoint", file: STORE });
    expect(error.message).toContain("limits.reserveBytes");
    expect(await files(env, "chunks")).toEqual(before);
    expect(await files(env, "tmp")).toEqual([]);
    const { pages, lastFault } = manager.diagnostics();
    expect(pages.checkpointFailure).toBe(error.message);
    expect(lastFault).toMatchObject({ kind: "BOP_DISK_FULL", where: "checkpoint" });
    expect(await countOf(notes)).toBe(rows);
    await manager.close();
  });
});

// evidence: G27
test("a store that was out of room goes on by itself when there is some, and has lost nothing", async () => {
  const limits = { reserveBytes: 64 * MIB, maxInflightSegments: 8, admissionTimeoutMs: 500 };
  await within({ limits }, async ({ env, manager, notes, leave, reopen }) => {
    await leave(40 * MIB);
    const { rows } = await fill(notes);
    await leave(200 * MIB);
    await env.clock.sleep(6000); // Nobody commits: a timer looks.
    const { pages } = manager.diagnostics();
    expect(pages.checkpointFailure).toBeUndefined();
    expect(pages.lastCheckpoint).toMatchObject({ reason: "log" });
    await notes.exec(BIG);
    expect(await countOf(notes)).toBe(rows + 1);
    await manager.close();
    const again = await reopen();
    expect(await countOf(await again.database("notes"))).toBe(rows + 1);
    await again.close();
  });
});

// evidence: G27
test("a disk that the log fills as well lets others read what there is, and takes commits when there is room", async () => {
  const limits = { reserveBytes: 0, maxInflightSegments: 64, admissionTimeoutMs: 500 };
  await within({ limits }, async ({ env, manager, notes, leave }) => {
    await leave(MIB);
    const writing = (await manager.database("notes")).prepare(BIG);
    let [rows, isDone] = [0, false];
    const fill = async () => {
      while (!isDone) {
        const wasWritten = await writing.run().then(
          () => true,
          (error: unknown) => {
            if (!isStorageError(error, "BOP_DISK_FULL")) throw error;
            return false;
          },
        );
        if (wasWritten) rows += 1;
        else await env.clock.sleep(100);
      }
    };
    const filling = fill();
    await env.clock.sleep(5000);
    const written = rows;
    expect(await countOf(notes)).toBe(written);
    await env.clock.sleep(5000);
    expect(rows).toBe(written); // Not even later: the disk is full.
    expect(await files(env, "tmp")).toEqual([]);
    isDone = true;
    await leave(200 * MIB);
    await filling;
    await env.clock.sleep(2000);
    await notes.exec(BIG);
    expect(await countOf(notes)).toBe(rows + 1);
    expect(manager.diagnostics().pages.lastCheckpoint?.pages).toBeGreaterThan(0);
    await manager.close();
  });
});

// evidence: G27
test("a commit that a full disk refuses hears so at once, though one before it still waits for room and is done when there is some", async () => {
  const limits = { reserveBytes: 0, maxInflightSegments: 64, admissionTimeoutMs: 500 };
  await within({ limits }, async ({ env, manager, notes, leave }) => {
    await leave(MIB);
    let done = 0;
    const issued = Array.from({ length: 200 }, async () => {
      await notes.exec(BIG);
      done += 1;
    });
    const settled = Promise.allSettled(issued);
    await env.clock.sleep(1000);
    const [before, refused] = [done, await notes.exec(BIG).catch((error: unknown) => error)];
    expect(isStorageError(refused, "BOP_DISK_FULL")).toBe(true);
    const connection = await notes.connect();
    const attempts = {
      exec: () => notes.exec(BIG),
      run: () => notes.prepare(BIG).run(),
      batch: () => notes.batch([BIG, BIG]),
      transaction: () => notes.transaction((tx) => tx.exec(BIG)),
      connection: () => connection.prepare(BIG).run(),
    };
    for (const [name, attempt] of Object.entries(attempts)) {
      const beganMs = env.clock.monotonicMs();
      const error = await attempt().then(
        () => "nothing",
        (it: unknown) => it,
      );
      expect(isStorageError(error, "BOP_DISK_FULL"), name).toBe(true);
      expect(env.clock.monotonicMs() - beganMs, name).toBeLessThan(100);
    }
    expect(done).toBe(before);
    await leave(200 * MIB);
    const outcomes = await settled;
    expect(done).toBeGreaterThan(before); // Some waited for a flush that had no room, and were kept.
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(done);
    expect(await countOf(notes)).toBe(done);
    await connection.close();
    await manager.close();
  });
});

// evidence: G27
test("a disk that fills up half way through a checkpoint leaves everything as it was", async () => {
  await within({ limits: { reserveBytes: 0 } }, async ({ world, env, manager, notes }) => {
    for (let row = 0; row < 20; row++) await notes.exec(BIG);
    const before = await files(env, "chunks");
    for (const operation of ["create", "write", "sync", "rename", "syncDirectory"] as const) {
      world.disk.failNext({ operation, error: "ENOSPC", pathPattern: /chunk/ });
      const refused = await manager.checkpoint().catch((error: unknown) => error);
      expect(isStorageError(refused, "BOP_DISK_FULL"), operation).toBe(true);
      expect(await files(env, "chunks"), operation).toEqual(before);
      expect(await files(env, "tmp"), operation).toEqual([]);
      expect(await countOf(notes)).toBe(20);
    }
    await manager.checkpoint();
    expect(await files(env, "chunks")).not.toEqual(before);
    await manager.close();
  });
});
