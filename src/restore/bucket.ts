/**
 * A BUCKET AS RESTORE READS IT: states of the manifest, the log between them, chunks. It is asked
 * for; what is not asked for is not read.
 *
 * (1) Whatever is handed out was checked. What is damaged, cut short or missing is BOP_SINK_CORRUPT
 *     with the key of the object, and nothing of it is handed out.
 * (2) Objects that lie behind a fence are not there.
 */
import type { KeyValuePair } from "../manifest/index.ts";

/** A batch of the log without its header and padding. */
export interface ShippedBatch {
  readonly startLsn: number;
  readonly wallMs: number;
  readonly payload: Uint8Array;
}

/** A manifest as it was: all rows at one generation. */
export interface BucketState {
  readonly epoch: number;
  readonly number: number;
  readonly generation: number;
  /** The log is needed from here on. */
  readonly checkpointLsn: number;
  /** No row names an LSN above it, and the log is there up to it. */
  readonly maxLsn: number;
  /** Where the log in the bucket ended when it was put there. */
  readonly walEndLsn: number;
  readonly wallMs: number;
}

/** Where a chunk lies. */
export interface ChunkKey {
  readonly chunk: number;
  readonly epoch: number;
}

export interface LogPart {
  readonly batches: readonly ShippedBatch[];
  /** Chunks that commits in it name. */
  readonly spilled: readonly ChunkKey[];
}

/** Of a commit: its first frame, and the end of its commit frame. */
export interface CommitSpan {
  readonly firstLsn: number;
  readonly lsn: number;
}

/** Where the log ends, or a part of it. */
export interface LogEnd {
  /** End of its last batch. */
  readonly lsn: number;
  /** When that was written. */
  readonly wallMs: number;
}

/** Where log begins. */
export interface LogStart {
  readonly lsn: number;
  /** What lay before it was given up; otherwise it is there, or not kept any more. */
  readonly isGivenUp: boolean;
}

export interface ReadableBucket {
  /** Without secrets, for messages. */
  readonly location: string;
  readonly storeId: Uint8Array;
  /** The newest moment; undefined if no log was ever shipped. */
  logEnd(): Promise<LogEnd | undefined>;
  /** How far the log goes without a hole from an LSN on; undefined if it does not begin there. */
  reach(fromLsn: number): Promise<LogEnd | undefined>;
  /** Where the log goes on from an LSN: there, or behind a hole; undefined if nowhere. */
  goesOnAt(lsn: number): Promise<LogStart | undefined>;
  /** Newest first. */
  states(): AsyncIterable<BucketState>;
  /** The newest of which no row names an LSN above this one. */
  stateAt(maxLsn: number): Promise<BucketState | undefined>;
  /** In order of key; all, or those in a range of keys. */
  rows(state: BucketState, range?: KeyBounds): AsyncIterable<KeyValuePair>;
  /** From the batch in which `fromLsn` lies, in order, up to the one in which `toLsn` does. */
  log(range: { readonly fromLsn: number; readonly toLsn: number }): AsyncIterable<LogPart>;
  /** What the log of a range names, without reading it. */
  spilled(range: {
    readonly fromLsn: number;
    readonly toLsn: number;
  }): Promise<readonly ChunkKey[]>;
  /**
   * End of the last batch that is there of that time or before; undefined if none is. Behind it there
   * may be a hole: see `goesOnAt`.
   */
  lsnAt(wallMs: number): Promise<number | undefined>;
  /** The commits of a stream, above one LSN and at or below another, in order. */
  commits(stream: number, range: CommitRange): Promise<readonly CommitSpan[]>;
  /** The batches that have something of these, in order, and the chunks that such commits name. */
  batchesOf(spans: readonly CommitSpan[]): AsyncIterable<LogPart>;
}

export interface KeyBounds {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export interface CommitRange {
  readonly afterLsn: number;
  readonly upToLsn: number;
}
