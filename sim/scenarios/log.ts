/**
 * LOG: the log and the superblock alone, without pages and without SQL, so that a seed takes
 * milliseconds: commits of several databases, groups, large ones that span batches and segments,
 * checkpoints that let segments go or keep them as history; cut off at any change of the disk, at work
 * and in recovery, on disks that fail. What the log said was durable is there, in order; nothing else is
 * that was not sealed; and what history should have can be read.
 */
import { KIB, type StreamId, streamId } from "../../src/base/units.ts";
import { StorageError } from "../../src/index.ts";
import type { FaultChances, SeededRandom } from "../../src/io/index.ts";
import type { StoredLog } from "../../src/write/index.ts";
import { withEchoes } from "../echoes.ts";
import type { Life } from "../life.ts";
import { LogLife, makeDirectories } from "../log/log-life.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";

const STREAMS = [3, 4, 5].map((stream) => streamId(stream));
/** Of record logs: nobody asks for their history. */
const GROUPED = [6, 7, 8].map((stream) => streamId(stream));
const LIVES_MAX = 5;
const STEPS_MAX = 60;
const RECOVERY_CHANGES_MAX = 15;
const CHANGES_MAX = [10, 40, 40, 150] as const;
const SIZES = [0, 20, 300, 3000, 3000, 30_000, 150_000] as const;
const EXCUSED = ["BOP_BACKPRESSURE"];
const EXCUSED_BY_FAULTS = ["BOP_IO", "BOP_DISK_FULL", "BOP_READ_ONLY", "BOP_OUTCOME_UNKNOWN"];

export async function log(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: withEchoes });
  await endLog(simulation, await liveLog(simulation));
}

/** Lives that were all cut off. */
export async function liveLog(simulation: Simulation): Promise<LogLife> {
  const { random, tally, world } = simulation;
  simulation.faulty = random.chance(0.4);
  const store = new LogLife({
    mayBeFull: simulation.faulty,
    limits: {
      segmentBytes: 256 * KIB,
      bufferBytes: 128 * KIB,
      inlineFlushMs: random.pick([0, 1, 100]),
      maxWriteAttempts: random.pick([1, 3]),
    },
    keepsHistory: random.chance(0.5),
  });
  world.disk.autoIsDirect = random.chance(0.3);
  simulation.echoed = () => {
    const echo = store.echo();
    return async ({ env }) => {
      await makeDirectories(env);
      const opened = await echo.open(env);
      await echo.checkPast(opened, STREAMS);
    };
  };
  for (let n = 1 + random.below(LIVES_MAX); n > 0; n--) {
    const how = random.pick(["kill", "power"] as const);
    const inRecovery = random.chance(0.3);
    const survived = await simulation.live(async (life) => {
      if (inRecovery) life.planCrash(1 + random.below(RECOVERY_CHANGES_MAX), how);
      const opened = await openDespite(life, store);
      if (opened === undefined) return;
      if (!inRecovery) life.planCrash(1 + random.below(random.pick(CHANGES_MAX)), how);
      await new Work({ life, store, log: opened }).run();
    });
    world.disk.heal();
    store.refusesNext = false;
    if (survived) simulation.end(how);
    else tally.add(`crashes: ${how} at a change`);
  }
  return store;
}

/** On a disk that is well everything is there, and stays. */
export async function endLog(simulation: Simulation, store: LogLife): Promise<void> {
  for (let n = 0; n < 2; n++) {
    await simulation.live(async ({ env }) => {
      await makeDirectories(env);
      const opened = await store.open(env);
      store.told(opened.durableLsn);
      await store.checkPast(opened, STREAMS);
      await opened.close();
      simulation.closed();
    });
    simulation.end("power");
  }
}

/** Undefined where a disk that fails did not let it open. */
async function openDespite(life: Life, store: LogLife): Promise<StoredLog | undefined> {
  const { simulation, env } = life;
  try {
    await makeDirectories(env);
    if (simulation.faulty && simulation.random.chance(0.2)) harm(life, store);
    return await store.open(env);
  } catch (error) {
    life.assertAlive();
    if (!simulation.faulty || !isExcused(error, EXCUSED_BY_FAULTS)) throw error;
    simulation.tally.add("opens that failed");
    return undefined;
  } finally {
    simulation.world.disk.heal();
    store.refusesNext = false;
  }
}

