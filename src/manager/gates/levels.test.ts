/** What answers wait for at each level, over a sink that takes what the test lets through. */
import { beforeEach, describe, expect, test } from "vitest";
import { StorageError } from "../../base/errors.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Database } from "../api/database.ts";
import { resolveManagerOptions } from "../resolve-options.ts";
import { begin, INSERT, shippedByHand } from "./levels.fixture.ts";

const COUNT = "select count(*) from note";
const entry = (index: bigint) => ({ term: 1n, index, payload: Uint8Array.of(1) });
const count = (of: Pick<Database, "prepare">) => of.prepare(COUNT).pluck<number>().get();

beforeEach(() => prepareEngines("sqlite", 4));

describe("at level remote", () => {
  // evidence: G34
  test("a commit is acknowledged when the sink has it, and one at level local before", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const drafts = await begin({ manager, shipper }, "drafts", "local");
      const [first, second] = [notes.exec(INSERT), notes.prepare(INSERT).run()];
      expect(await outcome(drafts.exec(INSERT))).toBe("done");
      expect(await outcome(Promise.race([first, second]))).toBe("open");
      expect(shipper.wantedLsn).toBeGreaterThan(shipper.remoteLsn);
      shipper.ship();
      expect(await outcome(first)).toBe("done");
      expect(await outcome(second.then(({ changes }) => changes))).toBe("1");
    }));

  test("a read waits for what others have not shipped yet, and a quiet database answers at once", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const quiet = await begin({ manager, shipper }, "quiet", "remote");
      const writing = notes.exec(INSERT);
      expect(await outcome(writing)).toBe("open");
      const others = await manager.database("notes", { durability: "remote" });
      const reading = count(others);
      expect(await outcome(reading)).toBe("open");
      expect(await outcome(count(quiet))).toBe("1");
      shipper.ship();
      expect(await outcome(reading)).toBe("2");
    }));

  test("the first row of an iteration leaves when the sink has all that the rows show", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const first = notes.exec(INSERT);
      await outcome(first);
      const rows = notes.prepare("select id from note order by id").pluck<number>().iterate();
      const row = rows.next();
      expect(await outcome(row)).toBe("open");
      const later = notes.exec(INSERT); // Behind the moment that the rows show.
      shipper.ship();
      expect(await outcome(row.then(({ value }) => value))).toBe("1");
      const rest: number[] = [];
      for await (const id of rows) rest.push(id);
      expect(rest).toEqual([2]);
      expect(await outcome(later)).toBe("open");
      shipper.ship();
      await later;
      const empty = notes.prepare("select id from note where id > 9").iterate();
      expect(await outcome(empty.next().then(({ done }) => done))).toBe("true");
    }));

  test("an SQL error that shows what others wrote waits for the sink as an answer does", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const first = notes.exec("insert into note (id, body) values (7, 'x')");
      const again = notes.exec("insert into note (id, body) values (7, 'x')");
      expect(await outcome(again)).toBe("open");
      shipper.ship();
      expect(await outcome(again)).toBe("BOP_SQLITE");
      await first;
    }));

  // evidence: G34
  test("a copy, a snapshot and a fork wait for the sink; the fork goes on at that level", () =>
    shippedByHand({}, async ({ manager, shipper, outcome, clock }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const quiet = await begin({ manager, shipper }, "quiet", "remote");
      const writing = notes.exec(INSERT);
      expect(await outcome(writing)).toBe("open");
      const at = new Date(clock.wallMs());
      const waiting = [
        notes.export("/copy.sqlite"),
        notes.export("/past.sqlite", { at }),
        notes.snapshot("s"),
        notes.fork("fork"),
      ];
      for (const one of waiting) expect(await outcome(one)).toBe("open");
      expect(await outcome(quiet.export("/quiet.sqlite", { at }))).toBe("done");
      shipper.ship();
      await Promise.all([writing, ...waiting]);
      const fork = await manager.database("fork");
      const inFork = fork.exec(INSERT);
      expect(await outcome(inFork)).toBe("open");
      shipper.ship();
      await inFork;
    }));

  test("record logs and the catalogue have the level of the store", () =>
    shippedByHand({ durability: "remote" }, async ({ manager, shipper, outcome }) => {
      const opening = manager.log("raft");
      expect(await outcome(opening)).toBe("open");
      shipper.ship();
      const log = await opening;
      const payload = Uint8Array.of(1);
      const appending = log.append([{ term: 1n, index: 1n, payload }]);
      expect(await outcome(appending)).toBe("open");
      expect(log.durableIndex).toBeUndefined();
      const listing = manager.list();
      expect(await outcome(listing)).toBe("open");
      shipper.ship();
      await appending;
      expect(log.durableIndex).toBe(1n);
      expect(await listing).toEqual([]);
    }));

  test("a record log is compacted up to an entry that is in a chunk, and not in the sink yet", () =>
    shippedByHand(
      { durability: "remote", logCacheBytes: 0 },
      async ({ manager, shipper, outcome }) => {
        const opening = manager.log("raft");
        await outcome(opening);
        shipper.ship();
        const log = await opening;
        const field = Uint8Array.of(5);
        const entry = (index: bigint) => ({ term: 1n, index, field, payload: Uint8Array.of(1) });
        const appending = log.append([entry(1n), entry(2n), entry(3n)]);
        expect(await outcome(appending)).toBe("open");
        await manager.checkpoint();
        const compacting = log.compactPrefix(2n);
        expect(await outcome(compacting)).toBe("open");
        shipper.ship();
        await compacting;
        expect(log.firstIndex).toBe(3n);
        expect(log.boundary?.field).toEqual(field);
      },
    ));

  test("what a record log has when the device fails is shown when the sink has it, and not before", () =>
    shippedByHand({ durability: "remote" }, async ({ manager, shipper, outcome, world }) => {
      const opening = manager.log("raft");
      await outcome(opening);
      shipper.ship();
      const log = await opening;
      const appending = log.append([entry(1n)]);
      expect(await outcome(appending)).toBe("open");
      for (let n = 0; n < 12; n++) world.disk.failNext({ operation: "sync" });
      expect(await outcome(log.append([entry(2n)]))).toBe("BOP_OUTCOME_UNKNOWN");
      expect(log.durableIndex).toBeUndefined();
      shipper.ship();
      expect(log.durableIndex).toBe(1n);
      await appending;
    }));

  // evidence: G34
  test("after a restart a record log shows as durable what the sink has of it, and no more", () =>
    shippedByHand(
      { durability: "remote" },
      async ({ manager, shipper, outcome }) => {
        const opening = manager.log("raft");
        await outcome(opening);
        shipper.ship();
        const log = await opening;
        const shipped = log.append([entry(1n)], { hardState: { term: 1n } });
        await outcome(shipped);
        shipper.ship();
        await shipped;
        const appending = log.append([entry(2n)], { hardState: { term: 2n } });
        expect(await outcome(appending)).toBe("open");
      },
      async ({ manager, shipper, outcome }) => {
        const log = await manager.log("raft");
        expect(log.lastIndex).toBe(2n);
        expect(log.durableIndex).toBe(1n);
        expect((await log.read({ from: 1n })).length).toBe(1);
        expect(await outcome(log.read({ from: 2n }))).toBe("BOP_LOG_UNAVAILABLE");
        const waiting = [
          log.waitDurable(2n),
          log.readHardState().then((state) => state?.term === 2n),
        ];
        expect(await outcome(Promise.race(waiting))).toBe("open");
        shipper.ship();
        expect(await Promise.all(waiting)).toEqual([undefined, true]);
        expect(log.durableIndex).toBe(2n);
      },
    ));

  test("a record log of a checkpoint that the sink does not have is opened when it has that", () =>
    shippedByHand(
      { durability: "remote" },
      async ({ manager, outcome }) => {
        expect(await outcome(manager.log("raft"))).toBe("open");
        await manager.checkpoint();
      },
      async ({ manager, shipper, outcome }) => {
        const opening = manager.log("raft");
        expect(await outcome(opening)).toBe("open");
        shipper.ship();
        expect((await opening).lastIndex).toBeUndefined();
      },
    ));
});

