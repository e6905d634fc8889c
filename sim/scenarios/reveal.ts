/**
 * REVEAL: the output gate. Many readers beside the writers, on few databases, and the power goes
 * while flushes are under way: whatever any read, list or error has told must be there afterwards.
 */
import type { SeededRandom } from "../../src/io/index.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { crashAgain } from "./crash.ts";

export async function reveal(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: readOften });
  await crashAgain(simulation);
}

function readOften(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  const reads = {
    read: 4,
    conflict: random.pick([0, 3]),
    iterate: random.pick([0, 3]),
    readTransaction: random.pick([0, 3]),
  };
  return {
    ...drawn,
    databases: 1 + random.below(2),
    clients: 3 + random.below(6),
    operations: 6,
    thinkMs: random.pick([0, 0, 1]),
    changesMax: random.pick([20, 60]),
    crashInRecovery: 0,
    weights: { ...drawn.weights, ...reads, insert: 3, transfer: 2, vacuum: 0 },
  };
}
