/**
 * LOST MANIFEST: a store that is cut off at any change of its disk, and whose manifest is gone after some
 * of these crashes. It is made again from its mirror, the superblock, the log and the chunks; whoever does
 * that may be cut off, too. Then the store holds what it must hold after any crash.
 *
 * (1) From its first opening on a store can be rebuilt at every moment: what the mirror lacks the log still
 *     has, and every chunk that the mirror names is there.
 * (2) A store without its manifest is refused until it is rebuilt, and never taken for an empty one.
 * (3) Half of the seeds live the work of `families`: forks, snapshots, drops and collections, which let
 *     chunks go without a checkpoint. What is known of them outlives the manifest too.
 */
import { isStorageError } from "../../src/index.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import { rebuildManifest } from "../../src/manager/index.ts";
import { promise } from "../failure.ts";
import { MomentRecord } from "../families/record.ts";
import type { Life } from "../life.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { interruptedLife, lastLives } from "./crash.ts";
import { lastOfFamilies, livedByFamilies, withHistory } from "./families.ts";

const FAMILIES_SHARE = 0.5;
const LOSSES = 0.7;
/** A rebuild takes a few milliseconds. */
const REBUILD_MS_MAX = 15;
const CUT_OFF = 0.3;

export async function lostManifest(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: withCheckpoints });
  const { random } = simulation;
  const lives =
    simulation.options.families === true ? ofFamilies(simulation) : ofClients(simulation);
  await firstLife(simulation);
  for (let n = 0; n < simulation.options.lives; n++) {
    await lives.interrupted();
    if (random.chance(LOSSES)) await loseManifest(simulation);
  }
  await lives.last();
}

interface Lives {
  readonly interrupted: () => Promise<void>;
  readonly last: () => Promise<void>;
}

function ofClients(simulation: Simulation): Lives {
  return {
    interrupted: () => interruptedLife(simulation),
    last: () => lastLives(simulation),
  };
}

/** See (3). */
function ofFamilies(simulation: Simulation): Lives {
  const record = new MomentRecord();
  return {
    interrupted: () => livedByFamilies(simulation, record),
    last: () => lastOfFamilies(simulation, record),
  };
}

/** What a mirror is for comes with checkpoints. */
function withCheckpoints(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  const ofClients: SwarmOptions = {
    ...drawn,
    engine: "sqlite",
    lives: drawn.lives + 1,
    checkpoints: Math.max(4, drawn.checkpoints),
    operations: Math.min(drawn.operations, 6),
  };
  if (!random.chance(FAMILIES_SHARE)) return ofClients;
  return { ...withHistory(ofClients, random), lives: ofClients.lives, families: true };
}

/** Before it was opened once there is nothing to lose. */
async function firstLife(simulation: Simulation): Promise<void> {
  await simulation.live(async (life) => (await life.open()).close());
  simulation.end("kill");
}

async function loseManifest(simulation: Simulation): Promise<void> {
  const { random, stores, tally } = simulation;
  stores.lose(`${STORE}/manifest`);
  tally.add("manifests lost");
  for (let [isMade, tries] = [false, 0]; !isMade; tries += 1) {
    const isCutOff = random.chance(CUT_OFF);
    isMade = await simulation.live(async (life) => {
      if (await isOpened(life)) {
        promise(tries > 0, "a store that lost its manifest is taken for an empty one");
        return; // The rebuild was cut off when its last commit was made.
      }
      if (isCutOff) killIn(life, random.fraction() * REBUILD_MS_MAX);
      await rebuild(life);
      simulation.closed();
    });
    simulation.end(random.pick(["kill", "power"] as const));
    tally.add(isMade ? "manifests made again" : "rebuilds cut off");
  }
}

/** See (2). */
async function isOpened(life: Life): Promise<boolean> {
  try {
    await life.open();
    return true;
  } catch (error) {
    life.assertAlive();
    if (!isStorageError(error, "BOP_CORRUPT")) throw error;
    return false;
  }
}

function killIn({ env, simulation }: Life, ms: number): void {
  env.clock.after(ms, () => simulation.world.kill());
}

/** See (1). */
async function rebuild({ env, simulation }: Life): Promise<void> {
  const { stores, trace } = simulation;
  const openKeyValueStore = stores.openerFor(env);
  const report = await rebuildManifest({ env, directory: STORE, openKeyValueStore });
  trace.note(`rebuilt as of ${report.checkpointLsn}: ${report.rows} rows, ${report.chunks} chunks`);
}
