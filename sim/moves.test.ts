/**
 * EVERY MOVE OF EVERY TABLE OF STATES is taken: by seeds where they take it in little time, else by
 * what brings it about on purpose. A move that nobody takes is none, and goes from its table.
 *
 * The tests of this file add up: the last one is of use only behind all others.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { allStateTables, watchMoves } from "../src/base/state-table.ts";
import { LSN_ZERO, streamId } from "../src/base/units.ts";
import { SHIPPING_DRIVES } from "../src/flush/ship/moves.fixture.ts";
import { Manager } from "../src/index.ts";
import { seeded, simulatedEnv } from "../src/io/index.ts";
import { memoryStores } from "../src/manifest/index.ts";
import { type JobEvent, moveJob, newJob } from "../src/manifest/job-state.ts";
import { CircuitBreaker } from "../src/sink/retry/breaker.ts";
import { prepareEngines } from "../src/sqlite/index.ts";
import { LogStore, worldOf } from "../src/write/log.fixture.ts";
import { seedTests } from "./seed-tests.ts";

const taken = new Set<string>();

beforeEach(() => watchMoves((table, from, to) => taken.add(`${table}: ${from} → ${to}`)));
afterEach(() => watchMoves(undefined));

describe("a store that ships", () => {
  test.each(SHIPPING_DRIVES)("%s", async (_what, run) => {
    await run(70);
  });
});

describe("a job", () => {
  const moment = { nowMs: 1000, below: () => 0 };
  const progress = { done: 0, total: 1 };
  const lease: JobEvent = { type: "lease", holder: "us", leaseMs: 10 };
  const fail: JobEvent = { type: "fail", reason: "no", final: false };
  const wanted = { id: 1, kind: "check", stream: streamId(5), nowMs: 0 };
  const lives: readonly (readonly [what: string, events: readonly JobEvent[]])[] = [
    ["is done", [lease, { type: "renew", leaseMs: 10, progress }]],
    ["is done", [lease, { type: "complete", result: "ok", progress }]],
    ["fails, waits and fails for good", [lease, fail, { type: "due" }, lease, fail]],
    ["expires and is cancelled", [lease, { type: "expire", reason: "" }, { type: "cancel" }]],
    ["is cancelled at work, and retried", [lease, { type: "cancel" }, { type: "retry" }]],
    ["is cancelled while it waits", [lease, fail, { type: "cancel" }]],
    ["fails for good, and is retried", [lease, { ...fail, final: true }, { type: "retry" }]],
  ];

  test.each(lives)("%s", (_what, events) => {
    let job = newJob({ ...wanted, maxAttempts: 2 });
    for (const event of events) job = moveJob(job, event, moment);
    expect(job.changedAtMs).toBe(moment.nowMs);
  });
});

test("a breaker opens, probes in vain, and closes when a probe succeeds", () => {
  const limits = { failuresMax: 1, probesMin: 1, pauseMs: 10, pauseMsMax: 10 };
  const breaker = new CircuitBreaker(limits, seeded(1));
  const settle = (outcome: "failed" | "succeeded", nowMs: number) => {
    const answer = breaker.ask(nowMs);
    if (answer.type !== "go") throw new Error("nobody goes");
    breaker.settle(answer.ticket, { outcome, nowMs });
  };
  settle("failed", 0);
  settle("failed", 100);
  settle("succeeded", 200);
  expect(breaker.state).toBe("closed");
});

test.each([LSN_ZERO, undefined])(
  "a segment that a refused sync has poisoned is let go, as history or for good",
  async (horizonLsn) => {
    const world = await worldOf(5);
    const store = new LogStore();
    store.io = "standard";
    store.horizonLsn = horizonLsn;
    const env = world.start();
    await world.run(async () => {
      const log = await store.open(env);
      for (let n = 0; n < 3; n++) await store.commitDurably(log, 60_000);
      world.disk.failNext({ operation: "sync", pathPattern: /\.wal$/ });
      for (let n = 0; n < 3; n++) await store.commitDurably(log, 60_000);
      await store.checkpoint(env, log);
      expect(store.history.size > 0).toBe(horizonLsn !== undefined);
      await log.close();
    });
  },
);

test("a segment that the sink has is history once no checkpoint needs it", async () => {
  const world = await worldOf(6);
  const store = new LogStore();
  store.horizonLsn = LSN_ZERO;
  store.archivedLsn = LSN_ZERO;
  const env = world.start();
  await world.run(async () => {
    const log = await store.open(env);
    for (let n = 0; n < 6; n++) await store.commitDurably(log, 80_000);
    await log.shipping.archived(log.durableLsn);
    await store.checkpoint(env, log);
    expect(store.history.size).toBeGreaterThan(0);
    await log.close();
  });
});

test("a store is closed, and so is one whose log has failed for good and that is read-only", async () => {
  await prepareEngines("sqlite", 1);
  const { world, env } = simulatedEnv({ seed: 1 });
  const openKeyValueStore = memoryStores(seeded(1)).openerFor(env);
  await world.run(async () => {
    const place = { directory: "/store", env, openKeyValueStore };
    await (await Manager.open(place)).close();
    const manager = await Manager.open(place);
    const database = await manager.database("notes");
    world.disk.failSometimes({ sync: 1, write: 1 }, /\.wal$/);
    await expect(database.exec("create table note (id)")).rejects.toThrow();
    expect(manager.diagnostics().state).toBe("read-only");
    await manager.close();
    expect(manager.diagnostics().state).toBe("closed");
  });
});

/** They take the other moves of segments and buffers. */
seedTests("log", {
  fact: "a log that is cut off anywhere has what it said is durable, in order and whole",
  seeds: 15,
  seen: (tally) => {
    for (const [name] of tally.entries()) {
      const move = /^move: (\S+) (.*)$/.exec(name);
      if (move !== null) taken.add(`${move[1]}: ${move[2]}`);
    }
  },
});

test("every move of every table was taken, and no table is unknown", () => {
  const all = allStateTables().flatMap((table) => {
    return table.moves().map(({ from, to }) => `${table.name}: ${from} → ${to}`);
  });
  expect(all.filter((move) => !taken.has(move))).toEqual([]);
  const names = allStateTables().map(({ name }) => name);
  expect(names.sort()).toEqual(["breaker", "buffer", "job", "segment", "shipping", "store"]);
});
