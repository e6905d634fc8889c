/** `bop` as a user runs it: a process of its own, from what was built. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BopOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs one command to its end. Its standard streams are pipes, never a terminal. */
export function bop(argv: readonly string[], options: BopOptions = {}): Promise<Ended> {
  const environment = { ...process.env, BOP_HISTORY: "off", ...options.environment };
  delete (environment as Record<string, string | undefined>).BOP_DEBUG;
  const child = spawn(process.execPath, [MAIN, ...argv], { env: environment });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
