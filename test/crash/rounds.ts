/**
 * ROUNDS OF TORTURE: start a writer, kill it at a random moment, let another process look at what is
 * left, go on with the same store.
 *
 * (1) SIGKILL takes the process and leaves the page cache: it proves recovery and the order of
 *     acknowledgements. What a power cut takes, the simulation proves (sim/).
 * (2) With `loss` the disk goes with the process: the store is restored from its sink. What was
 *     acknowledged as `remote` is there; what as `local`, but for the last moments, which are counted.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { programCommand } from "../support/programs.ts";
import { type Found, Ledger } from "./ledger.ts";

export interface TortureOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly callers: number;
  readonly databases: number;
  /** Longest time that a writer lives under load. */
  readonly loadMsMax: number;
  /** See (2). */
  readonly loss?: MachineLoss;
  readonly onRound?: (round: Round) => void;
}

export interface MachineLoss {
  readonly sink: string;
  readonly durability: "local" | "remote";
}

export interface Round {
  readonly number: number;
  readonly acknowledged: number;
  /** Acknowledged as `local` and gone with the disk, and how long before the kill the first of them. */
  readonly lost: number;
  readonly lostMs: number;
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
    const killedMs = performance.now();
    if (options.loss !== undefined) await loseDisk(options.directory, options.loss);
    const found = await look(options.directory);
    const rows = found.reduce((sum, { ids }) => sum + ids.length, 0);
    const gone = options.loss?.durability === "local" ? ledger.forgetLost(found) : [];
    const lostMs = gone.length === 0 ? 0 : killedMs - Math.min(...gone);
    const problems = ledger.problems(found, number);
    const unacknowledged = rows - rowsBefore - acknowledged + gone.length;
    const lost = gone.length;
    const round = { number, acknowledged, lost, lostMs, unacknowledged, rows, problems };
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
  const { sink = "", durability = "" } = options.loss ?? {};
  const args = [directory, callers, databases, number, sink, durability].map(String);
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
      ledger.acknowledge(database, id, performance.now());
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

async function loseDisk(directory: string, { sink }: MachineLoss): Promise<void> {
  await rm(directory, { recursive: true });
  const child = start("restorer.ts", [directory, sink]);
  const errors = textOf(child.stderr);
  child.stdout.resume();
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`the store cannot be restored: ${await errors}`);
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
  const command = [...programCommand(`test/crash/${program}`), ...args];
  return spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
