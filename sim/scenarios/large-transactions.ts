/**
 * LARGE TRANSACTIONS: most of what is committed is too much for the memory that a transaction may
 * take, on a disk that crashes or one that fails. A commit whose pages went to files of their own is
 * there as wholly, or as little, as any other, and no such file stays that nobody names.
 */
import { KIB } from "../../src/base/units.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import type { OperationKind } from "../operations.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { crashAgain } from "./crash.ts";
import { failAgain } from "./faults.ts";

const FAULTS_SHARE = 0.4;
const WEIGHTS: Partial<Record<OperationKind, number>> = {
  big: 5,
  rewrite: 5,
  remove: 2,
  abort: 2,
  savepoint: 2,
  vacuum: 1,
  index: 1,
};

export async function largeTransactions(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: large });
  if (simulation.random.chance(FAULTS_SHARE)) await failAgain(simulation);
  else await crashAgain(simulation);
}

function large(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  return {
    ...drawn,
    databases: 1 + random.below(2),
    clients: 1 + random.below(3),
    operations: 3 + random.below(8),
    // Every database has a few pages in the log before it has any that are spilled.
    changesMax: random.pick([60, 200, 600]),
    transactionMemoryBytes: 64 * KIB,
    weights: { ...drawn.weights, ...WEIGHTS },
  };
}
