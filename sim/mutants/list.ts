/** ALL PLANTED BUGS: the files that end in .patch, in order of name. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Mutant, parseMutant } from "./patch.ts";

const DIRECTORY = join(dirname(fileURLToPath(import.meta.url)), "patches");
const ENDING = ".patch";

export function allMutants(): Mutant[] {
  const files = readdirSync(DIRECTORY).filter((file) => file.endsWith(ENDING));
  return files.sort().map((file) => {
    const name = file.slice(0, -ENDING.length);
    return parseMutant(name, readFileSync(join(DIRECTORY, file), "utf8"));
  });
}
