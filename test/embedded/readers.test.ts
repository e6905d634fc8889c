/** Readers that take long: what diagnostics say of them, and what becomes of those that are too old. */
import { beforeEach, expect, test } from "vitest";
import type { Clock } from "../../src/base/env.ts";
import { type Database, isStorageError, Manager } from "../../src/index.ts";
import { seeded, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";

const AGE_MS = 10_000;
const ROWS = 300;
const COUNT = "select count(*) from note";

interface Place {
  readonly manager: Manager;
  readonly notes: Database;
  readonly clock: Clock;
}

async function within(
  limits: { readonly maxReaderAgeMs?: number },
  body: (place: Place) => Promise<void>,
): Promise<void> {
  const world = simulatedWorld({ seed: 5 });
  const stores = memoryStores(seeded(6));
  const env = world.start();
  const openKeyValueStore = stores.openerFor(env);
  await world.run(async () => {
    const manager = await Manager.open({ directory: "/store", env, openKeyValueStore, limits });
    const notes = await manager.database("notes");
    await notes.exec("create table note (id integer primary key, body text)");
    await notes.exec(`with recursive n (i) as (select 1 union all select i + 1 from n where i < ${ROWS})
      insert into note select i, printf('%0500d', i) from n`);
    await body({ manager, notes, clock: env.clock });
    await manager.close();
  });
}

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "done",
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );

const rewrite = (notes: Database) => notes.exec("update note set body = hex(randomblob(250))");

beforeEach(() => prepareEngines("sqlite", 1));

test("the oldest reader and what it holds back are shown, and are gone when it is", async () => {
  await within({}, async ({ manager, notes, clock }) => {
    const rows = notes.prepare("select id from note").pluck().iterate();
    await rows.next();
    await rewrite(notes);
    await manager.checkpoint();
    await clock.sleep(5000);
    const { pages, log } = manager.diagnostics();
    expect(pages.oldestReader).toMatchObject({ database: "notes" });
    expect(pages.oldestReader?.ageMs).toBeGreaterThanOrEqual(5000);
    expect(pages.oldestReader?.behindBytes).toBe(log.newestLsn - (pages.oldestReader?.lsn ?? 0));
    expect(pages.heldBytes).toBeGreaterThan(ROWS * 500);
    for await (const _ of rows);
    await manager.checkpoint();
    expect(manager.diagnostics().pages).toMatchObject({ oldestReader: undefined, heldBytes: 0 });
  });
});

// evidence: G26
test("an iterator that is too old gives back its moment with nobody stepping it, and then says why", async () => {
  await within({ maxReaderAgeMs: AGE_MS }, async ({ manager, notes, clock }) => {
    const rows = notes.prepare("select id from note").pluck().iterate();
    expect(await rows.next()).toEqual({ done: false, value: 1 });
    await rewrite(notes);
    await manager.checkpoint();
    await clock.sleep(AGE_MS);
    expect(manager.diagnostics().pages).toMatchObject({ openSnapshots: 0, endedReaders: 1 });
    await manager.checkpoint();
    expect(manager.diagnostics().pages.overlayBytes).toBe(0);
    const error = await rows.next().catch((thrown: unknown) => thrown);
    if (!isStorageError(error, "BOP_SNAPSHOT_TOO_OLD")) throw error;
    expect(error.details).toMatchObject({ database: "notes", maxReaderAgeMs: AGE_MS });
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(await notes.prepare(COUNT).pluck().get()).toBe(ROWS);
  });
});

// evidence: G26
test("a transaction that only reads ends when it is too old, and its calls say why", async () => {
  await within({ maxReaderAgeMs: AGE_MS }, async ({ manager, notes, clock }) => {
    const steps: unknown[] = [];
    const reading = notes.transaction(
      async (tx) => {
        steps.push(await tx.prepare(COUNT).pluck().get());
        await clock.sleep(2 * AGE_MS);
        steps.push(await codeOf(tx.prepare(COUNT).pluck().get()));
      },
      { mode: "read", timeoutMs: 100 * AGE_MS },
    );
    expect(await codeOf(reading)).toBe("BOP_SNAPSHOT_TOO_OLD");
    expect(manager.diagnostics().pages.openSnapshots).toBe(0);
    await clock.sleep(2 * AGE_MS);
    expect(steps).toEqual([ROWS, "BOP_SNAPSHOT_TOO_OLD"]);
  });
});

// evidence: G26
test("a transaction that has written is never ended for its age, and commits", async () => {
  await within({ maxReaderAgeMs: AGE_MS }, async ({ notes, clock }) => {
    const write = async (mode: "immediate" | "deferred") =>
      notes.transaction(
        async (tx) => {
          await tx.prepare(COUNT).get();
          await tx.exec(`insert into note (body) values ('${mode}')`);
          await clock.sleep(3 * AGE_MS);
          await tx.prepare(COUNT).get();
        },
        { mode, timeoutMs: 100 * AGE_MS },
      );
    await write("immediate");
    await write("deferred");
    const found = "select body from note where id > ? order by id";
    expect(await notes.prepare(found).pluck().all(ROWS)).toEqual(["immediate", "deferred"]);
  });
});

// evidence: G26
test("a connection whose transaction reads for too long hears it once, and is out of the transaction", async () => {
  await within({ maxReaderAgeMs: AGE_MS }, async ({ manager, notes, clock }) => {
    const connection = await notes.connect();
    await connection.exec("create temp table mine (x)");
    await connection.exec("begin");
    await connection.prepare(COUNT).get();
    await clock.sleep(AGE_MS / 2);
    await connection.prepare(COUNT).get(); // Another statement makes the moment no younger.
    await clock.sleep(AGE_MS / 2 + 1);
    expect(manager.diagnostics().pages.openSnapshots).toBe(0);
    expect(connection.inTransaction).toBe(false);
    const insert = connection.prepare("insert into note (body) values ('late')");
    expect(await codeOf(insert.run())).toBe("BOP_SNAPSHOT_TOO_OLD");
    expect(await connection.prepare(COUNT).pluck().get()).toBe(ROWS);
    await connection.exec("insert into mine values (1)");
    await connection.close();
  });
});

test("a connection whose transactions are short lives as long as it wants", async () => {
  await within({ maxReaderAgeMs: AGE_MS }, async ({ manager, notes, clock }) => {
    const connection = await notes.connect();
    for (let round = 0; round < 5; round++) {
      await connection.exec("begin");
      await connection.prepare(COUNT).get();
      await clock.sleep(AGE_MS * 0.7);
      await connection.exec("commit");
    }
    expect(manager.diagnostics().pages).toMatchObject({ openSnapshots: 0, endedReaders: 0 });
    await connection.close();
  });
});
