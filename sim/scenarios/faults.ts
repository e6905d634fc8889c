/**
 * FAULTS: calls of the disk that fail (EIO, ENOSPC, syncs with the three states that they may leave),
 * a disk that is full for a while, commits of the manifest that fail. What was acknowledged stays;
 * what was refused has changed nothing; once the disk is well the store goes on or, where it said
 * that it is read-only, does so after it was opened again.
 */
import type { Manager } from "../../src/index.ts";
import { isStorageError } from "../../src/index.ts";
import type { FaultChances, SeededRandom } from "../../src/io/index.ts";
import { work } from "../clients.ts";
import { promise } from "../failure.ts";
import type { Life, Surroundings } from "../life.ts";
import { OPERATIONS } from "../operations.ts";
import { type Found, verify } from "../oracle.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { lastLives, verifyEcho } from "./crash.ts";

type Hurt = (simulation: Surroundings) => void;

const ROOM_BYTES_MAX = 3 * 1024 * 1024;

export async function faults(options: SimulationOptions): Promise<void> {
  await failAgain(new Simulation({ ...options, adjust: worked }));
}

/** `hurt` chooses what goes wrong from then on. */
export async function failAgain(simulation: Simulation, hurt: Hurt = harm): Promise<void> {
  simulation.faulty = true;
  simulation.echoed = verifyEcho;
  for (let n = 0; n < simulation.options.lives; n++) {
    const survived = await simulation.live((life) => faultyLife(life, hurt));
    heal(simulation);
    if (survived) simulation.end(simulation.random.pick(["kill", "power"] as const));
    else simulation.tally.add("crashes: at a change of a failing disk");
  }
  await simulation.live(async (life) => {
    await openDespite(life); // A failure of the manifest may still be due.
  });
  simulation.end("kill");
  await lastLives(simulation);
}

export function worked(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  return { ...drawn, operations: 4 + random.below(12), changesMax: 400 };
}

async function faultyLife(life: Life, hurt: Hurt): Promise<void> {
  const { simulation } = life;
  const { random, options } = simulation;
  if (random.chance(0.2)) hurt(simulation);
  const manager = await openDespite(life);
  if (manager === undefined) return;
  heal(simulation);
  const found = await verify(life, manager);
  if (random.chance(0.3)) {
    life.planCrash(1 + random.below(options.changesMax), random.pick(["kill", "power"] as const));
  }
  hurt(simulation);
  // Some calls wait until the disk is well: a log that has no room goes on when it has.
  const healing = life.env.clock.sleep(random.below(400)).then(() => heal(simulation));
  await Promise.all([healing, work({ life, manager }, found)]);
  await goOn({ life, manager });
}

/** Undefined if the faults did not let it open, which must be said by a typed error. */
export async function openDespite(life: Life): Promise<Manager | undefined> {
  const { tally } = life.simulation;
  try {
    return await life.open();
  } catch (error) {
    life.assertAlive();
    const isTyped = isStorageError(error, "BOP_IO") || isStorageError(error, "BOP_DISK_FULL");
    promise(isTyped, () => `open failed with ${error instanceof Error ? error.stack : error}`);
    tally.add("opens that failed");
    return undefined;
  }
}

/** Chooses what goes wrong from now on. */
export function harm(simulation: Surroundings): void {
  const { random, world, stores, tally, trace } = simulation;
  const { disk } = world;
  const kind = random.pick(["writes", "syncs", "everything", "full", "reads", "manifest"] as const);
  tally.add(`faults: ${kind}`);
  trace.note(`faults: ${kind}`);
  if (kind === "manifest") {
    const [applied, error] = [random.chance(0.5), random.pick(["EIO", "ENOSPC"] as const)];
    stores.failNextCommit({ applied, error });
    tally.add(`injected: manifest ${error}, ${applied ? "kept" : "lost"}`);
    return;
  }
  if (kind === "full") {
    disk.capacityBytes = random.below(ROOM_BYTES_MAX);
    return;
  }
  const chance = random.pick([0.01, 0.05, 0.3]);
  const chances: Record<typeof kind, FaultChances> = {
    writes: { write: chance },
    syncs: { sync: chance, syncDirectory: chance / 4 },
    reads: { read: chance, open: chance / 4 },
    everything: everyCall(chance / 4),
  };
  disk.failSometimes(chances[kind]);
}

function everyCall(chance: number): FaultChances {
  const often = { write: chance, sync: chance, read: chance, open: chance, create: chance };
  const seldom = { rename: chance, unlink: chance, truncate: chance, preallocate: chance };
  const names = { syncDirectory: chance, mkdir: chance, list: chance, stat: chance };
  return { ...often, ...seldom, ...names };
}

export function heal({ world, trace }: Surroundings): void {
  world.disk.heal();
  world.disk.capacityBytes = Number.POSITIVE_INFINITY;
  trace.note("healed");
}

/** The disk is well again: so must the store be, unless it has said that it must be reopened. */
async function goOn({ life, manager }: { life: Life; manager: Manager }): Promise<void> {
  const { simulation } = life;
  const { random, tally } = simulation;
  await life.env.clock.sleep(2000); // What is retried in a while has been by now.
  const { state } = manager.diagnostics();
  tally.add(`after faults: ${state}`);
  const seen = await lookAround(life, manager);
  if (state === "open") await mustWrite(life, seen);
  if (state === "open" && random.chance(0.5)) await work({ life, manager }, seen);
  if (random.chance(0.6)) await manager.close();
}

/** A store that says that it is open takes commits. */
async function mustWrite(life: Life, seen: readonly Found[]): Promise<void> {
  const found = seen.find(({ model }) => model.hasSchema);
  if (found === undefined) return;
  const before = found.model.acknowledgedCount;
  await OPERATIONS.insert(life.place(found.database, found.model));
  promise(found.model.acknowledgedCount > before, "a store that is open refuses to write");
}

/** What can be read now is durable, and so stays: reads of a store that has failed included. */
async function lookAround(life: Life, manager: Manager): Promise<Found[]> {
  const { catalogue } = life.simulation;
  const { owed } = catalogue;
  const names = (await manager.list()).map(({ name }) => name);
  life.assertAlive();
  catalogue.show(names, owed);
  const found: Found[] = [];
  for (const name of names) {
    const model = catalogue.current.get(name);
    if (model === undefined) continue;
    const database = await manager.database(name, { create: false });
    found.push({ database, model });
    if (model.hasSchema) await OPERATIONS.read(life.place(database, model));
  }
  return found;
}
