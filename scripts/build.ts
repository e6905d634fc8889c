/**
 * BUILD: src/ → dist/ by TypeScript itself; nothing is bundled. Does nothing when no input changed
 * since the last build that succeeded, so that `npm start` begins at once.
 *
 * (1) dist/ holds the output of one build and nothing else: it is removed first.
 * (2) A build with type errors emits nothing.
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

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");
const PROGRAM = join(DIST, "cli", "main.js");
/** Outside of dist/, which is published. */
const STAMP = join(ROOT, "node_modules", ".cache", "bop-build");

/** A hash over everything that decides the output. */
function fingerprint(): string {
  const names = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const sources = names.filter((name) => name.endsWith(".ts")).map((name) => join("src", name));
  const hash = createHash("sha256");
  for (const path of [...sources.sort(), "tsconfig.json", "tsconfig.build.json", "package.json"]) {
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
  if (existsSync(PROGRAM)) chmodSync(PROGRAM, 0o755);
  mkdirSync(join(STAMP, ".."), { recursive: true });
  writeFileSync(STAMP, wanted);
}

main();
