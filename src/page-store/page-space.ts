/**
 * THE PAGES OF ONE DATABASE THROUGH TIME: the seam between SQLite's VFS above and overlay, cache
 * and chunks below. Everything is synchronous, since SQLite cannot wait.
 *
 * (1) A snapshot is a moment: reads through it see, for every page, the newest version at or below
 *     its LSN, whatever is committed or checkpointed meanwhile. Readers and the writer never wait
 *     for each other.
 * (2) There is one writer at a time: the VFS holds the RESERVED lock and stages against the newest
 *     snapshot, never an older one.
 * (3) `stage` does all that can fail and changes nothing that a reader sees; `seal` publishes the
 *     commit in memory and in the log's buffer, and cannot fail. It is not yet durable then.
 */
import type { Lsn, PageNumber } from "../base/units.ts";

export interface PageSpace {
  /** LSN of the newest commit in memory, durable or not; 0 before the first. */
  readonly newestLsn: Lsn;

  /**
   * The newest moment at or below `atMost`; if that is older than the newest durable one, the newest
   * durable one instead. Each pin is given back by one `unpin`.
   */
  pin(atMost: Lsn): Snapshot;
  unpin(snapshot: Snapshot): void;

  /**
   * The image of a page, `snapshot.pageBytes` long, which the caller must copy before it calls
   * anything else and must not change. A page that no commit ever wrote is zeros. Throws BOP_CORRUPT
   * or BOP_IO.
   */
  read(snapshot: Snapshot, pageNumber: PageNumber): Uint8Array;

  /**
   * A buffer for an image of a commit to come, its content anything: much cheaper than a fresh one.
   * It is the caller's until a commit with it is sealed; one that comes to nothing is just let go.
   */
  takeBuffer(pageBytes: number): Uint8Array;

  /** Images that a write transaction may keep in memory; beyond it they go to its `spill`. */
  readonly transactionMemoryBytes: number;

  /** A place on disk for pages of a commit to come that changes `base`, the newest. */
  spill(base: Snapshot, pageBytes: number): PageSpill;

  /**
   * Prepares a commit that changes `pages` of `base`, which must be the newest. Pages above
   * `pageCount` are gone after it. Throws what the log throws, and BOP_TRANSACTION_TOO_LARGE.
   */
  stage(change: PageSetChange): StagedCommit;
}

export interface Snapshot {
  readonly lsn: Lsn;
  /** Size of the database at that moment, in pages; 0 for an empty one. */
  readonly pageCount: number;
  /** Bytes of a page at that moment; 0 for an empty one. VACUUM may change it. */
  readonly pageBytes: number;
}

export interface PageSetChange {
  readonly base: Snapshot;
  readonly pageCount: number;
  readonly pageBytes: number;
  /** Whole new images, by page number. Ownership passes on `seal`. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
  /** Where the other changed pages are; one that is in `pages` too is there of old. */
  readonly spill?: PageSpill;
}

/** Pages of one write transaction on disk, nobody else's business before its commit is sealed. */
export interface PageSpill {
  /**
   * Takes copies of pages, in place of what it has of them. Throws BOP_DISK_FULL, BOP_IO or
   * BOP_TRANSACTION_TOO_LARGE; the transaction cannot be committed then.
   */
  put(pages: ReadonlyMap<number, Uint8Array>): void;
  /** The image of a page, good until the next call; undefined if it is not here. */
  get(pageNumber: number): Uint8Array | undefined;
  /** Makes what it has durable behind the caller's back, so that `stage` has little left to sync. */
  settle(): Promise<void>;
  /** Pages above are gone. */
  truncate(pageCount: number): void;
  /** A commit with it was sealed. */
  close(): void;
  /** Nothing came of it. Does nothing after `close`. */
  discard(): void;
}

export interface StagedCommit {
  /** Publishes the commit; returns its LSN. Cannot fail. */
  seal(): Lsn;
  /** Forgets it. */
  discard(): void;
}

/** A database as it was at one moment, for reading. Nobody stages on it. */
export interface FrozenSpace extends PageSpace {
  /** Gives the moment back, which may go then. Snapshots are unpinned before. Idempotent. */
  close(): void;
}
