/**
 * WHAT EXISTS: databases, record logs, the page map, chunks, segments, and how far the log has been
 * folded into them.
 *
 * It is over 400 lines because every row there is has its type here, and nothing else does.
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
  /** A sequence for a dead letter, which nothing has had since the manifest was opened. */
  nextSequence(): number;
  /** A component has done its part up to a generation. */
  advance(component: string, generation: number): Promise<void>;
  /**
   * Resolves when the watermark of a component is at or above a generation. That of `manifest` is
   * what is durable, that of `checkpoint` the newest checkpoint. Throws BOP_TIMEOUT and BOP_CLOSED.
   */
  waitFor(component: string, generation: number, options?: WaitOptions): Promise<void>;
  /**
   * The newest version at or below an LSN of the row of pages `rowIndex * 512 + 1 …`; undefined if
   * there is none.
   */
  mapRow(stream: StreamId, rowIndex: number, atMost: Lsn): MapRow | undefined;
  /** All versions of a row, oldest first. */
  mapRowVersions(stream: StreamId, rowIndex: number): MapRowChange[];
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
  readonly mapVersions: readonly MapVersionRow[];
  readonly snapshots: readonly SnapshotRow[];
  /** Segments that may hold log above the checkpoint, or are spare. Registered before use. */
  readonly segments: readonly SegmentSequence[];
  /** Segments of which nothing lies above the checkpoint, kept for moments of the past; in order. */
  readonly history: readonly HistoryRow[];
  readonly jobs: readonly JobRow[];
  /** What is known of the bucket; nothing in a store that never shipped. */
  readonly shipping: ShippingRow | undefined;
  readonly epochs: readonly EpochRow[];
  readonly remoteChunks: readonly RemoteChunkRow[];
  readonly remoteGarbage: readonly RemoteGarbageRow[];
  readonly remoteChains: readonly RemoteChainRow[];
  /** In order of their epochs. */
  readonly lostWindows: readonly LostWindowRow[];
  /** What waits for somebody's decision, on this disk. */
  readonly deadLetters: readonly DeadLetterRow[];
  readonly scrubs: readonly ScrubRow[];
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
  /** LSN of the entry since which others see it; 0 if that was before schema 3. */
  readonly createdLsn: Lsn;
  /** Root of the family: its own stream if it is no fork. Records of its pages bear it. */
  readonly family: StreamId;
  /** Where it was forked from. Stays when it reads nothing through its origin any more. */
  readonly origin?: Moment;
  /** It reads nothing through its origin. True for what is no fork. */
  readonly flat: boolean;
  /** LSN of the frame that dropped it; the tombstone stays while the log or a pin needs it. */
  readonly droppedLsn?: Lsn;
}

/** A database at an LSN. */
export interface Moment {
  readonly stream: StreamId;
  readonly lsn: Lsn;
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
   * Locations that the newest versions of page maps name in it; of a chunk of records its entries in
   * use. A hint for what is worth rewriting.
   */
  readonly livePages: number;
  /**
   * Locations that all rows of the page map name in it, of every stream and version: forks and
   * versions may name a page many times. Of a chunk of records 1. At 0 the row goes.
   */
  readonly references: number;
}

/** The state of the page map of one database at one LSN, its station. */
export interface MapVersionRow {
  /** 0: a checkpoint of the whole store, of which only `lsn` and `createdAtMs` count. */
  readonly stream: StreamId;
  readonly lsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
  /** Newest commit of the stream at or below `lsn`. */
  readonly commitLsn: Lsn;
  readonly createdAtMs: number;
  /** Indexes of rows that this version wrote, sorted; none for the oldest version there is. */
  readonly changedRows: readonly number[];
}

export interface MapVersionKey {
  readonly stream: StreamId;
  readonly lsn: Lsn;
}

