/**
 * RESIDENCY: the page store alone over a bucket, on a disk that has less room than its chunks take, so
 * that they go and are fetched again; with a bucket that is away, answers that are damaged on their way,
 * files that are damaged or gone here, forks whose pages are shared, and crashes at any change of the
 * disk.
 *
 * (1) A page is what was written, or the bucket is away and an error says so.
 * (2) A chunk that nobody has damaged is never said to be, and its file is as it was written, or away.
 * (3) What is said to be healed is as it was.
 */

import { remoteRig } from "../../src/page-store/residency/bucket.fixture.ts";
import { ResidentLife } from "../residency/resident-life.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import { IMAGES } from "../tally.ts";

const LIVES_MAX = 5;
const STEPS_MAX = 50;
const CHANGES_MAX = [3, 8, 25, 60] as const;
const SETTLE_MS = 2000;
const PAGES_AT_FIRST = 200;
const LIMITS = { cacheBytes: 32 * 1024, openChunks: 2, mapBytes: 8192, reserveBytes: 0 };

const STEPS = {
  commit: 18,
  read: 30,
  checkpoint: 9,
  ship: 9,
  evict: 9,
  damage: 6,
  trouble: 6,
  turn: 3,
  pass: 6,
  fork: 2,
  drop: 1,
} as const;
type Step = keyof typeof STEPS;
const DRAWN = Object.entries(STEPS).flatMap(([step, share]) =>
  Array<Step>(share).fill(step as Step),
);

export async function residency(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation(options);
  const { random, tally, trace } = simulation;
  const chunkBytes = random.pick([64, 128, 512]) * 1024;
  const compression = random.pick(["none", "none", "deflate"] as const);
  const drawLimits = () => ({
    ...{ ...LIMITS, chunkBytes, compression },
    diskBytes: random.pick([1, 1, 300_000, undefined]),
  });
  const remote = await remoteRig(options.seed, drawLimits());
  const { rig, bucket } = remote;
  simulation.injectors.push(rig.world.disk);
  simulation.injectors.push({ prefix: "sink ", injected: bucket.service.faults.injected });
  const life = new ResidentLife(remote, simulation);
  for (let n = 1 + random.below(2); n > 0; n--) life.create(1 + random.below(PAGES_AT_FIRST));
  for (let n = 1 + random.below(LIVES_MAX); n > 0; n--) {
    const how = random.pick(["kill", "power"] as const);
    if (random.chance(0.7)) rig.world.disk.crashAt(1 + random.below(random.pick(CHANGES_MAX)), how);
    let isAlive = true;
    for (let left = STEPS_MAX; isAlive && left > 0; left--)
      isAlive = await stepOf(simulation, life);
    tally.add(isAlive ? "crashes: between calls" : `crashes: ${how} at a change`);
    tally.add(IMAGES);
    rig.limits = drawLimits();
    await rig.restart(how);
    await life.reopened(how);
    trace.note(`${rig.log.durableLsn} ${rig.world.disk.changeCount}`);
  }
  await end(life);
}

/** False once the process has died. */
async function stepOf({ random, tally }: Simulation, life: ResidentLife): Promise<boolean> {
  const { rig } = life.remote;
  if (!rig.world.alive) return false; // It died of what goes on behind the step before.
  const step = random.pick(DRAWN);
  tally.add(`steps: ${step}`);
  try {
    await life[step]();
  } catch (error) {
    if (rig.world.alive) throw error;
  }
  if (rig.world.alive) life.checkHealed();
  return rig.world.alive;
}

/** The bucket answers: everything is there, and what was found to be damaged is whole again. */
async function end(life: ResidentLife): Promise<void> {
  const { rig, bucket } = life.remote;
  bucket.service.faults.heal();
  await life.checkAll();
  await rig.world.pass(SETTLE_MS);
  life.checkHealed();
  await rig.restart("power");
  await life.reopened("power");
  await life.checkAll();
}
