/**
 * `bop` as a user runs it: a process of its own, from what was built. What a command does and says is
 * seen in a fraction of the time by bop-here.ts.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A command that goes on for ever is ended, and its exit code is null: no test leaves it behind. */
const ENDS_WITHIN_MS = 200_000;

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  /** Without what a command says of an opening that takes long: see `told`. */
  readonly stderr: string;
}

export interface BopOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Who reads its standard output goes away before there is any. Default false. */
  readonly leavesEarly?: boolean;
}

/** Runs one command to its end. Its standard streams are pipes, never a terminal. */
export function bop(argv: readonly string[], options: BopOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: environmentOf(options),
    timeout: ENDS_WITHIN_MS,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  if (options.leavesEarly === true) child.stdout.destroy();
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr: told(stderr) }));
  });
}

/** That a store took long to open is the machine's doing. */
export function told(stderr: string): string {
  return stderr.replace(/^recovering .* of log checked\n/gm, "");
}

/** The variables of a command: those of this process, and what it is given. */
export function environmentOf({ environment }: BopOptions): NodeJS.ProcessEnv {
  const { BOP_DEBUG: _, ...inherited } = process.env;
  return { ...inherited, BOP_HISTORY: "off", ...environment };
}
