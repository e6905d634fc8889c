/**
 * SHIPPING: a store that acknowledges as `remote`, over a bucket whose service fails by seed, and
 * that is cut off again and again. Some lives end with the machine: its disk is never seen again, and
 * the next life is restored from the bucket; sometimes while the old process is still there, knows
 * nothing of it and goes on shipping.
 *
 * (1) Whatever was acknowledged or shown is there afterwards, on the same disk or on a new one, and
 *     what is there is a prefix: the oracle is that of the other scenarios.
 * (2) Once the service is well, everything is shipped; what is then restored is the same store.
 * (3) Whatever garbage collection took, nothing of it was needed by a restore.
 * (4) A service that refuses for a while makes dead letters. Somebody retries or discards them, and then
 *     (1) and (2) hold as ever; what was decided is not asked again.
 * (5) A store that has begun to ship is never refused by its bucket, however its processes end, until its
 *     machine is lost or replaced.
 *
 * TIERING: the same with a budget of the disk that is smaller than the data: chunks go, and are fetched
 * when a statement needs them, from a service that fails; machines begin with an empty disk, or with a
 * restore that brings rows and log alone.
 *
 * (6) A statement that cannot have its pages says so, and has done nothing. One that finds them away
 *     when it has changed some rows does it once.
 */
import { isStorageError, Manager } from "../../src/index.ts";
import { type SimulatedService, SimulatedStore, simulatedService } from "../../src/sink/index.ts";
import { work } from "../clients.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { adopt, type Found, verify } from "../oracle.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import { type SwarmOptions, storeLimits } from "../swarm.ts";
import { load, sweep } from "../sweep.ts";

const LATENCY_MS_MAX = 30;
const OUTAGE_MS_MAX = 20_000;
/** Until who found the service down asks again. */
const OUTAGE_MS = 5000;
const RESTORES_MAX = 8;
const OPENS_MAX = 8;
/** What is delayed has landed by then. */
const ALL_LANDED_MS = 15 * 60 * 1000;
/** Longer than an epoch lasts where little is kept. */
const QUIET_MS = 65 * 60 * 1000;
const LIFE_MS_MAX = 2 * QUIET_MS;
const LETTERS_MS = 500;
/** Why pages that are only in the bucket cannot be had now. */
const AWAY = ["BOP_SINK_UNAVAILABLE", "BOP_SINK_CORRUPT", "BOP_SINK_REFUSED"] as const;
const AGAIN_MS = 2000;
const VERIFY_TRIES = 60;
const ENDS = ["kill", "kill", "power", "machine", "machine", "replaced"] as const;

/** Where the store lies now; a lost machine's directory is not used again. */
class Places {
  #count = 1;
  /** The next life begins in a directory that is empty. */
  isLost = false;
  /** The store that lies there has shipped: no writer came after it. */
  hasShipped = false;

  get directory(): string {
    return `/store-${this.#count}`;
  }

  lose(): void {
    this.#count += 1;
    this.isLost = true;
    this.hasShipped = false;
  }
}

interface Tier {
  readonly diskBytes: number;
  /** How a new machine begins: with an empty disk, or with one that was restored lazily. */
  readonly startsFromSink: boolean;
  /** Some databases are larger than what is brought at once. */
  readonly isLoaded: boolean;
}

interface Run {
  /** Undefined: all chunks stay on the disk. */
  readonly tier: Tier | undefined;
  readonly simulation: Simulation;
  service: SimulatedService;
  readonly places: Places;
  readonly faultChance: number;
  readonly keepForMs: number;
  readonly flushBytes: number;
  readonly flushIntervalMs: number;
  /** The process before has lost its place and lives: it ships on. */
  isReplaced: boolean;
  /** Letters that somebody was told to have decided on, and their directories. See (4). */
  readonly decided: Set<string>;
  /** Those of them that were there again. */
  readonly ghosts: string[];
}

export async function shipping(options: SimulationOptions): Promise<void> {
  await shipAgain(
    new Simulation({ ...options, adjust: calmer, lifeMsMax: LIFE_MS_MAX }),
    undefined,
  );
}

