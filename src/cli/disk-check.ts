/**
 * DOES THIS DISK DO WHAT A STORE NEEDS OF IT? Tried out in a folder of its own, which is removed again;
 * a store that lies there, and whoever has it open, are not touched.
 *
 *   required   flushed   what was written and flushed is read back
 *              room      there is room for the first segments of a log
 *   reported   speed     how long a flush takes: a lone commit takes as long
 *              log       how the log would be written
 *              device    what is known to be unsafe of the file system
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Env } from "../base/env.ts";
import { MIB } from "../base/units.ts";
import type { ProbeFinding } from "../sink/index.ts";
import { sizeText } from "./output.ts";

export interface DiskReport {
  /** Where it was tried: the directory, or what there is of its parents. */
  readonly location: string;
  readonly fit: boolean;
  readonly findings: readonly ProbeFinding[];
}

const BLOCK_BYTES = 4096;
const FLUSHES = 9;
/** Two segments of the usual size, and something for the rest. */
const ROOM_BYTES = 160 * MIB;

export async function checkDisk(env: Env, directory: string): Promise<DiskReport> {
  const location = existingPart(resolve(directory));
  const folder = await mkdtemp(join(location, "bop-doctor-"));
  try {
    const findings = [
      ...(await flushes(env, join(folder, "flushed"))),
      await room(env, location),
      ...(await howTheLogIsWritten(env, { folder, location })),
    ];
    const fit = findings.every(({ required, passed }) => passed || !required);
    return { location, fit, findings };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function existingPart(directory: string): string {
  return existsSync(directory) ? directory : existingPart(dirname(directory));
}

async function flushes({ storage, clock, random }: Env, path: string): Promise<ProbeFinding[]> {
  const file = await storage.open(path, "create");
  const times: number[] = [];
  let passed = true;
  try {
    for (let at = 0; at < FLUSHES; at++) {
      const block = random.bytes(BLOCK_BYTES);
      const beganMs = clock.monotonicMs();
      await file.write(block, at * BLOCK_BYTES);
      await file.sync();
      times.push(clock.monotonicMs() - beganMs);
      const found = new Uint8Array(BLOCK_BYTES);
      await file.read(found, at * BLOCK_BYTES);
      passed &&= Buffer.compare(found, block) === 0;
    }
  } finally {
    await file.close();
  }
  const median = times.sort((a, b) => a - b)[Math.floor(FLUSHES / 2)] ?? 0;
  const flushed = passed ? "what is written and flushed is read back" : "what is read is another";
  return [
    { name: "flushed", required: true, passed, says: flushed },
    {
      name: "speed",
      required: false,
      passed: true,
      says: `a flush takes ${median.toFixed(2)} ms, and a commit that is alone as long`,
    },
  ];
}

async function room({ storage }: Env, location: string): Promise<ProbeFinding> {
  const freeBytes = await storage.freeBytes(location);
  const passed = freeBytes >= ROOM_BYTES;
  const wants = passed ? "" : `; a new store wants ${sizeText(ROOM_BYTES)}`;
  return { name: "room", required: true, passed, says: `${sizeText(freeBytes)} are free${wants}` };
}

interface Place {
  readonly folder: string;
  readonly location: string;
}

async function howTheLogIsWritten({ storage }: Env, place: Place): Promise<ProbeFinding[]> {
  const { folder, location } = place;
  const driver = await storage.driver({ directory: folder, io: "auto" });
  await driver.close();
  const { kind, fallback } = driver;
  const why = fallback === undefined ? "" : `, since ${fallback}`;
  const log = `the log would be written with the ${kind} driver${why}`.replaceAll(folder, location);
  return [
    { name: "log", required: false, passed: true, says: log },
    ...driver.warnings.map((warning) => ({
      name: "device",
      required: false,
      passed: false,
      says: warning.replaceAll(folder, location),
    })),
  ];
}
