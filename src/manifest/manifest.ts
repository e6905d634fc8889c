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
import type { ChangeLog } from "./change-log/change-log.ts";
import type { Batch, Receipt } from "./commit/batch.ts";
import type { WaitOptions } from "./commit/generations.ts";
import type { JournalStats } from "./commit/journal.ts";
import type { JobRow } from "./job-state.ts";
import type { ManifestChange } from "./manifest-change.ts";
import type { Operation } from "./rows/table.ts";
import type { ChunkRow } from "./tables/chunks.ts";
import type { DatabaseRow } from "./tables/databases.ts";
import type { DeadLetterRow } from "./tables/dead-letters.ts";
import type { EpochRow } from "./tables/epochs.ts";
import type { HistoryRow } from "./tables/history.ts";
import type { LostWindowRow } from "./tables/lost-windows.ts";
import type { MapVersionRow } from "./tables/map-versions.ts";
import type { MapRow, MapRowChange } from "./tables/page-map.ts";
import type { RecordLogRow } from "./tables/record-logs.ts";
import type { RemoteChainRow } from "./tables/remote-chains.ts";
import type { RemoteChunkRow } from "./tables/remote-chunks.ts";
import type { RemoteGarbageRow } from "./tables/remote-garbage.ts";
import type { ScrubRow } from "./tables/scrubs.ts";
import type { ShippingRow } from "./tables/shipping.ts";
import type { SnapshotRow } from "./tables/snapshots.ts";

export interface Manifest {
  readonly generation: number;
  /** First stream that was never given out, as of the newest commit. */
  readonly nextStreamId: StreamId;
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
