/**
 * PROGRAMS THAT TESTS START: examples, and the processes that are killed. As JavaScript in few files
 * that was made once, they start in a fifth of the time that they take when each module is translated
 * on its way in.
 *
 * (1) They are made anew before every run that uses them, so that none is older than its source.
 * (2) Types are not checked here: `npm run types` does that.
 * (3) A program lies where its source does, and so do those that it starts itself.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

const ROOT = join(import.meta.dirname, "../..");
/** Packages are found from here as they are from the sources. */
const CACHE = join(ROOT, "node_modules", ".cache");
/** Each run has its own, named by its process. */
const PREFIX = "bop-programs-";
/** Where they are, for the processes of this run. */
const VARIABLE = "BOP_PROGRAMS";
/** Folders, and which of their files are programs. */
const PROGRAMS: Readonly<Record<string, RegExp>> = {
  examples: /^\d\d-.+\.ts$/,
  "examples/tour": /^(?:main|writer)\.ts$/,
  "test/crash": /^(?:(?:.+-)?writer|checker|restorer)\.ts$/,
};

/** Makes them, for this process and those that it starts. Returns how to remove them. */
export function buildPrograms(): () => void {
  removeLeftovers();
  const folder = join(CACHE, `${PREFIX}${process.pid}`);
  mkdirSync(folder, { recursive: true });
  buildSync({
    entryPoints: Object.entries(PROGRAMS).flatMap(([place, pattern]) =>
      readdirSync(join(ROOT, place))
        .filter((name) => pattern.test(name))
        .map((name) => join(ROOT, place, name)),
    ),
    outdir: folder,
    outbase: ROOT,
    // As deep as a source is, for what looks for the package's own file from where it is.
    chunkNames: "shared/all/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "warning",
  });
  const described = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const { type, version } = described as { readonly type: string; readonly version: string };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type, version }));
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
