/**
 * A LARGE TRANSACTION: 2 GiB in one, far more than the memory that a transaction may take. An
 * operation is one MiB of it. What counts besides time is that memory does not grow with it, so
 * each round is a process of its own (large-process.ts), which also checks what it wrote.
 */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Metric, Round, Scenario, Side } from "../harness.ts";
import { counted, perSecond } from "../metrics.ts";

const TOTAL_MIB = 2048;
const MIB = 2 ** 20;
const ROOT = join(import.meta.dirname, "..");
const TSX = join(ROOT, "../node_modules/tsx/dist/cli.mjs");

const run = promisify(execFile);

class Process implements Side {
  readonly name: string;
  readonly #directory: string;
  readonly #mib: number;

  constructor(name: string, directory: string, mib: number) {
    this.name = name;
    this.#directory = directory;
    this.#mib = mib;
  }

  async round(index: number): Promise<Round> {
    const directory = join(this.#directory, `${this.name}-${index}`);
    mkdirSync(directory, { recursive: true });
    try {
      const script = join(ROOT, "large-process.ts");
      const size = String(this.#mib * MIB);
      const { stdout } = await run(process.execPath, [TSX, script, this.name, size, directory]);
      const { seconds, peakMiB } = JSON.parse(stdout) as { seconds: number; peakMiB: number };
      return { operations: this.#mib, seconds, counts: { peakMiB } };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** Each process has verified what it wrote. */
  async verify(): Promise<void> {}

  async close(): Promise<void> {}
}

const speed: Metric = { ...perSecond("written"), unit: "MiB/s" };
const memory = counted("peak of memory", {
  count: "peakMiB",
  unit: "MiB",
  targets: [{ atMost: 512 }],
});

export const largeTransaction: Scenario = {
  name: "large-transaction",
  what: "one MiB of a transaction of 2 GiB, rows of 4 KB, memory of 64 MiB",
  metrics: [speed, memory],
  rounds: 1,
  async open({ directory, scale }) {
    const mib = Math.max(1, Math.round(TOTAL_MIB * scale));
    return ["ours", "better-sqlite3"].map((name) => new Process(name, directory, mib));
  },
};
