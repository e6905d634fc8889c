/**
 * BUILD: src/ → dist/ by TypeScript itself. Then the command line is put into few files, since a
 * process that loads each of some 400 modules by itself takes three times as long to start. Does
 * nothing when no input changed since the last build that succeeded, so that `npm start` begins at
 * once.
 *
 * (1) dist/ holds the output of one build and nothing else: it is removed first.
 * (2) A build with type errors emits nothing.
 * (3) The library stays as TypeScript emits it: what a user imports from two entries is one module.
 *     Of dist/cli only the bundle is left; it is its own process and shares nothing with anybody.
 * (4) Packages are never bundled: what npm installed is what runs.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const CLI = join(DIST, "cli");
const PROGRAM = join(CLI, "main.js");
/** Outside of dist/, which is published. */
const STAMP = join(ROOT, "node_modules", ".cache", "bop-build");

/** A hash over everything that decides the output, and where it goes: checkouts may share packages. */
function fingerprint(): string {
  const names = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const sources = names.filter((name) => name.endsWith(".ts")).map((name) => join("src", name));
  const hash = createHash("sha256").update(ROOT).update("\0");
  const others = ["tsconfig.json", "tsconfig.build.json", "package.json", "scripts/build.ts"];
  for (const path of [...sources.sort(), ...others]) {
    hash
      .update(path)
      .update("\0")
      .update(readFileSync(join(ROOT, path)))
      .update("\0");
  }
  return hash.digest("hex");
}

function isFresh(wanted: string): boolean {
  return existsSync(PROGRAM) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === wanted;
}

/** Commands are loaded when they are named, so each keeps a file of its own. See (3) and (4). */
function bundleCommandLine(): void {
  rmSync(CLI, { recursive: true });
  buildSync({
    entryPoints: [join(ROOT, "src/cli/main.ts")],
    outdir: CLI,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    sourcemap: true,
    logLevel: "warning",
  });
  chmodSync(PROGRAM, 0o755);
}

function main(): void {
  const wanted = fingerprint();
  if (isFresh(wanted)) return;
  rmSync(STAMP, { force: true });
  rmSync(DIST, { recursive: true, force: true });
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const flags = ["-p", "tsconfig.build.json", "--noEmitOnError"];
  const { status } = spawnSync(process.execPath, [compiler, ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) {
    process.exitCode = 1;
    return;
  }
  bundleCommandLine();
  mkdirSync(join(STAMP, ".."), { recursive: true });
  writeFileSync(STAMP, wanted);
}

main();
