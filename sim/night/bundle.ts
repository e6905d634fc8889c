/**
 * THE WORKER AS ONE FILE, made when a run begins: it starts in a tenth of the time, runs faster than what
 * is translated as it is loaded, and is what it was when somebody goes on working on the sources.
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
/** Packages are found from there. */
const FOLDER = join(HERE, "../../node_modules/.cache/bop-night");

export interface Bundle {
  readonly path: string;
  dispose(): void;
}

export async function bundleWorker(source: string): Promise<Bundle> {
  const path = join(FOLDER, `worker-${source}-${process.pid}.mjs`);
  await build({
    entryPoints: [join(HERE, "worker.ts")],
    outfile: path,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "error",
  });
  return { path, dispose: () => rmSync(path, { force: true }) };
}