/** One life after it was opened. */
class Work {
  readonly #life: Life;
  readonly #store: LogLife;
  readonly #log: StoredLog;
  readonly #random: SeededRandom;
  readonly #running: Promise<unknown>[] = [];
  #checkpoint: Promise<unknown> = Promise.resolve();

  constructor({ life, store, log }: { life: Life; store: LogLife; log: StoredLog }) {
    this.#life = life;
    this.#store = store;
    this.#log = log;
    this.#random = life.simulation.random;
  }

  async run(): Promise<void> {
    const random = this.#random;
    const { env, simulation } = this.#life;
    if (simulation.faulty) {
      const harmAt = random.below(10);
      this.#later(async () => {
        await env.clock.sleep(harmAt);
        harm(this.#life, this.#store);
        await env.clock.sleep(random.below(60));
        simulation.world.disk.heal();
      });
    }
    for (let n = random.below(STEPS_MAX); n > 0; n--) {
      this.#life.assertAlive();
      await this.#step();
    }
    await Promise.all(this.#running);
    if (!simulation.faulty) await this.#store.checkPast(this.#log, STREAMS);
    if (!random.chance(0.4)) return;
    await this.#log.close();
    simulation.closed();
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const { env } = this.#life;
    const dice = random.below(100);
    if (dice < 60) this.#commit();
    else if (dice < 70) this.#discard();
    else if (dice < 78) this.#log.kick({ inline: random.chance(0.5) });
    else if (dice < 90) await env.clock.sleep(random.below(random.pick([3, 3, 80])));
    else if (dice < 97) this.#later(() => this.#checkpointNext());
    else await Promise.all(this.#running.splice(0));
    // Whatever the log says now somebody may have been told.
    this.#store.told(this.#log.durableLsn);
  }

  /** One at a time. */
  #checkpointNext(): Promise<unknown> {
    const next = () => this.#store.checkpoint(this.#life.env, this.#log);
    this.#checkpoint = this.#checkpoint.then(next);
    return this.#checkpoint;
  }

  #commit(): void {
    const random = this.#random;
    const streams = random.chance(0.2) ? GROUPED.slice(random.below(2)) : [this.#stream()];
    try {
      this.#log.admit();
      const lsn = this.#store.model.seal(this.#log, streams, random.pick(SIZES));
      this.#life.simulation.tally.add(`commits: ${streams.length === 1 ? "alone" : "group"}`);
      if (random.chance(0.5)) {
        this.#later(async () => {
          await this.#log.durable(lsn);
          this.#store.told(lsn);
        });
      }
    } catch (error) {
      this.#excuse(error);
    }
  }

  #discard(): void {
    try {
      this.#store.model.discard(this.#log, this.#stream(), this.#random.pick(SIZES));
    } catch (error) {
      this.#excuse(error);
    }
  }

  #stream(): StreamId {
    return this.#random.pick(STREAMS);
  }

  /** Beside what follows. */
  #later(work: () => Promise<unknown>): void {
    const done = work().catch((error: unknown) => this.#excuse(error));
    done.catch(() => undefined); // Heard at the end, or never: of a process that died meanwhile.
    this.#running.push(done);
  }

  #excuse(error: unknown): void {
    this.#life.assertAlive();
    const { faulty } = this.#life.simulation;
    if (isExcused(error, EXCUSED) || (faulty && isExcused(error, EXCUSED_BY_FAULTS))) return;
    throw error;
  }
}

function harm({ simulation }: Life, store: LogLife): void {
  const { random, world, tally } = simulation;
  const chance = random.pick([0.02, 0.1, 0.4]);
  const kinds: Readonly<Record<string, FaultChances>> = {
    writes: { write: chance },
    syncs: { sync: chance, syncDirectory: chance },
    names: { rename: chance, unlink: chance, create: chance, preallocate: chance },
  };
  const kind = random.pick(["writes", "syncs", "syncs", "names", "registration"]);
  tally.add(`faults: ${kind}`);
  if (kind === "registration") store.refusesNext = true;
  else world.disk.failSometimes(kinds[kind] ?? {});
}

function isExcused(error: unknown, codes: readonly string[]): boolean {
  return (
    codes.some((code) => error instanceof StorageError && error.code === code) || isNoRoom(error)
  );
}

/** Of what is remembered. */
function isNoRoom(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}
