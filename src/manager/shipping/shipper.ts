/** WHO SHIPS: what a store asks of whoever carries its log, chunks and manifest to the sink. */
import type { StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import type { Parts } from "../opening/open-store.ts";
import type { StartedFrom } from "../opening/starting.ts";
import type { Sink } from "./open-sink.ts";
import type { DeadLetterInfo, SinkFacts } from "./sink-facts.ts";

export interface Shipper {
  /** End of the contiguous log in the sink, as far as is known here. */
  readonly remoteLsn: Lsn;
  readonly facts: SinkFacts;
  readonly deadLetters: readonly DeadLetterInfo[];
  /**
   * Resolves when it ships for the first time. Rejects when it never will, with what is in the way;
   * goes on trying while the sink cannot be reached. Called once.
   */
  start(): Promise<void>;
  /** The sink holds the log up to here. */
  onRemote(listener: (lsn: Lsn) => void): void;
  /** A state of the manifest was shipped: what it names is in the sink. */
  onState(listener: () => void): void;
  /** A checkpoint is wanted: without one the sink cannot restore what it gets from here on. */
  onBaseWanted(listener: () => void): void;
  /** The bucket turned out not to be this store's any more: nothing is shipped from here on. */
  onLost(listener: (error: StorageError) => void): void;
  onFault(listener: (fault: { readonly where: string; readonly error: unknown }) => void): void;
  /** Somebody waits until the sink holds the log up to here. Cheap. */
  wanted(lsn: Lsn): void;
  /** There is a checkpoint that is not shipped. */
  checkpointed(): void;
  /** States in the sink are damaged: the next one needs none of them. */
  newBase(): void;
  retryDeadLetter(id: number): Promise<void>;
  discardDeadLetter(id: number): Promise<void>;
  /** Ships what is durable; gives up after the time, and does not throw. */
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

/** Makes who ships for a store whose parts are there; starts nothing. */
export type ShipperOf = (parts: Parts, sink: Sink) => Shipper;

/** A sink, and who ships there. */
export interface Shipped {
  readonly shipper: Shipper;
  readonly sink: Pick<Sink, "close">;
  /** The store was made of what the sink holds, a moment ago. */
  readonly started?: StartedFrom | undefined;
}
