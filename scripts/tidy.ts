/**
 * TIDY: the rules of CONTRIBUTING.md that a program can hold. `npm run tidy` prints what is wrong and
 * fails; the same rules run as tests (tidy.test.ts). Each rule is a function of the repository in
 * scripts/tidy/, with a fixture that it must refuse, so that no rule can silently stop firing.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { circles, layers } from "./check-layers.ts";
import { lockIsComplete } from "./complete-lock.ts";
import { decisions, dependencies, errorCodes, promises } from "./tidy/documents.ts";
import { deadFiles, exportForms, fileNames, headers } from "./tidy/files.ts";
import { documentedLayouts, generatedParts } from "./tidy/generated.ts";
import { layoutTables } from "./tidy/layouts.ts";
import { namedFiles } from "./tidy/named-files.ts";
import { optionComments } from "./tidy/options.ts";
import { parseProblems, type Repository, type Rule, readRepository } from "./tidy/repository.ts";
import { fileLength, functionLength, parameterCount } from "./tidy/sizes.ts";
import { world } from "./tidy/world.ts";

export const RULES: Readonly<Record<string, Rule>> = {
  "every file parses": parseProblems,
  "imports go down, and through doors": layers,
  "modules do not import each other in a circle": circles,
  "only src/io names the world": world,
  "files have at most 400 lines": fileLength,
  "functions have at most 70 lines": functionLength,
  "functions have at most three parameters": parameterCount,
  "file names say what is inside": fileNames,
  "files open with what is true": headers,
  "exports have names": exportForms,
  "no file of src is dead": deadFiles,
  "files that texts name are there": namedFiles,
  "every error code is documented": errorCodes,
  "every promise has evidence": promises,
  "every dependency is justified": dependencies,
  "decisions are numbered and have a status": decisions,
  "layout tables in headers equal the code": layoutTables,
  "every layout is on a page of docs/format": documentedLayouts,
  "printed parts of documents are fresh": generatedParts,
  "every option has a comment": optionComments,
  "the lock is complete": lockIsComplete,
};

/** Tracked files and new ones that git would track. */
export function thisRepository(): Repository {
  const root = join(import.meta.dirname, "..");
  const list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const listed = execFileSync("git", list, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  const paths = listed.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
  return readRepository(root, paths);
}

function main(only: readonly string[]): void {
  const repository = thisRepository();
  let count = 0;
  for (const [name, rule] of Object.entries(RULES)) {
    const problems = rule(repository).filter((problem) => wanted(problem, only));
    if (problems.length > 0) console.error(`\n${name}:`);
    for (const problem of problems) console.error(`  ${problem}`);
    count += problems.length;
  }
  const files = repository.sources.length;
  console.error(count === 0 ? `tidy: ${files} files, nothing to mend` : `\ntidy: ${count} to mend`);
  process.exitCode = count === 0 ? 0 : 1;
}

/** `npm run tidy -- src/wal` shows the problems of that folder alone. */
function wanted(problem: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((prefix) => problem.startsWith(prefix));
}

if (process.argv[1] === import.meta.filename) main(process.argv.slice(2));
