/**
 * A PLANTED BUG, as it lies in a file: what it breaks and who should notice, then a unified diff.
 *
 *   breaks:  one sentence
 *   notices: scenarios, the likeliest first
 *   sample:  yes, if it is noticed within seconds; else the line is left out
 *   --- a/src/…
 *   +++ b/src/…
 *   @@ …
 *
 * (1) Line numbers are not looked at: a hunk applies where its old lines are, and these must be there
 *     exactly once. So a change elsewhere in the file does not disturb it, and it never lands anywhere
 *     but where it was meant to.
 */
import { SCENARIO_NAMES, type ScenarioName } from "../scenarios/index.ts";

interface Hunk {
  readonly before: string;
  readonly after: string;
}

interface FilePatch {
  readonly path: string;
  readonly hunks: readonly Hunk[];
}

export interface Mutant {
  readonly name: string;
  readonly breaks: string;
  readonly notices: readonly ScenarioName[];
  /** Noticed within seconds: samples are taken of these. */
  readonly isQuick: boolean;
  readonly files: readonly FilePatch[];
}

/** Throws an Error that says what is wrong with it. */
export function parseMutant(name: string, text: string): Mutant {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith("--- "));
  const head = lines.slice(0, Math.max(0, start));
  const files = parseFiles(lines.slice(start));
  if (start < 0 || files.length === 0) throw new Error(`${name}: there is no diff`);
  const notices = field(head, "notices")
    .split(",")
    .map((each) => scenarioOf(name, each.trim()));
  const isQuick = head.some((line) => line.startsWith("sample:"));
  return { name, breaks: field(head, "breaks"), notices, isQuick, files };
}

/** The files as the mutant has them. `read` gives a file as it is. Throws if it does not apply. */
export function applyMutant(
  { name, files }: Mutant,
  read: (path: string) => string,
): Map<string, string> {
  const changed = new Map<string, string>();
  for (const { path, hunks } of files) {
    let text = changed.get(path) ?? read(path);
    for (const { before, after } of hunks) {
      const pieces = text.split(before);
      if (pieces.length !== 2) {
        const times = pieces.length - 1;
        throw new Error(`${name}: what it changes is ${times} times in ${path}:\n${before}`);
      }
      text = pieces.join(after);
    }
    changed.set(path, text);
  }
  return changed;
}

/** A field goes on in lines that are indented. */
function field(head: readonly string[], name: string): string {
  const at = head.findIndex((line) => line.startsWith(`${name}:`));
  const first = head[at];
  if (first === undefined) throw new Error(`there is no "${name}:"`);
  const rest = head.slice(at + 1);
  const end = rest.findIndex((line) => !line.startsWith(" "));
  const more = rest.slice(0, end < 0 ? rest.length : end);
  return [first.slice(name.length + 1), ...more].map((line) => line.trim()).join(" ");
}

function scenarioOf(mutant: string, name: string): ScenarioName {
  const found = SCENARIO_NAMES.find((each) => each === name);
  if (found === undefined) throw new Error(`${mutant}: there is no scenario ${name}`);
  return found;
}

function parseFiles(lines: readonly string[]): FilePatch[] {
  const files: { path: string; hunks: { before: string; after: string }[] }[] = [];
  for (const line of lines) {
    const hunks = files.at(-1)?.hunks;
    const hunk = hunks?.at(-1);
    if (line.startsWith("--- a/")) files.push({ path: line.slice(6), hunks: [] });
    else if (line.startsWith("+++ ")) continue;
    else if (line.startsWith("@@")) hunks?.push({ before: "", after: "" });
    else if (hunk !== undefined) take(hunk, line);
  }
  return files;
}

function take(hunk: { before: string; after: string }, line: string): void {
  const text = `${line.slice(1)}\n`;
  if (line.startsWith("-") || line.startsWith(" ")) hunk.before += text;
  if (line.startsWith("+") || line.startsWith(" ")) hunk.after += text;
}
