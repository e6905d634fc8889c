/**
 * WHAT IT TAKES TO CHECK A LOG: where it lies, and what is known of it before anything is read. Whoever
 * looks at the files (survey, holes, walk, remains) judges them by it.
 */
import type { Env } from "../../base/env.ts";
import type { Lsn, SegmentSequence } from "../../base/units.ts";
import type { HistorySegment } from "../history/history-segments.ts";
import type { SegmentArchive } from "./archive.ts";

export interface CheckOptions {
  readonly env: Env;
  /** Where the segments lie; created if absent. */
  readonly directory: string;
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  /** What the manifest names; empty in a new store. */
  readonly registered: readonly SegmentSequence[];
  /** Segments that the manifest names as history. They are not looked at. Default: none. */
  readonly history?: readonly HistorySegment[];
  /** Commits at or below it are not handed out. 0 in a new store. */
  readonly checkpointLsn: Lsn;
  /** Highest LSN that manifest or superblock know to be durable. */
  readonly durableFloorLsn: Lsn;
  /** Told now and then how much of the log has been checked. */
  readonly onProgress?: (progress: RecoveryProgress) => void;
  /** Where copies of sealed segments lie, if anywhere. */
  readonly archive?: SegmentArchive;
}

export interface RecoveryProgress {
  readonly doneBytes: number;
  /** At most this: where the log ends is known when it has been read. */
  readonly totalBytes: number;
}
