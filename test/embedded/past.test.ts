/**
 * Forks of the past against a model: what a database was after each of its commits, while everything
 * else goes on that changes what is kept of it; and exports of it, the same way.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { prepareEngines } from "../../src/sqlite/index.ts";
import { rowsOf, Watched } from "./past.fixture.ts";

beforeEach(() => prepareEngines("sqlite", 12));

const LIVES = 3;

/** Steps of one life; a few forks of any moment there was come in between. */
async function liveOn(watched: Watched, steps: number): Promise<void> {
  const { dice, moments } = watched;
  for (let step = 0; step < steps; step += 1) {
    if (dice.below(3) === 0) await watched.besides();
    else await watched.write();
    if (dice.below(6) === 0) {
      const moment = moments[dice.below(moments.length)];
      if (moment === undefined) continue;
      expect(await rowsOf(await watched.fork(moment))).toEqual(moment.rows);
    }
  }
}

async function compareAll({ manager, forks }: Watched): Promise<void> {
  for (const [name, rows] of forks) {
    const fork = await manager.database(name, { create: false });
    expect(await rowsOf(fork)).toEqual(rows);
  }
}

describe("forks of the past", () => {
  // evidence: G23
  test.each([3])(
    "are what the database was at any of its commits, whatever has happened since (seed %i)",
    async (seed) => {
      const watched = new Watched(seed);
      const { world, dice, moments } = watched;
      for (let life = 0; life < LIVES; life += 1) {
        await world.run(async () => {
          await watched.open();
          await liveOn(watched, 10);
          if (life === LIVES - 1) {
            for (const moment of moments) {
              if (dice.below(3) > 0) continue;
              expect(await rowsOf(await watched.fork(moment))).toEqual(moment.rows);
            }
            await watched.manager.checkpoint();
            await compareAll(watched);
          }
          await watched.die(dice.below(2) === 0 ? "close" : "kill");
        });
        world.kill();
      }
    },
    120_000,
  );
});

describe("exports of the past", () => {
  // evidence: G23
  test("are what the database was at any of its commits, and leave nothing in the store", async () => {
    const watched = new Watched(11);
    const { world, moments } = watched;
    await world.run(async () => {
      await watched.open();
      const { manager } = watched;
      for (let step = 0; step < 24; step += 1) {
        await watched.write();
        if (step % 7 === 6) await manager.checkpoint();
      }
      for (const [n, { lsn, rows }] of moments.entries()) {
        if (n % 3 === 0) expect(await rowsOf(await watched.exported({ lsn }))).toEqual(rows);
      }
      const a = await watched.a();
      await a.snapshot("kept");
      const kept = moments.at(-1)?.rows;
      await watched.write();
      expect(await rowsOf(await watched.exported({ snapshot: "kept" }))).toEqual(kept);
      const before = manager.diagnostics().databases.known;
      await a.export("/once.sqlite", { at: { lsn: moments[1]?.lsn ?? 0 } });
      const again = a.export("/once.sqlite", { at: { lsn: moments[1]?.lsn ?? 0 } });
      await expect(again).rejects.toMatchObject({ code: "BOP_EXISTS" });
      await expect(a.export("/never.sqlite", { at: { lsn: 0 } })).rejects.toMatchObject({
        code: "BOP_SNAPSHOT_GONE",
      });
      const { log, databases } = manager.diagnostics();
      const ahead = a.export("/ahead.sqlite", { at: { lsn: log.newestLsn + 4096 } });
      await expect(ahead).rejects.toThrow(RangeError);
      expect(databases.known).toBe(before);
      const files = (await watched.env.storage.list("/")).filter((name) =>
        /never|ahead/.test(name),
      );
      expect(files).toEqual([]);
      await manager.close();
    });
  }, 60_000);
});
