/** LIVES OF A STORE over a bucket, cut off again and again; and the last ones, in which all is well. */
import { isStorageError, type Manager } from "../../src/index.ts";
import { work } from "../clients.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { adopt, type Found, verify } from "../oracle.ts";
import type { Simulation } from "../simulation.ts";
import { load, sweep } from "../sweep.ts";
import { giveLogUp, outages, refuse, retryAll } from "./befalls.ts";
import { open } from "./opening.ts";
import {
  assertNoGhosts,
  type Habits,
  isAway,
  LATENCY_MS_MAX,
  newService,
  Places,
  type Run,
  type Tier,
} from "./run.ts";

/** What is delayed has landed by then. */
const ALL_LANDED_MS = 15 * 60 * 1000;
/** Longer than an epoch lasts where little is kept. */
const QUIET_MS = 65 * 60 * 1000;
export const LIFE_MS_MAX = 2 * QUIET_MS;
const AGAIN_MS = 2000;
const VERIFY_TRIES = 60;

export async function shipAgain(
  simulation: Simulation,
  { habits, tier }: { readonly habits: Habits; readonly tier?: Tier },
): Promise<void> {
  const { random, tally } = simulation;
  const run: Run = {
    tier,
    habits,
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

async function interruptedLife(run: Run): Promise<void> {
  const { simulation, service, places, habits } = run;
  const { random, options, tally } = simulation;
  const end = random.pick(habits.ends);
  const how = end === "power" ? "power" : "kill";
  service.faults.failSometimes(run.faultChance, { except: ["missing"] });
  const survived = await simulation.live(async (life) => {
    const manager = await open(run, life);
    void (habits.givesLogUp ? giveLogUp : refuse)(run, life, manager);
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
    if (isLeftAtWork) simulation.isUnheard = true;
    else await working;
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

/** All is well: the store ships what it holds, and what is restored from that is the same. */
async function lastLives(run: Run): Promise<void> {
  const { simulation, places } = run;
  const { world } = simulation;
  if (world.alive) simulation.end("kill"); // Of the one that was replaced.
  await world.pass(ALL_LANDED_MS);
  await simulation.live(async (life) => {
    const manager = await open(run, life);
    void retryAll(run, life, manager);
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
    void retryAll(run, life, manager);
    await patiently(run, life, () => verify(life, manager));
    noteResidency(run, manager);
    await manager.close();
  });
  simulation.end("kill");
}
