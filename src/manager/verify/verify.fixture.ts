/** STORES THAT NOBODY HAS OPEN, as verification finds them. */
import type { Env } from "../../base/env.ts";
import { systemEnv } from "../../io/index.ts";
import { openLmdbStore } from "../../manifest/index.ts";
import { type VerifyReport, verifyStore } from "./verify.ts";

/** Nobody is alive: the owner in a copied store is this very process. */
export function deadEnv(directory: string): Env {
  const env = systemEnv({ scratchDirectory: `${directory}/tmp` });
  return { ...env, process: { ...env.process, isAlive: () => false } };
}

export function verified(directory: string): Promise<VerifyReport> {
  return verifyStore({ env: deadEnv(directory), directory, openKeyValueStore: openLmdbStore });
}
