/**
 * `bop` WITHIN THIS PROCESS: the same commands from the same arguments, without the half second that a
 * process takes to begin and to read all modules. For what a command does and says. Whatever is about
 * being a process (its owner, its pipes, signals, what was built) starts one: bop.ts.
 *
 * (1) While a command runs, the streams, variables and exit code of this process are its own; they are
 *     given back whatever it does. So there is one at a time.
 */
import { Readable, Writable } from "node:stream";
import { run } from "../../src/cli/run.ts";
import { type BopOptions, type Ended, environmentOf, told } from "./bop.ts";

const STREAMS = ["stdin", "stdout", "stderr"] as const;
let isRunning = false;

/** Runs one command to its end. Its standard streams are no terminals. */
export async function bopHere(argv: readonly string[], options: BopOptions = {}): Promise<Ended> {
  if (isRunning) throw new Error("a command runs here, and it has the streams");
  const [stdout, stderr] = [new Collected(), new Collected()];
  const giveBack = lend({ stdin: Readable.from([options.input ?? ""]), stdout, stderr });
  const before = { env: process.env, exitCode: process.exitCode };
  isRunning = true;
  try {
    process.env = environmentOf(options);
    process.exitCode = 0;
    await run(argv);
    return { exitCode: Number(process.exitCode), stdout: stdout.text, stderr: told(stderr.text) };
  } finally {
    process.env = before.env;
    process.exitCode = before.exitCode;
    giveBack();
    isRunning = false;
  }
}

class Collected extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** See (1). Returns how to take them back. */
function lend(streams: Record<(typeof STREAMS)[number], Readable | Writable>): () => void {
  const own = STREAMS.map((name) => Object.getOwnPropertyDescriptor(process, name) ?? {});
  for (const name of STREAMS) {
    Object.defineProperty(process, name, { value: streams[name], configurable: true });
  }
  return () => {
    for (const [index, name] of STREAMS.entries()) {
      Object.defineProperty(process, name, own[index] ?? {});
    }
  };
}
