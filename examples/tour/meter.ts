/**
 * THE METER: rates while the writers write, as lines for the display.
 *
 * (1) "Commits" are promises that resolved. The engine runs statements that wait for the same
 *     database in one transaction of SQLite, so it may have needed fewer transactions than that.
 * (2) "Bytes" are what was written to the log, padding included, since the writers began.
 */
import type { LogCounters } from "./messages.ts";

const SAMPLE_MS = 250;
const SAMPLES_SHOWN = 24;
const BAR_CELLS = 32;
const SPARKS = "▁▂▃▄▅▆▇█";

export interface Totals {
  readonly commits: number;
  readonly flushes: number;
  readonly writtenBytes: number;
  readonly seconds: number;
}

export class Meter {
  readonly #begin: LogCounters;
  readonly #beganMs: number;
  readonly #perSecond: number[] = [];
  #sampledMs: number;
  #sampledCommits = 0;
  #log: LogCounters;
  #commits = 0;
  #nowMs: number;

  constructor(begin: LogCounters, nowMs: number) {
    this.#begin = begin;
    this.#log = begin;
    this.#beganMs = nowMs;
    this.#sampledMs = nowMs;
    this.#nowMs = nowMs;
  }

  get totals(): Totals {
    return {
      commits: this.#commits,
      flushes: this.#log.flushes - this.#begin.flushes,
      writtenBytes: this.#log.writtenBytes - this.#begin.writtenBytes,
      seconds: (this.#nowMs - this.#beganMs) / 1000,
    };
  }

  /** What the log says, and what the ledger had heard by then. */
  update(log: LogCounters, commits: number, nowMs: number): void {
    this.#log = log;
    this.#commits = commits;
    this.#nowMs = nowMs;
    const spanMs = nowMs - this.#sampledMs;
    if (spanMs < SAMPLE_MS) return;
    this.#perSecond.push(((commits - this.#sampledCommits) * 1000) / spanMs);
    if (this.#perSecond.length > SAMPLES_SHOWN) this.#perSecond.shift();
    this.#sampledMs = nowMs;
    this.#sampledCommits = commits;
  }

  lines(ofSeconds: number): string[] {
    const { commits, flushes, seconds } = this.totals;
    const filled = Math.min(BAR_CELLS, Math.round((seconds / ofSeconds) * BAR_CELLS));
    const bar = `${"━".repeat(filled)}${"─".repeat(BAR_CELLS - filled)}`;
    const rate = count(this.#perSecond.at(-1) ?? 0);
    return [
      `${bar}  ${seconds.toFixed(1)} of ${ofSeconds} s`,
      `${count(commits).padStart(9)} commits   ${rate.padStart(7)}/s  ${sparks(this.#perSecond)}`,
      `${count(bytesPerCommit(this.totals)).padStart(9)} bytes of log a commit`,
      `${count(flushes).padStart(9)} flushes   ${flushesPerCommit(this.totals)} a commit`,
    ];
  }

  plainLine(): string {
    const { commits, flushes, seconds } = this.totals;
    const rate = count(this.#perSecond.at(-1) ?? 0);
    const shares = `${count(bytesPerCommit(this.totals))} bytes and ${flushesPerCommit(this.totals)}`;
    return (
      `${seconds.toFixed(1).padStart(4)} s  ${count(commits)} commits, ${rate}/s, ` +
      `${count(flushes)} flushes; ${shares} flushes a commit`
    );
  }
}

export function count(n: number): string {
  return Math.round(n).toLocaleString("en-GB");
}

export function bytesPerCommit({ writtenBytes, commits }: Totals): number {
  return commits === 0 ? 0 : writtenBytes / commits;
}

export function flushesPerCommit({ flushes, commits }: Totals): string {
  return commits === 0 ? "–" : (flushes / commits).toFixed(3);
}

function sparks(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  return values
    .map((value) => SPARKS[Math.min(SPARKS.length - 1, Math.floor((value / most) * SPARKS.length))])
    .join("");
}
