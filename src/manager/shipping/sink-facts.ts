/** THE PUBLIC TYPES about the sink: what diagnostics tell of it, and what it refused for good. */

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
  readonly lastError: string | undefined;
  readonly deadLetters: number;
}

/** What the sink, or this disk, refused for a reason that waiting cannot mend. */
export interface DeadLetterInfo {
  readonly id: number;
  /** What cannot be shipped any more until it is retried or discarded. */
  readonly kind: "log" | "chunk" | "manifest";
  readonly at: Date;
  readonly reason: string;
}
