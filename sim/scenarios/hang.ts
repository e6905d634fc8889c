/**
 * HANG: a device whose calls now and then take up to half a minute and then land after all, under
 * both kinds of driver. Nothing is acknowledged that did not come back, nobody writes over what may
 * still land, a power cut meanwhile loses nothing that was acknowledged, and once every call has
 * come back the store goes on as if nothing had been.
 */
import type { Manager } from "../../src/index.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import { work } from "../clients.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { OPERATIONS } from "../operations.ts";
import { verify } from "../oracle.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { lastLives } from "./crash.ts";

const HANG_MS_MAX = 30_000;
const LOOK_MS = 250;

export async function hang(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: patient });
  const { world, random } = simulation;
  for (let n = 0; n < simulation.options.lives; n++) {
    const survived = await simulation.live((life) => hangingLife(life));
    world.disk.heal();
    if (survived) simulation.end(random.pick(["kill", "power"] as const));
    else simulation.tally.add("crashes: while calls hang");
  }
  await lastLives(simulation);
}

/** Few operations, since each may take a minute; a limit on time that some calls miss. */
function patient(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  const operations = 2 + random.below(5);
  const writeTimeoutMs = random.pick([100, 1000, 30_000]);
  return { ...drawn, operations, lives: 1 + random.below(2), administration: 0, writeTimeoutMs };
}

async function hangingLife(life: Life): Promise<void> {
  const { simulation, env } = life;
  const { random, options, world, tally } = simulation;
  const manager = await life.open();
  const found = await verify(life, manager);
  if (random.chance(0.5)) {
    life.planCrash(1 + random.below(options.changesMax), random.pick(["kill", "power"] as const));
  }
  world.disk.hangSometimes({ chance: random.pick([0.02, 0.1, 0.3]), msMax: HANG_MS_MAX });
  const seen = watchDiagnostics(life, manager);
  await work({ life, manager }, found);
  world.disk.heal();
  await env.clock.sleep(2 * HANG_MS_MAX); // Whatever hung has come back by now.
  seen.stop();
  if (seen.wasHung()) tally.add("lives in which the log hung");
  await goesOn(life, manager);
  if (random.chance(0.5)) await manager.close();
}

/** While something hangs, diagnostics say for how long, and that is never less than the limit. */
function watchDiagnostics(life: Life, manager: Manager) {
  const { writeTimeoutMs } = life.simulation.options;
  let hung = false;
  const timer = life.env.clock.every(LOOK_MS, () => {
    const { log } = manager.diagnostics();
    if (log.hung === undefined) return;
    hung = true;
    const { sinceMs } = log.hung;
    promise(sinceMs >= writeTimeoutMs, () => `called hung after ${sinceMs} ms`);
  });
  return { stop: () => timer.dispose(), wasHung: () => hung };
}

async function goesOn(life: Life, manager: Manager): Promise<void> {
  const { state, log } = manager.diagnostics();
  promise(state === "open", () => `a device that was slow has made the store ${state}`);
  promise(log.hung === undefined, () => `still hung: ${JSON.stringify(log.hung)}`);
  const found = await verify(life, manager);
  const ready = found.find(({ model }) => model.hasSchema);
  if (ready === undefined) return;
  const before = ready.model.acknowledgedCount;
  await OPERATIONS.insert(life.place(ready.database, ready.model));
  promise(ready.model.acknowledgedCount > before, "a store that is open refuses to write");
}
