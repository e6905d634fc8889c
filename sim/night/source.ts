/** WHAT IS RUN, as a hash: a seed lives another life when the store or the simulation changes. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const FOLDERS = ["src", "sim"];
/** What no seed runs. */
const ASIDE = /\.test\.ts$|^sim\/(fuzz|mutants|night)\//;

export function sourceHash(): string {
  const hash = createHash("sha256");
  for (const path of FOLDERS.flatMap(sourceFiles).sort()) {
    hash.update(`${path}\n`);
    hash.update(readFileSync(join(ROOT, path)));
  }
  return hash.digest("hex").slice(0, 16);
}

function sourceFiles(folder: string): string[] {
  const found = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !ASIDE.test(path));
}
