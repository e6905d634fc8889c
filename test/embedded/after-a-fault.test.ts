/**
 * A store whose disk has refused something, and is well again: it takes commits, without anybody who
 * opens it again. Over a simulated disk, with both kinds of driver.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Env } from "../../src/base/env.ts";
import { type Database, Manager } from "../../src/index.ts";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../src/io/index.ts";
import { type MemoryStores, memoryStores } from "../../src/manifest/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";

const STORE = "/store";
const WAL = /\/wal\/.*\.wal$/;
const SUPERBLOCK = /superblock$/;
const CHUNK = /\.chunk$/;
const DRIVERS = ["standard", "direct"] as const;
const FLUSH = { standard: "sync", direct: "write" } as const;
const SMALL = "insert into note (body) values ('small')";
const BIG = "insert into note (body) values (hex(randomblob(60000)))";
/** Longer than the first pauses between checkpoints. */
const WHILE_MS = 5000;

interface Place {
  readonly world: SimulatedWorld;
  readonly stores: MemoryStores;
  readonly env: Env;
  readonly manager: Manager;
}

type Body<P> = (place: P) => Promise<void>;

class Rig {
  readonly #world = simulatedWorld({ seed: 3 });
  readonly #stores = memoryStores(seeded(4));
  readonly #io: (typeof DRIVERS)[number];
  #isNew = true;

  constructor(io: (typeof DRIVERS)[number]) {
    this.#io = io;
  }

  /** A process opens the store; it does not close it. */
  open(body: Body<Place>): Promise<void> {
    const [world, stores] = [this.#world, this.#stores];
    const env = world.start();
    return world.run(async () => {
      const manager = await Manager.open({
        directory: STORE,
        env,
        io: this.#io,
        openKeyValueStore: stores.openerFor(env),
        segmentBytes: 256 * 1024,
        checkpointLogBytes: 1024 * 1024,
        transactionMemoryBytes: 256 * 1024,
        limits: { maxInflightSegments: 8, admissionTimeoutMs: 0 },
      });
      await body({ world, stores, env, manager });
    });
  }

  /** The same, and the database is there. */
  live(body: Body<Place & { readonly notes: Database }>): Promise<void> {
    return this.open(async (place) => {
      const notes = await place.manager.database("notes");
      if (this.#isNew) await notes.exec("create table note (id integer primary key, body text)");
      this.#isNew = false;
      await body({ ...place, notes });
    });
  }

  crash(): void {
    this.#world.powerCut();
  }

  /** The next reads of chunks, whoever asks for them. */
  refuseReads(times: number): void {
    this.#world.disk.failNext({ operation: "read", pathPattern: CHUNK, times });
  }
}

const countOf = (database: Database) => database.prepare("select count(*) from note").pluck().get();

beforeEach(() => prepareEngines("sqlite", 20));

describe.each(DRIVERS)("once the disk is well again, %s", (io) => {
  // evidence: G46
  test("a checkpoint that was made but for the superblock is ended, and the log that it kept is let go", async () => {
    await new Rig(io).live(async ({ world, env, manager, notes }) => {
      world.disk.failNext({ operation: "sync", pathPattern: SUPERBLOCK, times: 1 });
      let refused: unknown;
      for (let n = 0; n < 60 && refused === undefined; n++) {
        refused = await notes.exec(BIG).then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      expect(refused).toMatchObject({ details: { full: "segments" } });
      const failure = () => manager.diagnostics().pages.checkpointFailure;
      while (failure() === undefined) await env.clock.sleep(1); // It may still be under way.
      expect(failure()).toContain("superblock");
      await env.clock.sleep(WHILE_MS);
      expect(failure()).toBeUndefined();
      expect(manager.diagnostics().log.inflightSegments).toBeLessThan(3);
      await notes.exec(BIG);
      await manager.close();
    });
  });

  // evidence: G46
  test("segments that refused flushes have spoilt are let go, though they hold next to nothing", async () => {
    await new Rig(io).live(async ({ world, env, manager, notes }) => {
      for (let n = 0; n < 20; n++) {
        world.disk.failNext({ operation: FLUSH[io], pathPattern: WAL, times: 1 });
        await notes.exec(SMALL);
        await env.clock.sleep(1000);
      }
      expect(manager.diagnostics().log.failedFlushes).toBe(20);
      expect(await countOf(notes)).toBe(20);
      await manager.close();
    });
  });

  // evidence: G46
  test("a process that dies again and again is not refused for the segments that each start has begun", async () => {
    const rig = new Rig(io);
    for (let n = 0; n < 20; n++) {
      await rig.live(async ({ notes, env }) => {
        await notes.exec(SMALL);
        await env.clock.sleep(100);
      });
      rig.crash();
    }
    await rig.live(async ({ manager, notes }) => {
      expect(await countOf(notes)).toBe(20);
      await manager.close();
    });
  });
});

describe("a commit of the manifest that the device refused", () => {
  // evidence: G46
  test.each([true, false])(
    "(found made later: %s) is made up for by the next one, and the log goes on beyond its segment",
    async (applied) => {
      const rig = new Rig("direct");
      await rig.live(async ({ stores, env, manager, notes }) => {
        stores.failNextCommit({ applied, error: "EIO" });
        await expect(manager.checkpoint()).rejects.toMatchObject({ code: "BOP_IO" });
        for (let n = 0; n < 12; n++) await notes.exec(BIG);
        await env.clock.sleep(WHILE_MS);
        expect(manager.diagnostics().pages.checkpointFailure).toBeUndefined();
        await manager.checkpoint();
        expect(manager.diagnostics().log.inflightSegments).toBe(1);
      });
      rig.crash();
      await rig.live(async ({ manager, notes }) => {
        expect(await countOf(notes)).toBe(12);
        await manager.close();
      });
    },
  );
});

describe("chunks that a transaction wrote itself, which the disk did not read at a start", () => {
  async function crashedWithSpilledPages(): Promise<Rig> {
    const rig = new Rig("direct");
    await rig.live(async ({ notes, manager }) => {
      await notes.transaction(async (tx) => {
        for (let n = 0; n < 6; n++) await tx.exec(BIG);
      });
      expect(manager.diagnostics().pages.spilledCommits).toBe(1);
    });
    rig.crash();
    return rig;
  }

  // evidence: G46
  test("are read once more when their database is wanted", async () => {
    const rig = await crashedWithSpilledPages();
    rig.refuseReads(2); // Whether it is one, and what it holds.
    await rig.live(async ({ manager, notes }) => {
      expect(await countOf(notes)).toBe(6);
      await manager.checkpoint();
      expect(await countOf(notes)).toBe(6);
      await manager.close();
    });
  });

  // evidence: G46
  test("refuse whoever wants them with BOP_IO while it does not, and nobody after that", async () => {
    const rig = await crashedWithSpilledPages();
    rig.refuseReads(100);
    await rig.open(async ({ world, manager }) => {
      await expect(manager.database("notes")).rejects.toMatchObject({ code: "BOP_IO" });
      await expect(manager.checkpoint()).rejects.toMatchObject({ code: "BOP_IO" });
      world.disk.heal();
      const notes = await manager.database("notes");
      expect(await countOf(notes)).toBe(6);
      await manager.checkpoint();
      expect(await countOf(notes)).toBe(6);
      await manager.close();
    });
  });
});
