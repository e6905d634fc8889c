/**
 * THE PUBLIC TYPES of record logs: what a Raft library or an event store is built on.
 *
 * (1) Changes count in the order of their calls, and show in memory at once; but a compaction may
 *     have to read a chunk first, and what is called after it on that log waits for it. A promise
 *     resolves when its change is durable, or, of one that changes nothing, when what its logs hold
 *     is. One that rejects has changed nothing, but for BOP_OUTCOME_UNKNOWN: the store has failed
 *     then, and must be opened again.
 * (2) What is read is durable, but for entries that are read `unstable`, and for the plain
 *     properties (`firstIndex`, `lastIndex`, `boundary`, `termAt`): they tell of the newest change.
 * (3) Terms and indexes are unsigned 64-bit numbers.
 */

export interface LogEntry {
  readonly term: bigint;
  readonly index: bigint;
  /** Opaque here: the node that led, say. Empty if none was given. */
  readonly field: Uint8Array;
  readonly payload: Uint8Array;
}

export interface NewLogEntry {
  readonly term: bigint;
  readonly index: bigint;
  /** Up to 256 bytes. */
  readonly field?: Uint8Array;
  readonly payload: Uint8Array;
}

/** Of the newest entry that was compacted away. */
export interface LogBoundary {
  readonly index: bigint;
  readonly term: bigint;
  readonly field: Uint8Array;
}

/** What Raft must remember before it answers. */
export interface HardState {
  readonly term: bigint;
  /** Opaque here, up to 256 bytes: who got the vote of this term. */
  readonly vote?: Uint8Array;
  /** Newest index that is known to be committed. */
  readonly commit?: bigint;
}

/** One atomic change. Its parts apply in the order in which they stand here. */
export interface LogChange {
  /** Removes all entries and the boundary: the next entry may have any index. */
  readonly clear?: boolean;
  /** Removes every entry behind this index; "all" removes every entry. */
  readonly truncateAfter?: bigint | "all";
  /**
   * Removes every entry up to this index and remembers its term and field. Behind the last entry,
   * `term` must be given: the log begins anew there, as after a snapshot was installed.
   */
  readonly compact?: {
    readonly upToIndex: bigint;
    readonly term?: bigint;
    readonly field?: Uint8Array;
  };
  /** Entries that follow the last one, or begin an empty log anywhere. */
  readonly entries?: readonly NewLogEntry[];
  /**
   * When the first entry is there already: `refuse` with BOP_LOG_CONFLICT, or `replace` it and all
   * that follow; those at or below the boundary are then passed over. Default "refuse".
   */
  readonly onConflict?: "refuse" | "replace";
  readonly hardState?: HardState;
  /**
   * Small values by key, up to 255 bytes of UTF-8; `undefined` removes one. A value takes up to
   * 64 KiB, and they stay in memory.
   */
  readonly stable?: Readonly<Record<string, Uint8Array | undefined>>;
  /** What the newest snapshot is, opaque here, up to 64 KiB. Empty: there is none. */
  readonly snapshotMeta?: Uint8Array;
}

export interface LogWritten {
  /** Position of the change in the store's log. */
  readonly lsn: number;
  readonly lastIndex: bigint | undefined;
}

export interface LogRange {
  /** The first index. */
  readonly from: bigint;
  /** The index behind the last. Default: the end of what may be read. */
  readonly to?: bigint;
  /** Payloads that an answer may hold; the first entry comes in any case. Bytes. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Also entries that are not durable yet. Default false. */
  readonly unstable?: boolean;
  /** Cuts the range to what is there, instead of an error. Default false. */
  readonly clip?: boolean;
}

export interface RecordLog {
  readonly name: string;
  /** Undefined while there is no entry. */
  readonly firstIndex: bigint | undefined;
  /** Of the last entry; without one that of the boundary; undefined if there is neither. */
  readonly lastIndex: bigint | undefined;
  /** Every entry up to it survives a power cut; undefined as with `lastIndex`. */
  readonly durableIndex: bigint | undefined;
  readonly boundary: LogBoundary | undefined;

  append(
    entries: readonly NewLogEntry[],
    options?: Omit<LogChange, "entries">,
  ): Promise<LogWritten>;
  /** Any change, as one. Several logs in one: `manager.commitLogs`. */
  commit(change: LogChange): Promise<LogWritten>;
  /** Throws BOP_LOG_COMPACTED for what is gone, BOP_LOG_UNAVAILABLE for what is not there yet. */
  read(range: LogRange): Promise<LogEntry[]>;
  /** Of an entry or the boundary. Throws as `read` does. */
  termAt(index: bigint): bigint;
  /** Of a durable entry or the boundary. Rejects as `read` does. */
  fieldAt(index: bigint): Promise<Uint8Array>;
  /** Entries up to this index stay. Behind the last: nothing happens. */
  truncateSuffix(afterIndex: bigint | "all"): Promise<LogWritten>;
  /** See `LogChange.compact`. At or below the boundary: nothing happens. */
  compactPrefix(
    upToIndex: bigint,
    boundary?: { readonly term?: bigint; readonly field?: Uint8Array },
  ): Promise<LogWritten>;
  /** Removes all entries and the boundary: the next entry may have any index. The rest stays. */
  clear(): Promise<LogWritten>;
  setHardState(state: HardState): Promise<LogWritten>;
  /** Undefined if none was ever saved. */
  readHardState(): Promise<HardState | undefined>;
  setStable(key: string, value: Uint8Array | undefined): Promise<LogWritten>;
  /** Undefined for a key that is not there. */
  readStable(key: string): Promise<Uint8Array | undefined>;
  saveSnapshotMeta(meta: Uint8Array): Promise<LogWritten>;
  /** Undefined if there is none. */
  readSnapshotMeta(): Promise<Uint8Array | undefined>;
  /** Resolves when every entry up to it is durable; rejects if it is truncated before. */
  waitDurable(index: bigint): Promise<void>;
  /** Gives the handle back; what was changed still becomes durable. Idempotent. */
  close(): Promise<void>;
}

/** One log of a change over several: see `Manager.commitLogs`. */
export interface LogMember extends LogChange {
  readonly log: RecordLog;
}
