/**
 * THE PROCESSES OF TORTURE: a writer that is killed at a moment, and one that looks at what is left.
 *
 * (1) SIGKILL takes a process and leaves the page cache.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { programCommand } from "../support/programs.ts";
import { type Found, type Looked, parseTold, type Task, type Told } from "./ledger.ts";

export interface Killing {
  /** From when the load has begun, or the process was started. */
  readonly from: "ready" | "start";
  readonly afterMs: number;
  /** Or when so many calls were answered, if that is earlier. */
  readonly afterTold?: number;
}

export interface LoadOptions {
  readonly killing: Killing;
  /** Besides this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A writer that says neither that it is ready nor that it cannot open is killed then. */
  readonly patienceMs?: number;
  /** Kills it at once. */
  readonly ending?: AbortSignal;
  readonly onTold: (told: Told) => void;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** `refused`: the store could not be opened. `crashed`: native code ended the process. */
export type LoadEnd = "killed" | "refused" | "crashed";

/** Resolves when the writer is dead; throws if it ended in another way. */
export async function killedLoad(task: Task, options: LoadOptions): Promise<LoadEnd> {
  const { killing, environment, patienceMs, ending, onTold } = options;
  const child = start("writer.ts", { args: [JSON.stringify(task)], environment });
  const errors = textOf(child.stderr);
  let killed = killing.from === "start" ? killAfter(child, killing.afterMs) : undefined;
  let [isReady, isClosedToAll] = [false, false];
  const giveUp = patienceMs && setTimeout(() => child.kill("SIGKILL"), patienceMs);
  ending?.addEventListener("abort", () => child.kill("SIGKILL"));
  let toldCount = 0;
  let unread = "";
  for await (const chunk of child.stdout) {
    const lines = `${unread}${chunk}`.split("\n");
    unread = lines.pop() ?? "";
    for (const line of lines) {
      const told = parseTold(line);
      if (told === undefined) continue;
      isReady ||= told.kind === "ready";
      if (isReady) clearTimeout(giveUp);
      if (isReady) killed ??= killAfter(child, killing.afterMs);
      toldCount += 1;
      if (toldCount === killing.afterTold) child.kill("SIGKILL");
      isClosedToAll ||= told.kind === "closed-to-all";
      onTold(told);
    }
  }
  await ended(child);
  clearTimeout(giveUp);
  await killed;
  if (child.signalCode === "SIGKILL") return "killed";
  if (isClosedToAll) return "refused";
  if (CRASHES.includes(child.signalCode)) return "crashed";
  throw new Error(`the writer ended: ${child.signalCode ?? child.exitCode} ${await errors}`);
}

const CRASHES: readonly (NodeJS.Signals | null)[] = ["SIGSEGV", "SIGABRT"];

async function killAfter(child: Child, ms: number): Promise<void> {
  const ending = new AbortController();
  child.once("exit", () => ending.abort());
  await pause(ms, undefined, { signal: ending.signal }).catch(() => undefined);
  child.kill("SIGKILL");
}

/** What the stores hold, in the order of the directories. */
export async function lookInto(directories: readonly string[]): Promise<Looked[]> {
  const child = start("checker.ts", { args: directories });
  const errors = textOf(child.stderr);
  const looked: Looked[] = [];
  for await (const line of createInterface({ input: child.stdout })) looked.push(JSON.parse(line));
  await ended(child);
  while (looked.length < directories.length) {
    const how = child.signalCode ?? child.exitCode;
    looked.push({ problem: `the process that looked ended: ${how} ${await errors}` });
  }
  return looked;
}

/** Throws if the store does not open. */
export async function lookAt(directory: string): Promise<readonly Found[]> {
  const [looked] = await lookInto([directory]);
  if (looked === undefined || "problem" in looked) throw new Error(`the store ${looked?.problem}`);
  return looked.found;
}

/** Runs to its end; throws with what it said if that is not a good one. */
export async function finished(program: string, args: readonly string[]): Promise<void> {
  const child = start(program, { args });
  const errors = textOf(child.stderr);
  child.stdout.resume();
  await ended(child);
  if (child.exitCode !== 0) throw new Error(`${program} ended: ${await errors}`);
}

async function ended(child: Child): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

interface Start {
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

function start(program: string, { args, environment }: Start): Child {
  const command = [...programCommand(`test/crash/${program}`), ...args];
  const env = { ...process.env, ...environment };
  return spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"], env });
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
