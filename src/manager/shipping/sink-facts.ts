/** THE PUBLIC TYPES about the sink: what diagnostics tell of it, and what it refused for good. */
import type { RequestCounts, RetryStats } from "../../sink/index.ts";

/** What shipping does. See docs/durability.md. */
export type SinkState =
  | "offline"
  | "claiming"
  | "taking-over"
  | "comparing"
  | "shipping"
  | "halted"
  | "fenced"
  | "diverged"
  | "closed";

export interface SinkFacts {
  /** Where it is: a URL without secrets. */
  readonly location: string;
  readonly state: SinkState;
  /** This opening of the store, as the bucket counts them; undefined until it has claimed one. */
  readonly epoch: number | undefined;
  /** The sink holds the log up to here. */
  readonly remoteLsn: number;
  /** Durable here and not in the sink. */
  readonly unshippedBytes: number;
  /** How long the oldest of it has waited; 0 if nothing waits. */
  readonly oldestUnshippedMs: number;
  /** What went wrong last, unless something went well since; from the first failed attempt on. */
  readonly lastError: string | undefined;
  readonly deadLetters: number;
  /** Parts of the log that were given up, by epoch: no moment in one can be restored from the sink. */
  readonly lostWindows: readonly LostWindow[];
  /** What was asked of the sink since the store was opened, by what services charge for. */
  readonly requests: RequestCounts;
  /** How often calls are tried, how often they fail, and whether the sink is left alone for now. */
  readonly retries: RetryStats;
}

/** What the sink, or this disk, refused for a reason that waiting cannot mend. */
export interface DeadLetterInfo {
  readonly id: number;
  /**
   * What cannot be shipped any more until it is retried or discarded. To discard `log` gives up what
   * was not shipped of the log, of all databases: a lost window. It is also the kind of a chunk of
   * this disk that a commit names. For `chunk`, which a state names, and `manifest` the next state is
   * made anew, and nothing is given up.
   */
  readonly kind: "log" | "chunk" | "manifest";
  readonly at: Date;
  readonly reason: string;
  /** What was durable here and not in the sink when it was refused. */
  readonly bytes: number;
}

/** A part of the log that was given up when a dead letter was discarded. */
export interface LostWindow {
  /** The first epoch that the sink has behind it, and the newest before. */
  readonly epoch: number;
  readonly epochBefore: number;
  readonly fromLsn: number;
  readonly toLsn: number;
  readonly discardedAtMs: number;
  /** Number of the dead letter, and what it said. */
  readonly letter: number;
  readonly reason: string;
}
