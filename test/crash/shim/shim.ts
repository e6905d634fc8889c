/**
 * THE LIBRARY BETWEEN A PROCESS AND ITS FILES (shim.h), compiled here with the machine's compiler, and
 * the environment that steers it.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const HERE = import.meta.dirname;

export interface Shim {
  readonly library: string;
}

export interface ShimOptions {
  /** Calls for what is not below it pass. */
  readonly prefix: string;
  /** See rules.c. */
  readonly rules?: readonly string[];
  /** A file: rules count only while it exists. */
  readonly arm?: string;
  /** Gets a line for each call that was refused. */
  readonly hits?: string;
  readonly seed?: number;
  /** Gets every change: see record.c. */
  readonly recording?: string;
}

/** Compiles it into the folder. A string says why that cannot be done here. */
export function buildShim(folder: string): Shim | string {
  if (process.platform !== "linux") return "a library before libc is a thing of Linux";
  const library = join(folder, "shim.so");
  const sources = readdirSync(HERE).filter((name) => name.endsWith(".c"));
  const flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-pthread", "-o", library];
  const args = [...flags, ...sources.map((name) => join(HERE, name))];
  const { error, status, stderr } = spawnSync("cc", args, { encoding: "utf8" });
  if (error !== undefined) return "there is no C compiler (cc)";
  if (status !== 0) throw new Error(`the shim does not compile: ${stderr}`);
  return { library };
}

/** What a process is to be started with. */
export function shimEnvironment(
  { library }: Shim,
  { prefix, rules = [], arm, hits, seed, recording }: ShimOptions,
): Record<string, string> {
  return {
    LD_PRELOAD: library,
    UV_USE_IO_URING: "0", // It would go past libc.
    BOP_SHIM_PREFIX: prefix,
    ...(rules.length > 0 && { BOP_SHIM_RULES: rules.join(";") }),
    ...(arm !== undefined && { BOP_SHIM_ARM: arm }),
    ...(hits !== undefined && { BOP_SHIM_HITS: hits }),
    ...(seed !== undefined && { BOP_SHIM_SEED: String(seed) }),
    ...(recording !== undefined && { BOP_SHIM_RECORDING: recording }),
  };
}
