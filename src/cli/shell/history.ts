/**
 * WHAT WAS TYPED BEFORE: a file of lines, oldest first, in the user's home.
 *
 * (1) Only its owner may read it (mode 600): statements hold data.
 * (2) BOP_HISTORY names another file; `BOP_HISTORY=off` keeps nothing and reads nothing.
 * (3) A history that cannot be read or written is no reason to refuse a shell.
 */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export const HISTORY_LINES = 1000;
const FILE_MODE = 0o600;
const DEFAULT_NAME = ".bop_history";

/** Undefined if no history is kept. */
export function historyPath(environment: NodeJS.ProcessEnv): string | undefined {
  const { BOP_HISTORY: chosen } = environment;
  if (chosen === undefined) return join(homedir(), DEFAULT_NAME);
  return chosen === "" || chosen === "off" ? undefined : chosen;
}

/** Oldest first; empty if there is none yet. */
export function readHistory(path: string): string[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.filter((line) => line !== "").slice(-HISTORY_LINES);
  } catch {
    return [];
  }
}

/** Tells whether it could be written. */
export function writeHistory(path: string, lines: readonly string[]): boolean {
  try {
    const text = lines.slice(-HISTORY_LINES).map((line) => `${line}\n`);
    writeFileSync(path, text.join(""), { mode: FILE_MODE });
    chmodSync(path, FILE_MODE);
    return true;
  } catch {
    return false;
  }
}
