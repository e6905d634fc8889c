/**
 * WHAT EXISTS: databases, the page map, chunks, segments, and how far the log has been folded into
 * them. First cut: one commit for each checkpoint, one for each new segment.
 *
 * (1) The manifest is the state of the store as of `checkpointLsn`; the log above that LSN, stream 0
 *     included, is what has happened since. No row names an LSN that is not durable.
 * (2) `publish` changes everything or nothing; its generation grows by one for each.
 * (3) Every value carries a checksum and the generation that wrote it. A value that fails its
 *     checksum is BOP_CORRUPT, never a guess.
 */
import type { ChunkId, Lsn, SegmentSequence, StreamId } from "../base/units.ts";

export interface Manifest {
  readonly generation: number;
  /** What was there when it was opened. */
  readonly opened: ManifestState;

  /** Resolves with the new generation when the change survives a power cut. One at a time. */
  publish(change: ManifestChange): Promise<number>;
  /** Locations of pages `rowIndex * 512 + 1 …`, 512 of them; undefined if there is no such row. */
  mapRow(stream: StreamId, rowIndex: number): Float64Array | undefined;
  close(): Promise<void>;
}

/** Pages in one row of the page map. */
export const MAP_ROW_PAGES = 512;

export interface ManifestState {
  readonly storeId: Uint8Array;
  readonly checkpointLsn: Lsn;
  /** An LSN known to be durable when the manifest was last written. */
  readonly durableLsn: Lsn;
  readonly nextStreamId: StreamId;
  readonly nextChunkId: ChunkId;
  readonly databases: readonly DatabaseRow[];
  readonly chunks: readonly ChunkRow[];
  /** Segments that may hold log above the checkpoint, or are spare. Registered before use. */
  readonly segments: readonly SegmentSequence[];
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

export interface ChunkRow {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
  readonly pageCount: number;
  /** Pages that the newest page map names. At 0 the chunk can go once no reader needs it. */
  readonly livePages: number;
}

/** Everything is optional; what is absent stays as it is. */
export interface ManifestChange {
  readonly checkpointLsn?: Lsn;
  readonly durableLsn?: Lsn;
  readonly nextStreamId?: StreamId;
  readonly nextChunkId?: ChunkId;
  readonly putDatabases?: readonly DatabaseRow[];
  /** Removes the rows of these databases and their page maps. */
  readonly removeDatabases?: readonly StreamId[];
  readonly putMapRows?: readonly MapRowChange[];
  readonly putChunks?: readonly ChunkRow[];
  readonly removeChunks?: readonly ChunkId[];
  readonly addSegments?: readonly SegmentSequence[];
  readonly removeSegments?: readonly SegmentSequence[];
  readonly clean?: boolean;
}

export interface MapRowChange {
  readonly stream: StreamId;
  readonly rowIndex: number;
  /** 512 locations (see page-store/location.ts); 0 for a page that has none. All zero: removed. */
  readonly locations: Float64Array;
}
