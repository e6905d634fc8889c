/**
 * WHERE A COMMAND WRITES: results to standard output, everything else to standard error.
 *
 * (1) With --json, standard output carries one JSON document and nothing else.
 * (2) A reader that goes away (`bop list | head -1`) ends the output and is no error. What a command
 *     changes is changed all the same.
 */
import { KIB } from "../base/units.ts";

/** A stream as far as a command needs it: `process.stdout` and `process.stderr` are such. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export class Output {
  readonly isTerminal: boolean;
  readonly #sink: Sink;
  #isClosed = false;

  constructor(sink: Sink) {
    this.#sink = sink;
    this.isTerminal = sink.isTTY === true;
    whenReaderLeaves(sink, () => {
      this.#isClosed = true;
    });
  }

  /** True once the reader has gone away: there is no use in reading on for it. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Characters in a line of the terminal; undefined if there is no terminal to fit. */
  get columns(): number | undefined {
    const columns = this.isTerminal ? this.#sink.columns : undefined;
    return columns === 0 ? undefined : columns;
  }

  write(text: string): void {
    if (!this.#isClosed) this.#sink.write(text);
  }

  json(document: unknown): void {
    this.write(`${JSON.stringify(document, jsonValue, 2)}\n`);
  }
}

/** See (2). Other errors of the stream are thrown. */
export function whenReaderLeaves(sink: Sink, left: () => void): void {
  sink.on("error", (error) => {
    if ((error as { code?: unknown }).code !== "EPIPE") throw error;
    left();
  });
}

const SIZE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `4096` → `4.0 KiB`. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= KIB && unit < SIZE_UNITS.length - 1) {
    size /= KIB;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${SIZE_UNITS[unit]}`;
}

/** `2026-11-22 12:00`, in UTC. */
export function timeText(at: Date): string {
  return at.toISOString().replace("T", " ").slice(0, 16);
}

function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
