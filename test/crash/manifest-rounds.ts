/**
 * ROUNDS OF TORTURE FOR THE MANIFEST'S STORE: a process commits batches and is killed at a random
 * moment, this process opens what is left, and another goes on with it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { openLmdbStore } from "../../src/manifest/index.ts";
import { programCommand } from "../support/programs.ts";
import { problemsOf } from "./manifest-batches.ts";

export interface ManifestRound {
  readonly number: number;
  readonly acknowledged: number;
  readonly newest: number;
  readonly problems: readonly string[];
}

export interface ManifestTorture {
  readonly directory: string;
  readonly rounds: number;
  /** Longest time that a writer lives under load. */
  readonly loadMsMax: number;
  readonly onRound?: (round: ManifestRound) => void;
}

/** Ends at the first round that finds a problem. */
export async function manifestTorture(options: ManifestTorture): Promise<ManifestRound[]> {
  const rounds: ManifestRound[] = [];
  let newest = 0;
  for (let number = 1; number <= options.rounds; number++) {
    const acknowledged = await killedWriter(options, newest + 1);
    const store = await openLmdbStore(options.directory);
    const found = problemsOf(store, Math.max(acknowledged, newest));
    await store.close();
    newest = found.newest;
    const round = { number, acknowledged, ...found };
    rounds.push(round);
    options.onRound?.(round);
    if (found.problems.length > 0) break;
  }
  return rounds;
}

/** Resolves with the newest batch that was acknowledged; 0 if none was. */
async function killedWriter(
  { directory, loadMsMax }: ManifestTorture,
  first: number,
): Promise<number> {
  const program = programCommand("test/crash/manifest-writer.ts");
  const command = [...program, directory, String(first)];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  let killing: Promise<void> | undefined;
  let acknowledged = 0;
  let unread = "";
  for await (const chunk of child.stdout) {
    const lines = `${unread}${chunk}`.split("\n");
    unread = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "R") {
        killing = pause(Math.random() * loadMsMax).then(() => {
          child.kill("SIGKILL");
        });
      } else acknowledged = Math.max(acknowledged, Number(line.slice(2)));
    }
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  await killing;
  if (child.signalCode !== "SIGKILL") throw new Error(`the writer ended with ${child.exitCode}`);
  return acknowledged;
}