export async function tiering(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: larger, lifeMsMax: LIFE_MS_MAX });
  const { random } = simulation;
  const diskBytes = random.pick([64, 64, 256, 1024]) * 1024;
  simulation.excuses = isAway;
  const startsFromSink = random.chance(0.5);
  await shipAgain(simulation, { diskBytes, startsFromSink, isLoaded: random.chance(0.3) });
}

async function shipAgain(simulation: Simulation, tier: Tier | undefined): Promise<void> {
  const { random, tally } = simulation;
  const run: Run = {
    tier,
    simulation,
    service: newService(simulation),
    places: new Places(),
    faultChance: random.pick([0, 0.02, 0.1]),
    keepForMs: random.pick([0, 1000, 7 * 24 * 3_600_000]),
    flushBytes: random.pick([64, 256, 8192]) * 1024,
    flushIntervalMs: random.pick([10, 100, 1000]),
    isReplaced: false,
    decided: new Set(),
    ghosts: [],
  };
  for (let n = 0; n < simulation.options.lives; n++) await interruptedLife(run);
  run.service.faults.heal();
  await lastLives(run);
  tally.add("requests", run.service.calls);
}

function newService({ random, injectors }: Simulation): SimulatedService {
  const service = simulatedService(random.below(2 ** 31));
  injectors.push({ prefix: "sink ", injected: service.faults.injected });
  return service;
}

/** Each operation may take seconds here. */
function calmer(drawn: SwarmOptions): SwarmOptions {
  const { operations, clients, administration } = drawn;
  return {
    ...drawn,
    operations: Math.min(operations, 6),
    clients: Math.min(clients, 4),
    administration: Math.min(administration, 4),
    engine: "sqlite",
  };
}

/** Something must be in chunks, so that it can go. */
function larger(drawn: SwarmOptions): SwarmOptions {
  const { weights, checkpoints } = drawn;
  return {
    ...calmer(drawn),
    checkpoints: Math.max(4, checkpoints),
    weights: { ...weights, big: Math.max(2, weights.big), read: Math.max(2, weights.read) },
  };
}

const isAway = (error: unknown): boolean => AWAY.some((code) => isStorageError(error, code));

async function interruptedLife(run: Run): Promise<void> {
  const { simulation, service, places } = run;
  const { random, options, tally } = simulation;
  const end = random.pick(ENDS);
  const how = end === "power" ? "power" : "kill";
  service.faults.failSometimes(run.faultChance, { except: ["missing"] });
  const survived = await simulation.live(async (life) => {
    const manager = await open(run, life);
    void letters(run, life, { manager, isCalm: false });
    if (run.tier !== undefined && random.chance(0.7)) {
      await sweep(life, await patiently(run, life, () => adopt(life, manager)));
    }
    const found = await patiently(run, life, () => verify(life, manager));
    if (run.tier?.isLoaded) {
      await load(life, found);
      await life.attempt(() => manager.checkpoint());
    }
    const isCutOff = end !== "replaced" && random.chance(0.6);
    if (isCutOff) life.planCrash(1 + random.below(options.changesMax * 3), how);
    void outages(run, life);
    const working = random.chance(0.8) ? work({ life, manager }, found) : Promise.resolve();
    working.catch(() => undefined); // Of one that is replaced while it works nobody hears.
    const isLeftAtWork = end === "replaced" && random.chance(0.5);
    if (!isLeftAtWork) await working;
    await life.env.clock.sleep(random.fraction() * LATENCY_MS_MAX * 4);
    if (random.chance(0.05)) await life.env.clock.sleep(QUIET_MS);
    noteResidency(run, manager);
    if (!isLeftAtWork && random.chance(0.3)) await manager.close();
  });
  assertNoGhosts(run);
  // Not the one that it began with, if there was nothing to restore from.
  const { state } = run.service.faults;
  state.down = state.denied = false;
  tally.add(`lives that ended: ${end}`);
  // One that is replaced is still there, and ships on, until the next crash.
  if (survived && end !== "replaced") simulation.end(how);
  if (end === "machine" || end === "replaced") places.lose();
  run.isReplaced = survived && end === "replaced";
}

