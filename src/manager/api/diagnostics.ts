/** FACTS ABOUT A STORE as users see them: plain and serialisable. */
import type { PageCacheStats } from "../../page-cache/index.ts";
import type { ChangeLogFacts } from "../changes/change.ts";
import type { CheckpointFacts } from "../checkpoints/checkpoint-plan.ts";
import type { OldestReader } from "../queries/readers.ts";
import type { ScrubFacts } from "../scrub/scrub.ts";
import type { ResidencyFacts } from "../shipping/residency-facts.ts";
import type { SinkFacts } from "../shipping/sink-facts.ts";

/** Plain, serialisable facts about a store. */
export interface Diagnostics {
  readonly directory: string;
  readonly storeId: string;
  readonly state: "open" | "read-only" | "closing" | "closed";
  readonly openedAt: Date;
  /** The owner before this one ended without closing. */
  readonly recoveredFromCrash: boolean;
  readonly replayedCommits: number;
  readonly owner: {
    /** How the owner before this one ended. */
    readonly lastStop: "first-open" | "clean" | "crash";
    /** How often the store was opened, and how many of its owners ended without closing it. */
    readonly openCount: number;
    readonly crashCount: number;
  };
  readonly databases: {
    readonly known: number;
    readonly open: number;
    /** Those with the most pages that changed since the last checkpoint, at most ten. */
    readonly busiest: readonly {
      readonly name: string;
      readonly changedPages: number;
      /** From its oldest such change to the end of the log. */
      readonly logBytes: number;
    }[];
  };
  readonly log: {
    readonly newestLsn: number;
    readonly durableLsn: number;
    readonly checkpointLsn: number;
    readonly commits: number;
    readonly flushes: number;
    readonly frameBytes: number;
    readonly writtenBytes: number;
    readonly segments: number;
    readonly failedFlushes: number;
    /** Segments that hold log which no checkpoint has let go. */
    readonly inflightSegments: number;
    /** What waits in memory for the device. */
    readonly backlogBytes: number;
    /** An operation that has not come back for `limits.writeTimeoutMs` or more; it is waited for. */
    readonly hung:
      | { readonly operation: string; readonly file: string; readonly sinceMs: number }
      | undefined;
    /** How far the log has come: archived ≤ durable ≤ written ≤ reserved. */
    readonly marks: LogMarks;
    /** Segments that hold log which somebody may need, oldest first. */
    readonly inflight: readonly {
      readonly sequence: number;
      readonly state: string;
      readonly marks: LogMarks;
    }[];
    /** Databases and record logs that hold the oldest log, oldest first, at most ten. */
    readonly pinned: readonly PinnedLog[];
    /** Databases whose commits recovery has found and not replayed yet. */
    readonly waitingDatabases: number;
    /** The past that forks can begin in: from here on, up to now. */
    readonly history: {
      readonly fromLsn: number;
      /** When that was, or some time before. */
      readonly fromTime: Date;
      /** On disk, of segments that are kept for this alone. */
      readonly bytes: number;
      readonly segments: number;
    };
  };
  /** How the log is written. */
  readonly io: {
    readonly kind: "standard" | "direct" | "simulated";
    /** Who carries asynchronous calls: libuv's threads, or the kernel's own queue. */
    readonly backend: "threads" | "io_uring";
    /** Why it is not "direct", if that was not asked for by name. */
    readonly fallback: string | undefined;
    readonly blockBytes: number;
  };
  /** What the operator should know of this machine: see docs/platforms.md. */
  readonly warnings: readonly string[];
  readonly pages: {
    readonly overlayBytes: number;
    /** Files that large transactions wrote and no checkpoint has taken over yet. */
    readonly spilledBytes: number;
    /** Transactions that were too large for `transactionMemoryBytes`. */
    readonly spilledCommits: number;
    /** Memory of rows of page maps: 4 KiB for the places of 512 pages. */
    readonly mapBytes: number;
    readonly cacheBytes: number;
    readonly cacheHits: number;
    readonly cacheMisses: number;
    /** What is in the page cache, what goes through it, and what is read ahead into it. */
    readonly cache: PageCacheStats;
    readonly chunks: number;
    readonly chunkBytes: number;
    /** Bytes of chunks per byte of pages in them that can be reached, at least: see docs/space.md. */
    readonly spaceAmplification: number;
    readonly checkpoints: number;
    /** What the last one did, and why it ran; undefined before the first since the store was opened. */
    readonly lastCheckpoint: CheckpointFacts | undefined;
    /** Why the last one failed; undefined once one has succeeded. It is tried again by itself. */
    readonly checkpointFailure: string | undefined;
    /** Of `overlayBytes`, what the last checkpoint had to keep, since readers see it. */
    readonly heldBytes: number;
    readonly openSnapshots: number;
    /** Of iterators and transactions that only read, the one that has been open the longest. */
    readonly oldestReader: OldestReader | undefined;
    /** Readers that were ended since they were older than `maxReaderAgeMs`. */
    readonly endedReaders: number;
  };
  readonly manifest: {
    /** Counts its commits, over all openings of the store. */
    readonly generation: number;
    /** Commits since it was opened, the batches that shared them, and the most that one had. */
    readonly commits: number;
    readonly batches: number;
    readonly batchesMax: number;
    /** Batches that broke an invariant or met a damaged row: each is a bug, or damage. */
    readonly refused: number;
    /** Batches that were accepted and are to take place, and what became of earlier ones. */
    readonly journal: {
      readonly entries: number;
      readonly bytes: number;
      readonly oldestMs: number;
      /** Entries that the last process had left. */
      readonly replayed: number;
      readonly applied: number;
      /** Entries that could not take place: see docs/manifest.md. */
      readonly dead: number;
    };
    /** Rows by table. */
    readonly rows: Readonly<Record<string, number>>;
    /** Generations up to which components have done their part. */
    readonly watermarks: Readonly<Record<string, number>>;
  };
  /** The file from which a manifest that is lost is made again. */
  readonly mirror: {
    /** Nothing is missing from it. If not, the next checkpoint writes it anew. */
    readonly current: boolean;
    readonly bytes: number;
    readonly bases: number;
    readonly failures: number;
    readonly lastFailure: string | undefined;
    /** Transactions that read the manifest now, and by how many commits the oldest lags. */
    readonly readers: number;
    readonly readerLagMax: number;
  };
  readonly changes: ChangeLogFacts;
  /** Where it is shipped, and how far; undefined without a sink. */
  readonly sink: SinkFacts | undefined;
  /** What of the checkpointed data is on this disk; undefined where all of it has to be. */
  readonly residency: ResidencyFacts | undefined;
  /** What was read again to see whether it is still what was written. */
  readonly scrub: ScrubFacts;
  readonly recordLogs: {
    readonly known: number;
    /** Memory of entries that were appended since the last checkpoint. */
    readonly unstoredBytes: number;
    /** Memory of entries that lie in chunks too. */
    readonly cachedBytes: number;
    readonly chunks: number;
    readonly chunkBytes: number;
    /** Blocks that were read from chunks, since memory had them no more. */
    readonly blocksRead: number;
  };
  /** The last unexpected failure of work that nobody waited for. */
  readonly lastFault: FaultContext | undefined;
}

export interface LogMarks {
  readonly reservedLsn: number;
  readonly writtenLsn: number;
  readonly durableLsn: number;
  readonly archivedLsn: number;
}

/** A database with commits that no checkpoint has folded: the log behind `fromLsn` is kept for it. */
export interface PinnedLog {
  readonly kind: "database" | "record-log";
  readonly name: string;
  readonly fromLsn: number;
  /** From there to the end of the log. The next checkpoint lets all of it go. */
  readonly bytes: number;
}

export interface FaultContext {
  /** The error's code, or its class. */
  readonly kind: string;
  readonly where: string;
  readonly message: string;
  readonly stack: string;
  /** Where in the source it was thrown: file, line and column. */
  readonly location: string;
  readonly at: Date;
  /** Faults since the store was opened. */
  readonly count: number;
}
