/**
 * OUR SIDE: the engine as it is published, compiled to dist/, since the way scripts are run here
 * rewrites functions on the fly.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Manager, ManagerOptions, ObjectStore } from "../src/index.ts";

type Engine = typeof import("../src/index.ts");

const ROOT = join(import.meta.dirname, "..");

export async function openOurs(
  directory: string,
  options: Omit<ManagerOptions, "directory"> = {},
): Promise<Manager> {
  const { Manager } = (await import(pathToFileURL(join(ROOT, "dist/index.js")).href)) as Engine;
  return Manager.open({ ...options, directory });
}

/** A sink in a folder, of the same build. */
export async function openFolderStore(directory: string): Promise<ObjectStore> {
  const load = (path: string) => import(pathToFileURL(join(ROOT, "dist", path)).href);
  const { systemEnv } = (await load("io/index.js")) as typeof import("../src/io/index.ts");
  const sink = (await load("sink/index.js")) as typeof import("../src/sink/index.ts");
  const env = systemEnv({ scratchDirectory: directory });
  return sink.openObjectStore(pathToFileURL(directory).href, env);
}

export function buildOurs(): void {
  const tsx = join(ROOT, "node_modules/tsx/dist/cli.mjs");
  const { status } = spawnSync(process.execPath, [tsx, join(ROOT, "scripts/build.ts")], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) throw new Error("the build failed; there is nothing to measure");
}
