/**
 * THE CREW OF A LONG RUN: processes that live ranges of seeds, each on a core of its own.
 *
 * (1) A seed that does not end, or ends its process, has failed; its range ends with it, and the next
 *     one gets a new process.
 * (2) When the time is up, what was lived of a range is a range: nothing that was lived is lost.
 */
import { type ChildProcess, fork } from "node:child_process";
import { LONG_SCENARIOS } from "../scenarios/index.ts";
import { IMAGES, Tally } from "../tally.ts";
import { bundleWorker } from "./bundle.ts";
import type { FailedSeed, Line, Range } from "./ledger.ts";
import type { SeedEnded } from "./worker.ts";

/** A seed takes seconds at most, where nothing is wrong. */
const SEED_MS_MAX = 5 * 60_000;
const LONG_SEED_MS_MAX = 60 * 60_000;

export interface Work {
  readonly jobs: number;
  readonly source: string;
  readonly signal: AbortSignal;
  readonly next: () => Range;
  readonly onLine: (line: Line) => void;
  readonly onFailed: (range: Range, failed: FailedSeed) => void;
}

/** Resolves when the signal is aborted and every process is gone. */
export async function work(options: Work): Promise<void> {
  const worker = await bundleWorker(options.source);
  try {
    await Promise.all(Array.from({ length: options.jobs }, () => oneJob(options, worker.path)));
  } finally {
    worker.dispose();
  }
}

async function oneJob(options: Work, path: string): Promise<void> {
  const { source, signal, next, onLine, onFailed } = options;
  let worker: ChildProcess | undefined;
  while (!signal.aborted) {
    const range = next();
    worker ??= startWorker(path);
    const lived = new LivedRange(range, (failed) => onFailed(range, failed));
    const isFit = await live(worker, lived, signal);
    if (lived.seeds > 0) onLine(lived.line(source));
    if (isFit) continue;
    worker.kill("SIGKILL");
    worker = undefined;
  }
  worker?.kill("SIGKILL");
}

function startWorker(path: string): ChildProcess {
  return fork(path, {
    execArgv: ["--enable-source-maps"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
}

/** What was lived of a range so far. */
class LivedRange {
  readonly range: Range;
  readonly #onFailed: (failed: FailedSeed) => void;
  readonly #tally = new Tally();
  readonly #failed: FailedSeed[] = [];
  #ms = 0;
  seeds = 0;

  constructor(range: Range, onFailed: (failed: FailedSeed) => void) {
    this.range = range;
    this.#onFailed = onFailed;
  }

  get isOver(): boolean {
    return this.seeds === this.range.seeds;
  }

  add({ ms, tally, why }: Omit<SeedEnded, "seed">): void {
    const seed = this.range.from + this.seeds;
    this.seeds += 1;
    this.#ms += ms;
    this.#tally.addAll(tally);
    if (why === undefined) return;
    this.#failed.push({ seed, why });
    this.#onFailed({ seed, why });
  }

  line(source: string): Line {
    const { scenario, from } = this.range;
    return {
      ...{ source, scenario, from, seeds: this.seeds },
      crashes: this.#tally.of(IMAGES),
      ms: Math.round(this.#ms),
      failed: this.#failed,
      tally: Object.fromEntries(this.#tally.entries()),
      node: process.version,
    };
  }
}

/** False if the process is not to be used again. See (1) and (2). */
function live(worker: ChildProcess, lived: LivedRange, signal: AbortSignal): Promise<boolean> {
  const { scenario } = lived.range;
  const silentMsMax = LONG_SCENARIOS.includes(scenario) ? LONG_SEED_MS_MAX : SEED_MS_MAX;
  let said = "";
  return new Promise((resolve) => {
    const end = (isFit: boolean) => {
      clearTimeout(silence);
      worker.off("message", onSeed);
      worker.off("exit", onExit);
      worker.stderr?.off("data", onWords);
      signal.removeEventListener("abort", onAbort);
      resolve(isFit);
    };
    const fail = (why: string) => {
      lived.add({ ms: 0, tally: [], why });
      end(false);
    };
    const onSilence = () => fail(`the seed does not end within ${silentMsMax} ms`);
    let silence = setTimeout(onSilence, silentMsMax);
    const onSeed = (ended: SeedEnded) => {
      clearTimeout(silence);
      silence = setTimeout(onSilence, silentMsMax);
      lived.add(ended);
      if (lived.isOver) end(true);
    };
    const onExit = (code: number | null) => fail(`the process ended with ${code}: ${said}`);
    const onWords = (bytes: Buffer) => {
      said = `${said}${bytes}`.slice(-2000);
    };
    const onAbort = () => end(false);
    worker.on("message", onSeed);
    worker.on("exit", onExit);
    worker.stderr?.on("data", onWords);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) return end(false);
    worker.send(lived.range);
  });
}
