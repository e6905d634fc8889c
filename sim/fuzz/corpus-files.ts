/**
 * INPUTS WORTH KEEPING, in files: sim/fuzz/corpus/<target>/<first 16 hex digits of their SHA-256>.
 *
 * (1) A file is named by what is in it, so that runs on several machines can be put together.
 * (2) At most CORPUS_MAX files a target: the directory belongs to the repository.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CORPUS_MAX = 32;
const KEPT_BYTES_MAX = 8192;
const DIRECTORY = join(import.meta.dirname, "corpus");

export function readCorpus(target: string): Uint8Array[] {
  const directory = join(DIRECTORY, target);
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).sort();
  return names.map((name) => new Uint8Array(readFileSync(join(directory, name))));
}

/** Keeps what fits. Returns how many files were written. */
export function keepInCorpus(target: string, inputs: readonly Uint8Array[]): number {
  const directory = join(DIRECTORY, target);
  const kept = new Set(existsSync(directory) ? readdirSync(directory) : []);
  let written = 0;
  const small = inputs.filter(({ length }) => length <= KEPT_BYTES_MAX);
  for (const bytes of small.sort((a, b) => a.length - b.length)) {
    const name = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
    if (kept.has(name) || kept.size >= CORPUS_MAX) continue;
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, name), bytes);
    kept.add(name);
    written += 1;
  }
  return written;
}
