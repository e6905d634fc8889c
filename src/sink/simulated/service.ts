/**
 * ONE SERVICE FOR ALL PROCESSES OF A SIMULATION, and what a client of it needs: the bucket, its
 * faults, its dice.
 */
import { type SeededRandom, seeded } from "../../io/index.ts";
import { SimulatedBucket } from "./bucket.ts";
import { SinkFaults } from "./faults.ts";

export interface SimulatedService {
  /** URL of the bucket there. */
  readonly location: string;
  readonly bucket: SimulatedBucket;
  readonly faults: SinkFaults;
  readonly random: SeededRandom;
  /** Calls so far. */
  calls: number;
}

export function simulatedService(seed: number, location = "memory://bucket"): SimulatedService {
  const dice = seeded(seed);
  const faults = new SinkFaults(dice.fork());
  const bucket = new SimulatedBucket();
  return { location, bucket, faults, random: dice.fork(), calls: 0 };
}
