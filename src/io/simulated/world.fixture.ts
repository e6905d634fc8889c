/** What tests of the simulated world share. */
import type { Env } from "../../base/env.ts";
import { type SimulatedWorld, simulatedEnv } from "./world.ts";

/** `count` bytes of one value. */
export const filled = (count: number, value: number) => new Uint8Array(count).fill(value);
export const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
export const swallow = () => undefined;

/** A file of 4096 ones, durable together with its name. */
export async function madeFile(env: Env, path = "/a") {
  const file = await env.storage.open(path, "create");
  await file.write(filled(4096, 1), 0);
  await file.sync();
  await env.storage.syncDirectory("/");
  return file;
}

/** Distinct outcomes of a scenario over many seeds. */
export async function outcomes(
  seeds: number,
  scenario: (world: SimulatedWorld, env: Env) => Promise<string>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let seed = 0; seed < seeds; seed++) {
    const { world, env } = simulatedEnv({ seed });
    seen.add(await scenario(world, env));
  }
  return seen;
}
