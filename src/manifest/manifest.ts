/**
 * WHAT EXISTS: databases, record logs, the page map, chunks, segments, and how far the log has been
 * folded into them.
 *
 * (1) The manifest is the state of the store as of `checkpointLsn`; the log above that LSN, stream 0
 *     included, is what has happened since. No row names an LSN that is not durable.
 * (2) A batch takes place wholly or not at all. Batches that wait together share a commit; the
 *     generation counts commits.
 * (3) Every value carries a checksum and the generation that wrote it. A value that fails its
 *     checksum is BOP_CORRUPT, never a guess.
 */
import type { ChunkId, Lsn, SegmentSequence, StreamId } from "../base/units.ts";
import type { Batch, Receipt } from "./batch.ts";
import type { ChangeLog } from "./change-log.ts";
import type { ChangeLogRequest } from "./change-log-core.ts";
import type { WaitOptions } from "./generations.ts";
import type { JobRow } from "./job-state.ts";
import type { JournalStats } from "./journal.ts";
import type { Operation } from "./table.ts";

export interface Manifest {
  readonly generation: number;
  /** What was there when it was opened. */
  readonly opened: ManifestState;
  readonly changeLog: ChangeLog;

  readonly stats: ManifestStats;

  /**
   * The batch takes place wholly or not at all, behind those submitted before, in one commit with
   * others that wait. Resolves when it survives a power cut.
   */
  submit(batch: Batch): Promise<Receipt>;
  /** A change as a batch; resolves with the generation of its commit. */
  publish(change: ManifestChange): Promise<number>;
  /**
   * Resolves when the operations survive a crash; they take place soon after, in order, exactly once:
   * at the next start at the latest, before anything is served. For what nobody waits to see, as
   * tidying up: what is put here must not be put otherwise meanwhile. Throws BOP_BACKPRESSURE.
   */
  enqueue(operations: readonly Operation[]): Promise<void>;
  /** A component has done its part up to a generation. */
  advance(component: string, generation: number): Promise<void>;
  /**
   * Resolves when the watermark of a component is at or above a generation. That of `manifest` is
   * what is durable, that of `checkpoint` the newest checkpoint. Throws BOP_TIMEOUT and BOP_CLOSED.
   */
  waitFor(component: string, generation: number, options?: WaitOptions): Promise<void>;
  /** Locations of pages `rowIndex * 512 + 1 …`, 512 of them; undefined if there is no such row. */
  mapRow(stream: StreamId, rowIndex: number): Float64Array | undefined;
  close(): Promise<void>;
}

export interface ManifestStats {
  readonly generation: number;
  /** Commits since it was opened, the batches in them, and the most that one had. */
  readonly commits: number;
  readonly batches: number;
  readonly batchesMax: number;
  /** Batches that broke an invariant, or met a damaged row. */
  readonly refused: number;
  readonly journal: JournalStats;
  readonly watermarks: Readonly<Record<string, number>>;
  /** Calls of `waitFor` that have not ended. */
  readonly waiting: number;
  readonly rows: Readonly<Record<string, number>>;
}

/** Pages in one row of the page map. */
export const MAP_ROW_PAGES = 512;

export interface ManifestState {
  readonly storeId: Uint8Array;
  readonly checkpointLsn: Lsn;
  /** Entries of stream 0 up to here are in the rows of databases. At or above the checkpoint. */
  readonly catalogueLsn: Lsn;
  /** An LSN known to be durable when the manifest was last written. */
  readonly durableLsn: Lsn;
  readonly nextStreamId: StreamId;
  readonly nextChunkId: ChunkId;
  readonly databases: readonly DatabaseRow[];
  readonly recordLogs: readonly RecordLogRow[];
  readonly chunks: readonly ChunkRow[];
  /** Segments that may hold log above the checkpoint, or are spare. Registered before use. */
  readonly segments: readonly SegmentSequence[];
  readonly jobs: readonly JobRow[];
  /** The store was closed properly by its last owner. */
  readonly clean: boolean;
}

export interface DatabaseRow {
  readonly stream: StreamId;
  /** `importing` ones are removed when a store opens; a `dropped` one is a tombstone. */
  readonly state: "live" | "importing" | "dropped";
  readonly name: string;
  readonly engine: "sqlite" | "libsql";
  readonly pageBytes: number;
  /** As of `checkpointLsn`; 0 for a database without a checkpointed page. */
  readonly pageCount: number;
  /** LSN of its newest commit at or below `checkpointLsn`. */
  readonly lsn: Lsn;
  readonly createdAtMs: number;
  /** LSN of the frame that dropped it; the tombstone goes when the log below is released. */
  readonly droppedLsn?: Lsn;
}

export interface RecordLogRow {
  readonly stream: StreamId;
  /** A `dropped` one is a tombstone. */
  readonly state: "live" | "dropped";
  /** Names of record logs and names of databases do not meet. */
  readonly name: string;
  readonly createdAtMs: number;
  /** LSN of its newest commit that `body` knows of. */
  readonly lsn: Lsn;
  readonly droppedLsn?: Lsn;
  /** What was checkpointed of it, in the record log's own format. */
  readonly body: Uint8Array;
}

export interface ChunkRow {
  readonly chunk: ChunkId;
  readonly kind: "pages" | "records";
  readonly fileBytes: number;
  readonly pageCount: number;
  /**
   * Pages that the newest page map names; of a chunk of records 1 if its log names it. At 0 the chunk
   * can go once no reader needs it.
   */
  readonly livePages: number;
  /** Snapshots and forks that hold on to it: while there are any it stays. Absent for none. */
  readonly references?: number;
}

/** Everything is optional; what is absent stays as it is. */
export interface ManifestChange {
  readonly checkpointLsn?: Lsn;
  readonly catalogueLsn?: Lsn;
  readonly durableLsn?: Lsn;
  readonly nextStreamId?: StreamId;
  readonly nextChunkId?: ChunkId;
  readonly putDatabases?: readonly DatabaseRow[];
  /** Removes the rows of these databases and their page maps. */
  readonly removeDatabases?: readonly StreamId[];
  readonly putRecordLogs?: readonly RecordLogRow[];
  readonly removeRecordLogs?: readonly StreamId[];
  readonly putMapRows?: readonly MapRowChange[];
  readonly putChunks?: readonly ChunkRow[];
  readonly removeChunks?: readonly ChunkId[];
  readonly addSegments?: readonly SegmentSequence[];
  readonly removeSegments?: readonly SegmentSequence[];
  readonly clean?: boolean;
  readonly putJobs?: readonly JobRow[];
  /** Records, acknowledgements and cursors that go with it. */
  readonly changeLog?: ChangeLogRequest;
}

export interface MapRowChange {
  readonly stream: StreamId;
  readonly rowIndex: number;
  /** 512 locations (see page-store/location.ts); 0 for a page that has none. All zero: removed. */
  readonly locations: Float64Array;
}
