/**
 * ROUNDS OF TORTURE: start a writer, kill it at a random moment, let another process look at what is
 * left, go on with the same store.
 *
 * (1) SIGKILL takes the process and leaves the page cache: it proves recovery and the order of
 *     acknowledgements. What a power cut takes, the simulation proves (sim/).
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { type Found, Ledger } from "./ledger.ts";

export interface TortureOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly callers: number;
  readonly databases: number;
  /** Longest time that a writer lives under load. */
  readonly loadMsMax: number;
  readonly onRound?: (round: Round) => void;
}

export interface Round {
  readonly number: number;
  readonly acknowledged: number;
  /** Rows that are there although nobody was told: allowed, and expected. */
  readonly unacknowledged: number;
  readonly rows: number;
  readonly problems: readonly string[];
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** Ends at the first round that finds a problem. */
export async function torture(options: TortureOptions): Promise<Round[]> {
  const ledger = new Ledger();
  const rounds: Round[] = [];
  let rowsBefore = 0;
  for (let number = 1; number <= options.rounds; number++) {
    const acknowledged = await killedLoad(options, { ledger, number });
    const found = await look(options.directory);
    const rows = found.reduce((sum, { ids }) => sum + ids.length, 0);
    const problems = ledger.problems(found, number);
    const unacknowledged = rows - rowsBefore - acknowledged;
    const round = { number, acknowledged, unacknowledged, rows, problems };
    rounds.push(round);
    options.onRound?.(round);
    if (problems.length > 0) return rounds;
    rowsBefore = rows;
  }
  return rounds;
}

/** Resolves with how many commits were acknowledged before the writer died. */
async function killedLoad(
  options: TortureOptions,
  { ledger, number }: { readonly ledger: Ledger; readonly number: number },
): Promise<number> {
  const { directory, callers, databases, loadMsMax } = options;
  const args = [directory, callers, databases, number].map(String);
  const child = start("writer.ts", args);
  const errors = textOf(child.stderr);
  let killing: Promise<unknown> | undefined;
  let acknowledged = 0;
  let unread = "";
  for await (const chunk of child.stdout) {
    const lines = `${unread}${chunk}`.split("\n");
    unread = lines.pop() ?? "";
    for (const line of lines) {
      const [kind, database = "", id = ""] = line.split(" ");
      if (kind === "R") killing = killAfter(child, Math.random() * loadMsMax);
      if (kind !== "A") continue;
      ledger.acknowledge(database, id);
      acknowledged += 1;
    }
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  await killing;
  if (child.signalCode !== "SIGKILL") throw new Error(`the writer ended: ${await errors}`);
  return acknowledged;
}

async function killAfter(child: Child, ms: number): Promise<void> {
  await pause(ms);
  child.kill("SIGKILL");
}

async function look(directory: string): Promise<Found[]> {
  const child = start("checker.ts", [directory]);
  const errors = textOf(child.stderr);
  const found: Found[] = [];
  for await (const line of createInterface({ input: child.stdout })) found.push(JSON.parse(line));
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`the store does not open again: ${await errors}`);
  return found;
}

function start(program: string, args: readonly string[]): Child {
  const path = `${import.meta.dirname}/${program}`;
  const command = ["--import", "tsx", path, ...args];
  return spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
