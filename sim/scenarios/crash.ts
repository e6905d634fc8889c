/**
 * CRASH: a store that is cut off again and again, by kills and power cuts at any change of its
 * disk, while it works, while it recovers and while it closes. Nothing acknowledged is lost,
 * nothing is invented, every transaction is whole, and no database is damaged.
 */
import { work } from "../clients.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { verify } from "../oracle.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";

const RECOVERY_CHANGES_MAX = 25;

export async function crash(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation(options);
  await crashAgain(simulation);
}

export async function crashAgain(simulation: Simulation): Promise<void> {
  simulation.echoed = verifyEcho;
  for (let n = 0; n < simulation.options.lives; n++) {
    await interruptedLife(simulation);
  }
  await lastLives(simulation);
}

export async function interruptedLife(simulation: Simulation): Promise<void> {
  const { random, options, tally, world } = simulation;
  const how = random.pick(["kill", "power"] as const);
  const early = random.chance(options.crashInRecovery);
  const survived = await simulation.live(async (life) => {
    if (early) life.planCrash(1 + random.below(RECOVERY_CHANGES_MAX), how);
    const manager = await life.open();
    const found = await verify(life, manager);
    if (!early) life.planCrash(1 + random.below(options.changesMax), how);
    await work({ life, manager }, found);
    await lastWords(life, manager);
  });
  if (survived) simulation.end(random.pick(["kill", "power"] as const));
  else tally.add(early ? "crashes: planned in recovery" : `crashes: ${how} at a change`);
  promise(!world.alive, "a process outlived its world");
}

/** What a crash has left, or could have, is what it must be. */
export function verifyEcho(): (life: Life) => Promise<void> {
  return async (life) => {
    await verify(life, await life.open());
  };
}

/** What is left of a life that no crash has ended: sudden silence, a pause, or a clean end. */
async function lastWords(
  { env, simulation }: Life,
  manager: Awaited<ReturnType<Life["open"]>>,
): Promise<void> {
  const { random, tally } = simulation;
  const choice = random.below(3);
  if (choice === 0) await env.clock.sleep(random.below(400));
  if (choice !== 1) return;
  await manager.close();
  tally.add("clean closes");
}

/** Without crashes, some twice: what recovery has made of it must be a store that stays so. */
export async function lastLives(simulation: Simulation): Promise<void> {
  for (const isFirst of simulation.random.chance(0.3) ? [true, false] : [true]) {
    await simulation.live(async (life) => {
      const manager = await life.open();
      promise(
        isFirst || !manager.diagnostics().recoveredFromCrash,
        "a store that was closed says that it has crashed",
      );
      await verify(life, manager);
      if (!isFirst) await verifyFiles(life, manager);
      await manager.close();
    });
    simulation.end("kill");
  }
}

/** Every chunk on disk is known to the store, and every known chunk is on disk. */
export async function verifyFiles(
  { env }: Life,
  manager: Awaited<ReturnType<Life["open"]>>,
): Promise<void> {
  const { storage } = env;
  let chunks = 0;
  for (const directory of await storage.list(`${STORE}/chunks`)) {
    chunks += (await storage.list(`${STORE}/chunks/${directory}`)).length;
  }
  const known = manager.diagnostics().pages.chunks;
  promise(chunks === known, () => `${chunks} chunks lie on disk, ${known} are known`);
  const unfinished = await storage.list(`${STORE}/tmp`);
  promise(unfinished.length === 0, () => `left over: ${unfinished}`);
}
