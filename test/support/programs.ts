/**
 * PROGRAMS THAT TESTS START: examples, and the processes that are killed. As JavaScript that was made
 * once, they start in half the time that they take when each is translated on its way in.
 *
 * (1) They are made anew before every run that uses them, so that none is older than its source.
 * (2) Types are not checked here: `npm run types` does that.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
/** Packages are found from here as they are from the sources. */
const CACHE = join(ROOT, "node_modules", ".cache");
/** Each run has its own, named by its process. */
const PREFIX = "bop-programs-";
/** Where they are, for the processes of this run. */
const VARIABLE = "BOP_PROGRAMS";
const INCLUDED = ["src/**/*.ts", "examples/**/*.ts", "test/crash/*.ts"];

/** Makes them, for this process and those that it starts. Returns how to remove them. */
export function buildPrograms(): () => void {
  removeLeftovers();
  const folder = join(CACHE, `${PREFIX}${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "tsconfig.json");
  const compilerOptions = { noEmit: false, rootDir: ROOT, outDir: folder, noCheck: true };
  const include = INCLUDED.map((pattern) => join(ROOT, pattern));
  const exclude = [join(ROOT, "src/**/*.test.ts"), join(ROOT, "test/**/*.test.ts")];
  const extended = join(ROOT, "tsconfig.json");
  writeFileSync(
    config,
    JSON.stringify({ extends: extended, compilerOptions, include, exclude }, undefined, 2),
  );
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [compiler, "-p", config], { cwd: ROOT, stdio: "inherit" });
  process.env[VARIABLE] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

/** What runs left that were killed. */
function removeLeftovers(): void {
  mkdirSync(CACHE, { recursive: true });
  for (const name of readdirSync(CACHE).filter((each) => each.startsWith(PREFIX))) {
    if (!isAlive(Number(name.slice(PREFIX.length)))) {
      rmSync(join(CACHE, name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What `node` is to be given to run a program of this repository, named from its root. */
export function programCommand(path: string): string[] {
  const folder = process.env[VARIABLE];
  if (folder === undefined) return ["--import", "tsx", join(ROOT, path)];
  return [join(folder, path.replace(/\.ts$/, ".js"))];
}