/** Until the bucket gives what is needed for it. See (6). */
async function patiently(run: Run, life: Life, look: () => Promise<Found[]>): Promise<Found[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await look();
    } catch (error) {
      life.assertAlive();
      const mayPass = isAway(error) || isStorageError(error, "BOP_TIMEOUT");
      if (run.tier === undefined || !mayPass || tries === VERIFY_TRIES) throw error;
      run.simulation.tally.add(`looks that failed: ${(error as { code?: string }).code}`);
    }
    await life.env.clock.sleep(AGAIN_MS);
  }
}

function noteResidency({ tier, simulation }: Run, manager: Manager): void {
  if (tier === undefined) return;
  const { residency } = manager.diagnostics();
  simulation.trace.note(JSON.stringify(residency));
  for (const [name, count] of Object.entries(residency ?? {})) {
    if (typeof count === "number" && name !== "diskBytes") {
      simulation.tally.add(`residency: ${name}`, count);
    }
  }
}

/** Nobody can reach the service, for a while, now and then. */
async function outages({ simulation, service }: Run, { env }: Life): Promise<void> {
  const { random, tally } = simulation;
  for (let n = random.below(3); n > 0; n--) {
    try {
      await env.clock.sleep(random.fraction() * 2000);
      service.faults.state.down = true;
      await env.clock.sleep(random.fraction() * OUTAGE_MS_MAX);
    } catch {
      return; // The process is dead.
    }
    service.faults.state.down = false;
    tally.add("outages");
  }
}

/** Letters that are there are decided on, those of lives before too; some are made. See (4). */
async function letters(
  { simulation, service, places, decided, ghosts }: Run,
  { env, isAlive }: Life,
  { manager, isCalm }: { readonly manager: Manager; readonly isCalm: boolean },
): Promise<void> {
  const { random, tally } = simulation;
  const { state } = service.faults;
  const { directory } = places;
  const refuses = !isCalm && random.chance(0.4);
  const fromMs = env.clock.monotonicMs() + random.fraction() * 2000;
  const toMs = fromMs + random.fraction() * OUTAGE_MS_MAX;
  try {
    while (manager.diagnostics().state !== "closed") {
      await env.clock.sleep(random.fraction() * LETTERS_MS);
      if (!isAlive()) return; // It was replaced.
      places.hasShipped ||= manager.diagnostics().sink?.state === "shipping";
      const nowMs = env.clock.monotonicMs();
      state.denied = refuses && nowMs >= fromMs && nowMs < toMs;
      for (const { id, kind, at } of manager.deadLetters()) {
        const letter = `${kind} ${id} of ${at.toISOString()} in ${directory}`;
        if (decided.has(letter)) ghosts.push(letter);
        const isGivenUp = !isCalm && random.chance(0.2);
        tally.add(`dead letters: ${kind} ${isGivenUp ? "discarded" : "retried"}`);
        await manager[isGivenUp ? "discardDeadLetter" : "retryDeadLetter"](id);
        if (!isAlive()) return;
        decided.add(letter);
        if (!isCalm && random.chance(0.3)) simulation.world.kill();
      }
    }
  } catch (error) {
    const { code } = error as { code?: string };
    // The process is dead, or the store was closed meanwhile.
    if (isAlive() && code !== "BOP_CLOSED" && !(error instanceof RangeError)) throw error;
  } finally {
    state.denied = false;
  }
}

async function open(run: Run, life: Life): Promise<Manager> {
  const { simulation, places, tier } = run;
  const { tally } = simulation;
  for (let tries = 1; ; tries++) {
    if (places.isLost && tier?.startsFromSink) {
      tally.add("starts with an empty disk");
      places.isLost = false;
    }
    if (places.isLost) await restore(run, life);
    try {
      const manager = await openManager(run, life);
      life.manager = manager;
      places.hasShipped ||= manager.diagnostics().sink?.state === "shipping"; // See (5).
      tally.add("openings");
      return manager;
    } catch (error) {
      life.assertAlive();
      const code = (error as { code?: string }).code ?? String(error);
      // The one that was replaced has shipped more since the restore: once more, then.
      const isBehind = code === "BOP_SINK_AHEAD" || code === "BOP_DIVERGED";
      // An empty disk needs the bucket, and an outage of the life before may still go on.
      const isUnreached = tier?.startsFromSink === true && code === "BOP_SINK_UNAVAILABLE";
      const mayAgain = (isBehind || isUnreached) && simulation.world.alive && tries < OPENS_MAX;
      if (!mayAgain) throw error;
      promise(!isBehind || !places.hasShipped, () => `refused by its own bucket: ${code}`);
      tally.add(`openings refused: ${code}`);
      simulation.trace.note(`${code} ${JSON.stringify((error as { details?: unknown }).details)}`);
      if (isBehind) places.lose();
      else await life.env.clock.sleep(OUTAGE_MS);
    }
  }
}

