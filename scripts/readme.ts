/**
 * THE README'S PROGRAMS, run as a reader would run them. A block that opens with ```ts name.ts is a
 * file; what its `console.log(…); // …` comments say is what it must print.
 *
 * The same steps serve two masters: a test runs them against src/, and the package check against
 * what npm would publish.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Address that the README's client uses. */
const README_URL = "http://127.0.0.1:8080";
const SERVER_READY_MS = 30_000;

export interface ReadmeProgram {
  readonly name: string;
  readonly code: string;
  /** Lines that it says it prints. */
  readonly prints: readonly string[];
}

export function readmePrograms(markdown: string): ReadmeProgram[] {
  return [...markdown.matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)].map(([, name, code]) => ({
    name: name ?? "",
    code: code ?? "",
    prints: [...(code ?? "").matchAll(/^\s*console\.log\(.*\); \/\/ (.+)$/gm)].map(
      (match) => match[1] ?? "",
    ),
  }));
}

/** How the reader's machine runs things: each is a program with its first arguments. */
export interface Reader {
  /** An empty folder in which the programs' imports resolve. */
  readonly folder: string;
  readonly bop: readonly [string, ...string[]];
  /** Runs one program file. */
  readonly script: readonly [string, ...string[]];
  /** `.mjs`, or `.ts` where the runner takes it. */
  readonly extension: string;
  /** Makes `import … from "bop-storage"` resolve, if it does not already. */
  readonly rewrite: (code: string) => string;
}

/** Lines that a program of the README printed. With a server, its address takes 8080's place. */
export async function runProgram(
  reader: Reader,
  program: ReadmeProgram,
  serverUrl = README_URL,
): Promise<string[]> {
  const file = join(reader.folder, program.name.replace(/\.ts$/, reader.extension));
  writeFileSync(file, reader.rewrite(program.code.replaceAll(README_URL, serverUrl)));
  const [command, ...first] = reader.script;
  const child = spawn(command, [...first, file], {
    cwd: reader.folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${program.name} of the README ended with ${code}`);
  return lines;
}

/** `bop serve` on a free port; gives its URL, and stops it as an operator would. */
export async function startServer(reader: Reader) {
  const [command, ...first] = reader.bop;
  const child = spawn(command, [...first, "serve", "--port", "0"], {
    cwd: reader.folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const url = await firstLine(child).catch((cause: unknown) => {
    child.kill("SIGKILL");
    throw new Error(`bop serve did not get ready; it said:\n${said}`, { cause });
  });
  const stop = async (): Promise<number | null> => {
    child.kill("SIGTERM");
    const [code] = child.exitCode === null ? await once(child, "close") : [child.exitCode];
    return code as number | null;
  };
  return { url, stop, said: () => said };
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error("no standard output");
  const lines = createInterface({ input: stdout });
  const [line] = await once(lines, "line", { signal: AbortSignal.timeout(SERVER_READY_MS) });
  return String(line);
}
