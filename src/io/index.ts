/**
 * IO: the only door to the machine. What is above it takes an `Env` and knows nothing else.
 *
 *   system-env        the real world: clock, random numbers, process, files
 *   system-clock      timers of the event loop
 *   system-process    who we are, and who else is alive
 *   system-storage    directories and files by path
 *   system-file       one open file, on a raw descriptor
 *   package-file      a file of an installed package: code, never data
 *   scratch-file      private temporary files: memory first, a nameless file behind it
 */
export { readPackageFile } from "./package-file.ts";
export { DAMAGE_KINDS, type DamageKind } from "./simulated/damage.ts";
export type {
  Crash,
  SimulatedDisk,
} from "./simulated/disk.ts";
export type { DiskOperation, FaultChances, FaultCode, FaultOrder } from "./simulated/faults.ts";
export { type SeededRandom, seeded } from "./simulated/seeded.ts";
export { DeadProcessError } from "./simulated/system-error.ts";
export {
  type SimulatedWorld,
  simulatedEnv,
  simulatedWorld,
  type WorldOptions,
} from "./simulated/world.ts";
export { systemEnv } from "./system-env.ts";
