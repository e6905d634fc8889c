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
 *
 * GAPS: the service refuses until log is a dead letter, which somebody gives up; the process dies soon
 * afterwards, and mostly its machine is lost.
 *
 * (7) What was given up, and what came behind it before a new base led there, was never acknowledged.
 */
import { LIFE_MS_MAX, shipAgain } from "../shipping/lives.ts";
import { type End, type Habits, isAway, type Tier } from "../shipping/run.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";

const ENDS: readonly End[] = ["kill", "kill", "power", "machine", "machine", "replaced"];
const WHOLE: Habits = { ends: ENDS, givesLogUp: false };
const GAPS: Habits = {
  ends: ["kill", "power", "machine", "machine", "machine", "replaced"],
  givesLogUp: true,
};

export async function shipping(options: SimulationOptions): Promise<void> {
  await shipAgain(over(options, calmer), { habits: WHOLE });
}

export async function gaps(options: SimulationOptions): Promise<void> {
  await shipAgain(over(options, calmer), { habits: GAPS });
}

export async function tiering(options: SimulationOptions): Promise<void> {
  const simulation = over(options, larger);
  const { random } = simulation;
  const diskBytes = random.pick([64, 64, 256, 1024]) * 1024;
  simulation.excuses = isAway;
  const startsFromSink = random.chance(0.5);
  const tier: Tier = { diskBytes, startsFromSink, isLoaded: random.chance(0.3) };
  await shipAgain(simulation, { habits: WHOLE, tier });
}

type Adjust = NonNullable<SimulationOptions["adjust"]>;

function over(options: SimulationOptions, adjust: Adjust): Simulation {
  return new Simulation({ ...options, adjust, lifeMsMax: LIFE_MS_MAX });
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