/** Nothing to restore from, if the machine was lost before anything was shipped. */
async function restore(run: Run, { env }: Life): Promise<void> {
  const { simulation, service, places } = run;
  const { tally, trace, stores } = simulation;
  for (let tries = 1; ; tries++) {
    const from = new SimulatedStore({ service, clock: env.clock, latencyMsMax: LATENCY_MS_MAX });
    const { directory } = places;
    const openKeyValueStore = stores.openerFor(env);
    const lazy = run.tier !== undefined;
    try {
      const report = await Manager.restore({ from, directory, env, openKeyValueStore, lazy });
      trace.note(`restored to ${report.lsn}, ${report.chunks} chunks`);
      tally.add("restores");
      break;
    } catch (error) {
      const { code, retryable = false } = error as { code?: string; retryable?: boolean };
      trace.note(`restore: ${code}`);
      if (code === "BOP_NO_RESTORE_POINT") {
        tally.add("nothing to restore from");
        // It may hold a name and an epoch: a store that begins anew needs a bucket of its own.
        run.service = newService(simulation);
        break;
      }
      if (!retryable || tries === RESTORES_MAX) throw error;
      tally.add(`restores refused: ${code}`);
      await env.clock.sleep(OUTAGE_MS);
    }
  }
  places.isLost = false;
}

function openManager(run: Run, { env }: Life): Promise<Manager> {
  const { simulation, service, places, flushBytes, flushIntervalMs, keepForMs, tier } = run;
  const { limits, ...rest } = storeLimits(simulation.options);
  const sink = new SimulatedStore({ service, clock: env.clock, latencyMsMax: LATENCY_MS_MAX });
  const openKeyValueStore = simulation.stores.openerFor(env);
  return Manager.open({
    ...rest,
    limits: { ...limits, ...(tier && { diskBytes: tier.diskBytes }) },
    ...(tier?.startsFromSink && { startFromSink: true }),
    ...{ directory: places.directory, env, openKeyValueStore },
    ...{ sink, durability: "remote", flushBytes, flushIntervalMs },
    retention: { keepForMs },
    // Beside one that still ships nobody goes on without the sink: the two would go separate ways.
    sinkTimeoutMs: run.isReplaced ? 600_000 : 60_000,
  });
}

function assertNoGhosts({ ghosts }: Run): void {
  promise(ghosts.length === 0, () => `decided, and there again: ${ghosts.join("; ")}`);
}

/** All is well: the store ships what it holds, and what is restored from that is the same. */
async function lastLives(run: Run): Promise<void> {
  const { simulation, places } = run;
  const { world } = simulation;
  if (world.alive) simulation.end("kill"); // Of the one that was replaced.
  await world.pass(ALL_LANDED_MS);
  await simulation.live(async (life) => {
    const manager = await open(run, life);
    void letters(run, life, { manager, isCalm: true });
    await patiently(run, life, () => verify(life, manager));
    await manager.checkpoint();
    const { durableLsn } = manager.diagnostics().log;
    await manager.durable(durableLsn, { level: "remote" });
    await manager.close();
    const { sink } = manager.diagnostics();
    promise(sink?.unshippedBytes === 0, () => `${sink?.unshippedBytes} bytes were not shipped`);
  });
  assertNoGhosts(run);
  simulation.end("kill");
  places.lose();
  await simulation.live(async (life) => {
    const manager = await open(run, life);
    void letters(run, life, { manager, isCalm: true });
    await patiently(run, life, () => verify(life, manager));
    noteResidency(run, manager);
    await manager.close();
  });
  simulation.end("kill");
}
