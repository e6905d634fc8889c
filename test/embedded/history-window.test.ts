/** The history window: how far back forks can begin, and what moves its beginning. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../src/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";
import { rowsOf, Watched } from "./past.fixture.ts";

beforeEach(() => prepareEngines("sqlite", 12));

const ROOM_BYTES = 1024 * 1024 * 1024;
/** What checkpoints leave free by default. */
const RESERVE_BYTES = 4 * 1024 * 1024;

/** Of the newest moment up to that time of which the store has heard. */
async function forkAtLatest(database: Database, time: Date): Promise<Database> {
  for (let atMs = time.getTime(); ; atMs -= 1) {
    const fork = database.fork("newest", { at: new Date(atMs) });
    const found = await fork.catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
    });
    if (found !== undefined) return found;
  }
}

describe("the history window", () => {
  test("moves on by bytes: what is above its beginning can be had, and the rest says so", async () => {
    const watched = new Watched(40, { historyBytes: 2 * 1024 * 1024 });
    const { world, moments } = watched;
    await world.run(async () => {
      await watched.open();
      for (let step = 0; step < 36; step += 1) {
        await watched.write();
        if (step % 5 === 4) await watched.manager.checkpoint();
      }
      const { fromLsn, bytes } = watched.manager.diagnostics().log.history;
      expect(fromLsn).toBeGreaterThan(moments[5]?.lsn ?? 0);
      expect(bytes).toBeLessThanOrEqual(2 * 1024 * 1024);
      for (const [n, moment] of moments.entries()) {
        if (n % 4 > 0) continue;
        if (moment.lsn < fromLsn) {
          const gone = { code: "BOP_SNAPSHOT_GONE", details: { database: "a" } };
          await expect(watched.fork(moment)).rejects.toMatchObject(gone);
        } else expect(await rowsOf(await watched.fork(moment))).toEqual(moment.rows);
      }
      await watched.manager.close();
    });
  }, 120_000);

  test("may move on while a fork of the past is being made, which is whole all the same", async () => {
    const watched = new Watched(41, { historyBytes: 256 * 1024 });
    await watched.world.run(async () => {
      await watched.open();
      for (let step = 0; step < 10; step += 1) await watched.write();
      const { manager, moments } = watched;
      const forks = moments.map((moment) => ({ moment, fork: watched.fork(moment) }));
      for (let round = 0; round < 3; round += 1) {
        await watched.write();
        await manager.checkpoint();
      }
      for (const { moment, fork } of forks) expect(await rowsOf(await fork)).toEqual(moment.rows);
      await expect(watched.fork(moments[0] ?? { lsn: 0, rows: [] })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      await manager.close();
    });
  }, 60_000);

  test("finds a moment by its time, also where the clock was set back", async () => {
    const watched = new Watched(42);
    const { world } = watched;
    await world.run(async () => {
      await watched.open();
      const a = await watched.a();
      const times: Date[] = [];
      for (let n = 0; n < 6; n += 1) {
        await watched.env.clock.sleep(1000);
        await a.prepare("insert into t (k, v) values (?, 'x')").run(n);
        await watched.env.clock.sleep(500);
        times.push(new Date(watched.env.clock.wallMs()));
        if (n === 2) await watched.manager.checkpoint();
      }
      for (const [n, at] of times.entries()) {
        const fork = await a.fork(`at-${n}`, { at });
        expect(await fork.prepare("select count(*) from t").pluck().get()).toBe(n + 1);
      }
      const setBackAt = new Date(watched.env.clock.wallMs());
      world.jumpWall(-10_000);
      await a.prepare("insert into t (k, v) values (99, 'late')").run();
      // What is committed since the clock was set back is no older than what was before.
      const before = await a.fork("before", { at: times.at(-2) ?? new Date(0) });
      expect(await before.prepare("select count(*) from t").pluck().get()).toBe(5);
      // Of what was its time when the clock was set back it knows no more than its newest commit says.
      const newest = await forkAtLatest(a, setBackAt);
      expect(await newest.prepare("select count(*) from t").pluck().get()).toBe(7);
      const future = { at: new Date(watched.env.clock.wallMs() + 60_000) };
      await expect(a.fork("future", future)).rejects.toThrow(RangeError);
      await expect(a.fork("ahead", { at: { lsn: 2 ** 40 } })).rejects.toThrow(RangeError);
      await expect(a.fork("long-ago", { at: new Date(0) })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      await watched.manager.close();
    });
  }, 60_000);

  test("gives way to a checkpoint that finds no room", async () => {
    const watched = new Watched(44, { checkpointLogBytes: 1024 * 1024 * 1024 });
    const { world } = watched;
    await world.run(async () => {
      await watched.open();
      const b = await watched.manager.database("b");
      await b.exec("create table u (x)");
      const put = b.prepare("insert into u values (randomblob(200000))");
      for (let n = 0; n < 20; n += 1) await put.run();
      await watched.manager.checkpoint();
      for (let n = 0; n < 12; n += 1) await put.run();
      const before = watched.manager.diagnostics().log.history.segments;
      expect(before).toBeGreaterThan(10);
      const { env } = watched;
      world.disk.capacityBytes = ROOM_BYTES;
      const usedBytes = ROOM_BYTES - (await env.storage.freeBytes("/store"));
      world.disk.capacityBytes = usedBytes + RESERVE_BYTES;
      await watched.manager.checkpoint();
      expect(watched.manager.diagnostics().log.history.segments).toBeLessThan(before);
      world.disk.capacityBytes = Number.POSITIVE_INFINITY;
      await watched.manager.close();
    });
  }, 60_000);

  test("of 0 ms is none: what a checkpoint has folded is gone, and the log takes no more room", async () => {
    const watched = new Watched(43, { historyMs: 0 });
    await watched.world.run(async () => {
      await watched.open();
      for (let step = 0; step < 8; step += 1) await watched.write();
      await watched.manager.checkpoint();
      const { history } = watched.manager.diagnostics().log;
      expect(history).toMatchObject({ bytes: 0, segments: 0 });
      const [first] = watched.moments;
      await expect(watched.fork(first ?? { lsn: 0, rows: [] })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      await watched.manager.close();
    });
  }, 60_000);
});
