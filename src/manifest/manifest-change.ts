/** A CHANGE of the manifest in terms of what it holds: a batch is made of it (batch.ts). */
import type { ChunkId, Lsn, SegmentSequence, StreamId } from "../base/units.ts";
import type { ChangeLogRequest } from "./change-log/change-log-core.ts";
import type { JobRow } from "./job-state.ts";
import type { ChunkRow } from "./tables/chunks.ts";
import type { DatabaseRow } from "./tables/databases.ts";
import type { DeadLetterRow } from "./tables/dead-letters.ts";
import type { EpochRow } from "./tables/epochs.ts";
import type { HistoryRow } from "./tables/history.ts";
import type { LostWindowRow } from "./tables/lost-windows.ts";
import type { MapVersionKey, MapVersionRow } from "./tables/map-versions.ts";
import type { MapRowChange, MapRowKey } from "./tables/page-map.ts";
import type { RecordLogRow } from "./tables/record-logs.ts";
import type { RemoteChainKey, RemoteChainRow } from "./tables/remote-chains.ts";
import type { RemoteChunkRow } from "./tables/remote-chunks.ts";
import type { RemoteGarbageRow } from "./tables/remote-garbage.ts";
import type { ScrubKey, ScrubRow } from "./tables/scrubs.ts";
import type { ShippingRow } from "./tables/shipping.ts";
import type { SnapshotKey, SnapshotRow } from "./tables/snapshots.ts";

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
