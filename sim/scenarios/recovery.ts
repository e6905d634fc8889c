/**
 * RECOVERY: a store whose log is long when it dies, so that reopening leaves much in the backlog.
 * Databases are touched in any order, while the others are still replayed behind them, checkpoints
 * are called for in between, and the next crash may come before all of it is done: whatever is
 * looked at, and whenever, is what the model says.
 */
import type { SeededRandom } from "../../src/io/index.ts";
import { work } from "../clients.ts";
import type { Life } from "../life.ts";
import { OPERATIONS } from "../operations.ts";
import { type Found, verify } from "../oracle.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { lastLives } from "./crash.ts";

const LOG_BYTES = 8 * 1024 * 1024;

export async function recovery(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: longLog });
  simulation.echoed = () => async (life) => {
    await touch(life, await life.open());
  };
  for (let n = 0; n < 1 + simulation.options.lives; n++) await life(simulation);
  await lastLives(simulation);
}

/** Nothing is checkpointed by itself, so that everything is in the log. */
function longLog(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  return {
    ...drawn,
    checkpointLogBytes: LOG_BYTES,
    overlayBytes: LOG_BYTES * 4,
    databases: 3 + random.below(5),
    clients: 2 + random.below(4),
    operations: 6 + random.below(10),
    checkpoints: 0,
    changesMax: 300,
  };
}

async function life(simulation: Simulation): Promise<void> {
  const { random, tally, world } = simulation;
  const how = random.pick(["kill", "power"] as const);
  const survived = await simulation.live(async (it) => {
    const manager = await it.open();
    tally.add("databases in the backlog", manager.diagnostics().log.waitingDatabases);
    if (random.chance(0.4)) it.planCrash(1 + random.below(300), how);
    const checkpoints = random.chance(0.5) ? [it.attempt(() => manager.checkpoint())] : [];
    const found = await touch(it, manager);
    await Promise.all(checkpoints);
    await work({ life: it, manager }, found);
  });
  if (survived) simulation.end(how);
  else tally.add("crashes: before all was replayed, or after");
  if (world.alive) throw new Error("a process outlived its world");
}

/** All databases, in any order, some at once; then everything is verified as always. */
async function touch(life: Life, manager: Awaited<ReturnType<Life["open"]>>): Promise<Found[]> {
  const { catalogue, random } = life.simulation;
  const names = (await manager.list()).map(({ name }) => name);
  const shuffled = names
    .map((name) => ({ name, at: random.below(1000) }))
    .sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
  const looks = shuffled.map(async ({ name }) => {
    const model = catalogue.current.get(name);
    if (model === undefined || !model.hasSchema) return;
    const database = await manager.database(name, { create: false });
    await OPERATIONS.read(life.place(database, model));
  });
  await Promise.all(looks);
  return verify(life, manager);
}
