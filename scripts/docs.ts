/**
 * DOCS: rewrites the parts of documents that code knows better: layout tables, evidence, options
 * (tidy/generated.ts), and the text of the public API in docs/api. Tests compare; this mends.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { filled, generatedPages } from "./tidy/generated.ts";
import { publicApi } from "./tidy/public-api.ts";
import { thisRepository } from "./tidy.ts";

const ROOT = join(import.meta.dirname, "..");

/** Snapshot in docs/api → the emitted declarations of an entry of package.json. */
const ENTRIES = {
  "docs/api/bop-storage.d.ts": "index.d.ts",
  "docs/api/bop-storage-libsql.d.ts": "libsql/index.d.ts",
  "docs/api/bop-storage-contract.d.ts": "record-log/contract/index.d.ts",
  "docs/api/bop-storage-contract-object-store.d.ts": "sink/contract/index.d.ts",
} as const;

/** What the snapshots should say, from declarations emitted now. */
function currentApi(): Map<string, string> {
  const emitted = mkdtempSync(join(tmpdir(), "bop-api-"));
  try {
    const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const flags = ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", emitted];
    spawnSync(process.execPath, [compiler, ...flags], { cwd: ROOT });
    return apiIn(emitted);
  } finally {
    rmSync(emitted, { recursive: true, force: true });
  }
}

/** What they should say by the declarations in a folder. */
export function apiIn(folder: string): Map<string, string> {
  const read = (path: string) => readFileSync(join(folder, path), "utf8");
  return new Map(
    Object.entries(ENTRIES).map(([snapshot, entry]) => [snapshot, publicApi(entry, read)]),
  );
}

function rewrite(path: string, text: string): void {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
  console.error(`docs: ${path}`);
}

function main(): void {
  const repository = thisRepository();
  for (const path of generatedPages(repository)) {
    const page = repository.text(path) ?? "";
    const { text, problems } = filled(repository, page);
    for (const problem of problems) console.error(`docs: ${path}: ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
    if (text !== page) rewrite(path, text);
  }
  for (const [path, text] of currentApi()) {
    if (repository.text(path) !== text) rewrite(path, text);
  }
}

if (process.argv[1] === import.meta.filename) main();