/** A moment that is kept under a name. */
export interface SnapshotRow {
  /** 0: of every database that there was at the moment. */
  readonly stream: StreamId;
  readonly name: string;
  /** The moment: durable before the row is written. */
  readonly lsn: Lsn;
  readonly createdAtMs: number;
}

export interface SnapshotKey {
  readonly stream: StreamId;
  readonly name: string;
}

/** A segment of the log that no recovery reads any more. */
export interface HistoryRow {
  readonly sequence: SegmentSequence;
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
  /** When it was taken into use: nothing in the segments before it is newer. */
  readonly createdAtMs: number;
  readonly fileBytes: number;
  /** Its batches lie in a file of their size, not in the one that they were written to. */
  readonly isCopy: boolean;
}

/** How far the store has come in its bucket. See tables/shipping.ts. */
export interface ShippingRow {
  /** Which bucket it is: what is known of another one is of no use here. */
  readonly bucket: string;
  readonly epoch: number;
  /** Next numbers of that epoch. */
  readonly walNumber: number;
  readonly manifestNumber: number;
  readonly shippedLsn: Lsn;
  readonly shippedGeneration: number;
  /** Every epoch below is fenced. */
  readonly fencedBelow: number;
  readonly atMs: number;
  /** The disk was made of what the row says, and has shipped no state of its own since. */
  readonly restored: boolean;
}

/** A writer that had the bucket, and where its part of the log begins. */
export interface EpochRow {
  readonly epoch: number;
  readonly startLsn: Lsn;
  readonly claimedAtMs: number;
}

/** A chunk that lies in the bucket. See tables/remote-chunks.ts. */
export interface RemoteChunkRow {
  readonly chunk: ChunkId;
  /** Of its key. */
  readonly epoch: number;
  readonly fileBytes: number;
  readonly bornGeneration: number;
  /** LSN up to which the log may name it; 0 if only the page map does. */
  readonly namedLsn: Lsn;
}

/** Objects of the bucket that nothing will name again. See tables/remote-garbage.ts. */
export interface RemoteGarbageRow {
  readonly key: string;
  readonly state: "unreferenced" | "announced" | "orphaned";
  readonly count: number;
  readonly bytes: number;
  readonly bornGeneration: number;
  readonly goneGeneration: number;
}

export interface RemoteChainKey {
  readonly epoch: number;
  readonly number: number;
}

/** A state of the manifest that lies in the bucket. */
export interface RemoteState {
  readonly generation: number;
  readonly checkpointLsn: Lsn;
  /** No row of it names a higher LSN. */
  readonly maxLsn: Lsn;
  readonly wallMs: number;
  /** Objects of the log before this one end at or below `walLsn`. */
  readonly walEpoch: number;
  readonly walNumber: number;
  readonly walLsn: Lsn;
}

/** A base and its batches. See tables/remote-chains.ts. */
export interface RemoteChainRow extends RemoteChainKey {
  readonly wholeNumber: number;
  readonly lastNumber: number;
  readonly bytes: number;
  readonly first: RemoteState;
  readonly last: RemoteState;
}

/** What could not be done, and waits until somebody decides. See tables/dead-letters.ts. */
export interface DeadLetterRow {
  readonly sequence: number;
  /** `batch`: of the journal. The others: kinds of what is shipped. */
  readonly kind: "batch" | "log" | "chunk" | "manifest";
  readonly atMs: number;
  readonly attempts: number;
  /** What it was about, as the name of an object. */
  readonly subject: string;
  readonly reason: string;
  /** What waits behind it, as far as it was known when it was refused. */
  readonly bytes: number;
  /** What is needed to try again, in a format of the kind's own. */
  readonly body: Uint8Array;
}

/** A part of the log that the bucket never got. See tables/lost-windows.ts. */
export interface LostWindowRow {
  /** The first epoch that the bucket has behind the window; the newest before it. */
  readonly epoch: number;
  readonly epochBefore: number;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  readonly discardedAtMs: number;
  /** Sequence of the dead letter that was discarded, and what it said. */
  readonly letter: number;
  readonly reason: string;
}

