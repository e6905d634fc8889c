/**
 * ZONES: as FAULTS, with trouble in one place alone: every call on the files of one zone may fail while
 * all others are served, or one call of one kind, however seldom it is made, fails once; and the event
 * loop stalls meanwhile. The promises are the same.
 */
import type { DiskOperation, SeededRandom } from "../../src/io/index.ts";
import type { Surroundings } from "../life.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { failAgain, worked } from "./faults.ts";

/** What lies where in a directory of a store. The manifest's files are its twin's. */
const ZONES: Readonly<Record<string, RegExp>> = {
  log: /\/wal(\/|$)/,
  superblock: /\/superblock$/,
  chunks: /\/chunks(\/|$)/,
  unfinished: /\/tmp(\/|$)/,
  mirror: /mirror$/,
  folders: /^(\/store|\/)$/,
};

const OPERATIONS = [
  ...["open", "create", "read", "write", "sync", "truncate", "preallocate"],
  ...["rename", "link", "unlink", "mkdir", "list", "stat", "syncDirectory", "freeBytes"],
] as readonly DiskOperation[];
const STALL_MS_MAX = 45_000;
/** Calls that are let through first: most kinds are made a few times in a life. */
const SKIP_MAX = 12;

export async function zones(options: SimulationOptions): Promise<void> {
  await failAgain(new Simulation({ ...options, adjust: often }), hurt);
}

/** What is made and removed seldom happens more often. */
function often(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  return { ...worked(drawn, random), checkpoints: 6, administration: 6 };
}

function hurt(simulation: Surroundings): void {
  const { random, world, tally, trace } = simulation;
  const { disk } = world;
  if (random.chance(0.2)) world.stall(random.below(STALL_MS_MAX));
  if (random.chance(0.5)) {
    const operation = random.pick(OPERATIONS);
    const error = random.pick(["EIO", "EIO", "ENOSPC", "EACCES"] as const);
    disk.failNext({ operation, error, skip: random.below(SKIP_MAX) });
    tally.add(`faults: one ${operation}`);
    trace.note(`one ${operation} fails: ${error}`);
    return;
  }
  const [name, zone] = random.pick(Object.entries(ZONES));
  const chance = random.pick([0.02, 0.1, 0.5]);
  const chances = Object.fromEntries(OPERATIONS.map((operation) => [operation, chance]));
  disk.failSometimes(chances, zone);
  tally.add(`faults: in ${name}`);
  trace.note(`calls in ${name} fail`);
}
