/**
 * JOBS: integrity checks in the background of a store that works, is cut off, reads from a disk that
 * fails, drops what they look at, and whose wall clock jumps by seconds and by hours, both ways. Users
 * submit, cancel, retry and discard them meanwhile.
 *
 * (1) A job that was recorded is there after a crash, and what it ended with stays, until somebody
 *     discards or retries it. What was discarded may come back once, over, if a crash was faster.
 * (2) What is done says "ok": the database is sound, though the disk did not read some of it at first.
 *     What fails says why.
 * (3) No database has two pending jobs of a kind; none is begun more often than it may be.
 * (4) On a disk that is well every job comes to its end, whatever the wall clock has done.
 */
import type { JobInfo, Manager } from "../../src/index.ts";
import { work } from "../clients.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { verify } from "../oracle.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { lastLives } from "./crash.ts";

const STEPS_MAX = 24;
const PAUSE_MS = 40;
const HOUR_MS = 3_600_000;
const JUMPS_MS = [6000, 6000, 61_000, HOUR_MS, -6000, -5 * HOUR_MS] as const;
/** Longer than all attempts of all jobs with all their pauses take. */
const PATIENCE_MS = 15 * 60_000;
const OVER = ["done", "failed", "cancelled"];

/** What must be there, over all lives. */
class JobRecord {
  /** By id: undefined while it is pending, as far as is known. */
  readonly #known = new Map<number, JobInfo["state"] | undefined>();

  submitted({ id }: JobInfo): void {
    if (!this.#known.has(id)) this.#known.set(id, undefined);
  }

  /** It may be in any state, or gone. */
  isChanging(id: number): void {
    this.#known.delete(id);
  }

  look(jobs: readonly JobInfo[]): void {
    const byId = new Map(jobs.map((job) => [job.id, job]));
    for (const [id, state] of this.#known) {
      const job = byId.get(id);
      promise(job !== undefined, () => `job ${id} was recorded and is gone`);
      promise(
        state === undefined || state === job.state,
        () => `job ${id} was ${state}: ${job.state}`,
      );
    }
    checkTwins(jobs);
    for (const job of jobs) {
      checkJob(job);
      if (OVER.includes(job.state)) this.#known.set(job.id, job.state);
    }
  }
}

/** See (3). */
function checkTwins(jobs: readonly JobInfo[]): void {
  const pending = jobs.filter(({ state }) => !OVER.includes(state));
  const databases = pending.flatMap(({ database }) => database ?? []);
  promise(new Set(databases).size === databases.length, "two jobs are pending for one database");
}

/** See (2) and (3). */
function checkJob({ id, state, result, reason, attempts, maxAttempts }: JobInfo): void {
  promise(attempts <= maxAttempts, () => `job ${id} was begun ${attempts} times`);
  promise(state !== "done" || result === "ok", () => `job ${id} found ${result}`);
  promise(state !== "failed" || reason !== undefined, () => `job ${id} failed and says nothing`);
}

export async function jobs(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: small });
  const { random, world, tally } = simulation;
  const record = new JobRecord();
  simulation.faulty = true;
  for (let n = 0; n < simulation.options.lives; n++) {
    const how = random.pick(["kill", "power"] as const);
    const survived = await simulation.live((life) => jobLife(life, record, how));
    world.disk.heal();
    if (survived) simulation.end(how);
    else tally.add(`crashes: ${how} at a change`);
  }
  await simulation.live(async (life) => {
    const manager = await life.open();
    await verify(life, manager);
    await allEnd(life, manager, record);
    await manager.close();
  });
  simulation.end("kill");
  await lastLives(simulation);
}

function small(drawn: SwarmOptions): SwarmOptions {
  const { lives, operations, clients } = drawn;
  return {
    ...drawn,
    lives: lives + 2,
    clients: Math.min(clients, 2),
    operations: Math.min(operations, 5),
    administration: 2,
  };
}