export interface ScrubKey {
  /** A pass over this disk, one over the bucket, or a database that was restored to try it. */
  readonly part: "local" | "remote" | "database";
  /** 0 unless it is a database. */
  readonly stream: StreamId;
}

/** When something was read again last, and what came of it. See tables/scrubs.ts. */
export interface ScrubRow extends ScrubKey {
  /** End of the last try without a problem; 0 if there is none. */
  readonly lastGoodMs: number;
  readonly lastTriedMs: number;
  /** Read by the last try. */
  readonly bytes: number;
  /** Of the last try; empty if it had none. */
  readonly problem: string;
  /** What is needed to go on, in a format of the part's own. */
  readonly body: Uint8Array;
}

/** Everything is optional; what is absent stays as it is. */
export interface ManifestChange {
  readonly checkpointLsn?: Lsn;
  readonly catalogueLsn?: Lsn;
  readonly durableLsn?: Lsn;
  readonly nextStreamId?: StreamId;
  readonly nextChunkId?: ChunkId;
  readonly putDatabases?: readonly DatabaseRow[];
  /** Removes the rows of these databases, their page maps with all versions, their snapshots. */
  readonly removeDatabases?: readonly StreamId[];
  readonly putRecordLogs?: readonly RecordLogRow[];
  readonly removeRecordLogs?: readonly StreamId[];
  readonly putMapRows?: readonly MapRowChange[];
  readonly removeMapRows?: readonly MapRowKey[];
  readonly putMapVersions?: readonly MapVersionRow[];
  readonly removeMapVersions?: readonly MapVersionKey[];
  readonly putSnapshots?: readonly SnapshotRow[];
  readonly removeSnapshots?: readonly SnapshotKey[];
  readonly putChunks?: readonly ChunkRow[];
  readonly removeChunks?: readonly ChunkId[];
  readonly addSegments?: readonly SegmentSequence[];
  readonly removeSegments?: readonly SegmentSequence[];
  readonly putHistory?: readonly HistoryRow[];
  readonly removeHistory?: readonly SegmentSequence[];
  readonly putShipping?: ShippingRow;
  readonly putEpochs?: readonly EpochRow[];
  readonly removeEpochs?: readonly number[];
  readonly putRemoteChunks?: readonly RemoteChunkRow[];
  readonly removeRemoteChunks?: readonly ChunkId[];
  readonly putRemoteGarbage?: readonly RemoteGarbageRow[];
  readonly removeRemoteGarbage?: readonly string[];
  readonly putRemoteChains?: readonly RemoteChainRow[];
  readonly removeRemoteChains?: readonly RemoteChainKey[];
  readonly putLostWindows?: readonly LostWindowRow[];
  /** By epoch. */
  readonly removeLostWindows?: readonly number[];
  readonly putDeadLetters?: readonly DeadLetterRow[];
  /** By sequence. */
  readonly removeDeadLetters?: readonly number[];
  readonly putScrubs?: readonly ScrubRow[];
  readonly removeScrubs?: readonly ScrubKey[];
  readonly clean?: boolean;
  readonly putJobs?: readonly JobRow[];
  /** Records, acknowledgements and cursors that go with it. */
  readonly changeLog?: ChangeLogRequest;
}

export interface MapRowKey {
  readonly stream: StreamId;
  readonly rowIndex: number;
  /** From here on, up to the next version of the row. */
  readonly fromLsn: Lsn;
}

/** A version of a row of the page map. */
export interface MapRow {
  readonly fromLsn: Lsn;
  /**
   * 512 locations (see page-store/location.ts); 0 for a page that has none. One of zeros alone hides
   * an older version, or the row of an origin; where there is neither, it need not be stored.
   */
  readonly locations: Float64Array;
}

export interface MapRowChange extends MapRowKey, MapRow {}