describe("durable", () => {
  test("resolves when the level that was asked for has the commit", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "local");
      const { lsn } = await notes.prepare(INSERT).run();
      expect(await outcome(notes.durable(lsn))).toBe("done");
      const remote = notes.durable(lsn, { level: "remote" });
      const ofStore = manager.durable(lsn, { level: "remote" });
      expect(await outcome(remote)).toBe("open");
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(manager.durable(lsn, { level: "remote", signal })).rejects.toThrow("enough");
      const controller = new AbortController();
      const given = manager.durable(lsn, { level: "remote", signal: controller.signal });
      controller.abort(new Error("enough"));
      await expect(given).rejects.toThrow("enough");
      shipper.ship();
      await Promise.all([remote, ofStore]);
    }));

  test("refuses a position that no commit has, which would be waited for in vain", () =>
    shippedByHand({}, async ({ manager }) => {
      await expect(manager.durable(1e12)).rejects.toThrow(RangeError);
      await expect(manager.durable(-1)).rejects.toThrow(RangeError);
      await expect(manager.durable(0, { level: "far" as "local" })).rejects.toThrow(TypeError);
    }));
});

describe("a store that lost its bucket", () => {
  const fenced = new StorageError("BOP_FENCED", "epoch 2 has the bucket", {
    details: { epoch: 1, byEpoch: 2 },
  });

  // evidence: G35
  test("acknowledges nothing more as remote, takes no writes, and counts what was not shipped", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const drafts = await begin({ manager, shipper }, "drafts", "local");
      await drafts.exec(INSERT);
      const writing = notes.exec(INSERT);
      expect(await outcome(writing)).toBe("open");
      shipper.lose(fenced);
      shipper.ship(); // What lands late counts for nobody.
      const error = await writing.catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "BOP_FENCED", details: { epoch: 1, byEpoch: 2 } });
      expect(error.details.unshippedBytes).toBeGreaterThan(0);
      expect(await outcome(drafts.exec(INSERT))).toBe("BOP_FENCED");
      expect(await count(drafts)).toBe(2);
      await drafts.export("/kept.sqlite");
      expect(manager.diagnostics().state).toBe("read-only");
    }));

  test("shows nothing at level remote that the sink does not have", () =>
    shippedByHand({ durability: "remote" }, async ({ manager, shipper, outcome }) => {
      const opening = manager.database("notes");
      await outcome(opening);
      shipper.ship();
      const notes = await opening;
      const writing = notes.exec("create table note (id integer primary key, body text)");
      await outcome(writing);
      shipper.lose(fenced);
      await expect(writing).rejects.toMatchObject({ code: "BOP_FENCED" });
      expect(await outcome(notes.prepare(COUNT).get())).toBe("BOP_FENCED");
    }));
});

describe("closing", () => {
  test("tells who waits for the sink that his commit is durable here only", () =>
    shippedByHand({ closeTimeoutMs: 1234 }, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const writing = notes.exec(INSERT);
      await outcome(writing);
      const settled = outcome(writing);
      await manager.close();
      expect(await settled).toBe("BOP_OUTCOME_UNKNOWN");
      expect(shipper.closedAfterMs).toBe(1234);
      expect(shipper.checkpoints).toBeGreaterThan(0);
    }));
});

describe("without a sink", () => {
  test("level remote is refused before anything happens", () => {
    const refused = (options: object) => () =>
      resolveManagerOptions({ directory: "d", ...options });
    expect(refused({ durability: "remote" })).toThrow(TypeError);
    expect(refused({ durability: "both" })).toThrow("durability is");
    expect(refused({ sink: 7 })).toThrow(TypeError);
    expect(refused({ sink: "ftp://x" })).toThrow();
    expect(refused({ retention: { keepForMs: -1 } })).toThrow(RangeError);
    expect(refused({ retention: { hourly: 1 } })).toThrow("hourly");
    expect(refused({ singleWriter: "yes" })).toThrow(TypeError);
    expect(refused({ flushIntervalMs: 1 })).toThrow(RangeError);
  });
});