async function jobLife(life: Life, record: JobRecord, how: "kill" | "power"): Promise<void> {
  const { simulation } = life;
  const { random, options } = simulation;
  const manager = await life.open();
  const found = await verify(life, manager);
  record.look(manager.jobs());
  if (random.chance(0.6)) life.planCrash(1 + random.below(options.changesMax), how);
  await work({ life, manager }, found);
  await life.attempt(() => manager.checkpoint());
  const hands = Array.from({ length: 1 + random.below(2) }, () => hand(life, manager, record));
  await Promise.all([...hands, jumps(life), failingReads(life)]);
  record.look(manager.jobs());
  if (random.chance(0.4)) await allEnd(life, manager, record);
  if (random.chance(0.4)) await manager.close();
}

/** One user of jobs. */
async function hand(life: Life, manager: Manager, record: JobRecord): Promise<void> {
  const { random, catalogue, tally } = life.simulation;
  for (let n = random.below(STEPS_MAX); n > 0; n--) {
    const names = [...catalogue.current.keys()];
    const jobs = manager.jobs();
    const act = random.pick(["submit", "submit", "cancel", "retry", "discard"] as const);
    tally.add(`jobs: ${act}`);
    if (act === "submit") {
      if (names.length > 0) await submit(life, { manager, record, name: random.pick(names) });
    } else if (jobs.length > 0) {
      const failed = jobs.filter(({ state }) => state === "failed");
      const { id } = random.pick(act === "retry" && failed.length > 0 ? failed : jobs);
      record.isChanging(id);
      await life.attempt(() => manager.job(id)[act]().catch(ignoreMisuse));
    }
    checkTwins(manager.jobs());
    if (random.chance(0.7)) await life.env.clock.sleep(random.below(PAUSE_MS));
  }
}

interface Submission {
  readonly manager: Manager;
  readonly record: JobRecord;
  readonly name: string;
}

async function submit(life: Life, { manager, record, name }: Submission): Promise<void> {
  await life.attempt(async () => {
    const job = await manager.verifyDatabase(name);
    life.assertAlive();
    // A pending one may have been taken back by somebody else meanwhile.
    if (manager.jobs().some(({ id }) => id === job.id)) record.submitted(job);
  });
}

/** A job that is over cannot be cancelled, one that is pending not discarded, one that is gone neither. */
function ignoreMisuse(error: unknown): void {
  if (!(error instanceof TypeError) && !(error instanceof RangeError)) throw error;
}

/** The wall clock is set, now and then. */
async function jumps({ simulation, env }: Life): Promise<void> {
  const { random, world, tally } = simulation;
  for (let n = random.below(4); n > 0; n--) {
    await env.clock.sleep(random.below(PAUSE_MS * 4));
    const ms = random.pick(JUMPS_MS);
    world.jumpWall(ms);
    tally.add(`injected: wall clock ${ms < 0 ? "set back" : "set forward"}`);
  }
}

async function failingReads({ simulation, env }: Life): Promise<void> {
  const { random, world } = simulation;
  if (random.chance(0.5)) return;
  await env.clock.sleep(random.below(PAUSE_MS * 2));
  world.disk.failSometimes({ read: random.pick([0.05, 0.3, 1]) });
  await env.clock.sleep(random.below(PAUSE_MS * 8));
  world.disk.heal();
}

/** See (4). */
async function allEnd(life: Life, manager: Manager, record: JobRecord): Promise<void> {
  life.simulation.world.disk.heal();
  for (const { id } of manager.jobs()) {
    const giveUp = new AbortController();
    const late = life.env.clock.after(PATIENCE_MS, () => giveUp.abort(new Error("late")));
    const job = await manager
      .job(id)
      .finished({ signal: giveUp.signal })
      .catch((error: unknown) => {
        life.assertAlive();
        const { state, dueAt } = manager.jobs().find((each) => each.id === id) ?? {};
        return promise(false, () => `job ${id} does not end: ${error}, ${state}, due ${dueAt}`);
      });
    late.dispose();
    life.simulation.tally.add(`jobs that ended: ${job?.state}`);
  }
  record.look(manager.jobs());
}
