/**
 * FENCING: two to four machines that all believe to be the writer of one bucket, whose service
 * answers late, twice, wrongly or not at all. They stall for minutes between any two calls, die, come
 * back with their disk, with an older one or with a copy of another's. At most one epoch ever
 * acknowledges a piece of the log, what it acknowledged is there in the end, and who is replaced
 * hears so and leaves nothing behind.
 */
import type { Env } from "../../src/base/env.ts";
import { Bucket, claimEpoch, takeOver } from "../../src/flush/index.ts";
import type { SimulatedWorld } from "../../src/io/index.ts";
import { SimulatedStore, simulatedService } from "../../src/sink/index.ts";
import { promise } from "../failure.ts";
import { Ledger } from "../fencing/ledger.ts";
import { Machine, STORE_ID, type Surroundings } from "../fencing/machine.ts";
import { endOf } from "../fencing/machine-disk.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";

/** What is delayed has landed by then. */
const ALL_LANDED_MS = 30 * 60 * 1000;
const PASS_MS = 10 * 60 * 1000;
const PASSES_MAX = 1000;
const LIVES_MAX = 5;
const STEPS_MAX = 15;

export async function fencing(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation(options);
  const { world, random, tally, trace } = simulation;
  const service = simulatedService(random.below(2 ** 31));
  simulation.injectors.push({ prefix: "sink ", injected: service.faults.injected });
  const env = world.start();
  const ledger = new Ledger(service, () => env.clock.monotonicMs());
  const surroundings: Surroundings = {
    ...{ env, service, ledger, random, tally, trace },
    latencyMsMax: random.pick([5, 50, 500]),
    stallChance: random.pick([0, 0.01, 0.05]),
    stallMsMax: random.pick([1000, 60_000, 20 * 60_000]),
    collects: random.chance(0.4),
  };
  // A service that does not find what is there is unfit; without deletions it does no harm.
  const except = surroundings.collects ? (["missing"] as const) : [];
  service.faults.failSometimes(random.pick([0, 0.05, 0.2, 0.4]), { except });
  const count = 2 + random.below(3);
  const machines = Array.from({ length: count }, (_, n) => new Machine(`m${n}`, surroundings));
  await endOfAll(world, () =>
    Promise.all(machines.map((machine) => livesOf(machine, machines, surroundings))),
  );
  service.faults.heal();
  await world.pass(ALL_LANDED_MS);
  ledger.check();
  const store = new SimulatedStore({ service, clock: env.clock });
  await world.run(() => checkHeir({ env, ledger, store }));
  tally.add("batches acknowledged", ledger.acknowledgedCount);
  if (ledger.epochCount > 1) tally.add("seeds with several acknowledging epochs");
  trace.note(`${ledger.acknowledgedCount} of ${ledger.epochCount}`);
  world.kill();
}

/** A run of the world lasts an hour at most, and these sleep longer. */
async function endOfAll(world: SimulatedWorld, work: () => Promise<unknown>): Promise<void> {
  let isOver = false;
  const all = work().finally(() => {
    isOver = true;
  });
  all.catch(() => undefined); // Awaited below, once the world has gone on.
  for (let n = 0; !isOver; n++) {
    promise(n < PASSES_MAX, "a machine does not come to its end");
    await world.pass(PASS_MS);
  }
  await all;
}

async function livesOf(
  machine: Machine,
  all: readonly Machine[],
  { env, random }: Surroundings,
): Promise<void> {
  const betweenMs = random.pick([10, 5000, 60_000]);
  for (let lives = 1 + random.below(LIVES_MAX); lives > 0; lives--) {
    await env.clock.sleep(random.fraction() * betweenMs);
    if (random.chance(0.15)) machine.copyFrom(random.pick(all));
    const lifeMs = random.pick([2000, 60_000, 60 * 60_000]) * random.fraction();
    await machine.live({ steps: 1 + random.below(STEPS_MAX), lifeMs });
  }
}

/** Whoever comes last finds where the chain ends, on a service that is well. */
async function checkHeir({
  env,
  ledger,
  store,
}: {
  readonly env: Env;
  readonly ledger: Ledger;
  readonly store: SimulatedStore;
}): Promise<void> {
  const bucket = new Bucket(store, STORE_ID);
  const dice = { random: env.random, wallMs: Math.floor(env.clock.wallMs()) };
  const epoch = await claimEpoch(bucket, dice);
  const { endLsn = 0 } = await takeOver(bucket, { epoch, ...dice });
  const last = ledger.chain().at(-1);
  const chainLsn = last === undefined ? 0 : endOf(last);
  promise(endLsn === chainLsn, () => `an heir finds the end at ${endLsn}, and not at ${chainLsn}`);
  await store.close();
}
