/** WHAT SHIPPING TELLS OF ITSELF: for diagnostics and metrics. */
import { StorageError } from "../../base/errors.ts";
import type { LostWindowRow } from "../../manifest/index.ts";
import type { RequestCounts, RetryStats } from "../../sink/index.ts";
import type { FlushState } from "./flush-state.ts";
import type { ShippedState } from "./ports.ts";

export interface FlushFacts {
  /** Where the bucket is: a URL without secrets. */
  readonly location: string;
  readonly state: FlushState;
  /** Undefined until one was claimed. */
  readonly epoch: number | undefined;
  /** Every commit up to here is in the bucket, and can be restored from it. */
  readonly remoteLsn: number;
  /** Durable here and not in the bucket. */
  readonly unshippedBytes: number;
  /** How long the oldest of it has waited; 0 if nothing waits. */
  readonly oldestUnshippedMs: number;
  /** Of what went wrong last, unless something went well since. */
  readonly lastError: string | undefined;
  readonly deadLetters: number;
  /** What was given up of the log, ever. */
  readonly lostWindows: readonly LostWindowRow[];
  /** What was asked of the sink since the store was opened, by what services charge for. */
  readonly requests: RequestCounts;
  /** How often calls are tried, how often they fail, and whether the sink is left alone for now. */
  readonly retries: RetryStats;
}

export interface FlushStats extends FlushFacts {
  /** The newest state of the manifest that this process has shipped. */
  readonly lastState: (ShippedState & { readonly atMs: number }) | undefined;
}

interface RawFacts extends Omit<FlushFacts, "lastError" | "oldestUnshippedMs"> {
  readonly sinceMs: number | undefined;
  readonly nowMs: number;
  readonly lastError: unknown;
}

export function flushFacts({ sinceMs, nowMs, lastError, ...facts }: RawFacts): FlushFacts {
  const oldestUnshippedMs = sinceMs === undefined ? 0 : Math.max(0, nowMs - sinceMs);
  return { ...facts, oldestUnshippedMs, lastError: textOf(lastError) ?? facts.retries.lastFailure };
}

function textOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  if (!(error instanceof Error)) return String(error);
  return error instanceof StorageError ? `${error.code}: ${error.message}` : error.message;
}
