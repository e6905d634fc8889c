/** THE REAL WORLD, as an `Env`. Built once, by whoever starts the program or opens a store. */
import { randomFillSync, randomInt } from "node:crypto";
import type { Env, Random } from "../base/env.ts";
import { systemClock } from "./system-clock.ts";
import { systemProcess } from "./system-process.ts";
import { systemStorage } from "./system-storage.ts";

export interface SystemEnvOptions {
  /** Where temporary files that outgrow memory lie. Created when the first one does. */
  readonly scratchDirectory: string;
}

export function systemEnv(options: SystemEnvOptions): Env {
  return {
    clock: systemClock,
    random: systemRandom,
    storage: systemStorage(options.scratchDirectory),
    process: systemProcess,
  };
}

const systemRandom: Random = {
  below: (limit) => randomInt(limit),
  bytes: (count) => randomFillSync(new Uint8Array(count)),
};
