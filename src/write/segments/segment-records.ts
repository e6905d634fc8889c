/** WHAT IS KNOWN OF SEGMENTS: what their store is given, and keeps of each. See segment-store.ts. */
import type { Driver, LogFile } from "../../base/driver.ts";
import type { Env } from "../../base/env.ts";
import type { Lsn, SegmentSequence } from "../../base/units.ts";
import { type CommitTrail, type SegmentState, segmentFileName } from "../../wal/index.ts";
import type { OperationWatch } from "../device/operation-watch.ts";
import type { HistorySegment } from "../history/history-segments.ts";
import type { LogLimits } from "../options.ts";

export interface SegmentStoreOptions {
  readonly env: Env;
  /** Opens the file that takes batches. */
  readonly driver: Driver;
  /** Of what is done to a file of the driver besides flushing. */
  readonly watch: OperationWatch;
  /** Where the segments lie. It exists. */
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly limits: LogLimits;
  /** Resolves when the manifest durably names the sequence. */
  readonly register: (sequence: SegmentSequence) => Promise<void>;
  /** Resolves when the manifest durably names them no longer, and those kept as history only. */
  readonly unregister: (
    sequences: readonly SegmentSequence[],
    kept: readonly HistorySegment[],
  ) => Promise<void>;
  /** Where commits lie, for the indexes of segments. */
  readonly trail: CommitTrail;
  /** Up to where the sink has the log; undefined in a store without one. See held-segments.ts (2). */
  readonly archivedLsn: Lsn | undefined;
  /** Log from here on waits for the sink; undefined likewise. */
  readonly shippedLsn: Lsn | undefined;
}

/** What recovery found. */
export interface FoundSegments {
  /** In order of use, each with its end; the newest ends where the next one taken begins. */
  readonly sealed: readonly {
    readonly sequence: number;
    readonly firstLsn: Lsn;
    readonly endLsn: Lsn | undefined;
    readonly createdMs: number;
  }[];
  readonly history: readonly HistorySegment[];
  readonly spares: readonly number[];
  /** The highest sequence registered; 0 in a new store. */
  readonly reserved: number;
}

export interface TakeOptions {
  readonly firstLsn: Lsn;
  readonly durableLsn: Lsn;
  /** Not before anything in the log. */
  readonly createdMs: number;
  /** Batches that the segment takes over, stamped for it; written and synced before its header. */
  readonly copied?: (sequence: number) => Uint8Array;
}

/** A segment as the store of them keeps it. */
export interface Segment {
  readonly sequence: number;
  readonly path: string;
  state: SegmentState;
  /** Open while it is free or active. */
  file: LogFile | undefined;
  /** Undefined while it is free. */
  firstLsn: Lsn | undefined;
  /** When it was taken into use. */
  createdMs: number;
  /** Where the next segment began; undefined for the newest. */
  endLsn: Lsn | undefined;
  /** It refused its index: no longer used once it is let go. */
  suspect: boolean;
}

export function segmentPath(directory: string, sequence: number): string {
  return `${directory}/${segmentFileName(sequence)}`;
}

/** One that holds nothing. */
export function freeSegment(directory: string, sequence: number): Segment {
  const path = segmentPath(directory, sequence);
  const nowhere = { file: undefined, firstLsn: undefined, endLsn: undefined };
  return { sequence, path, state: "free", ...nowhere, createdMs: 0, suspect: false };
}

/** A segment that may be read, as far as it is durable. */
export interface ReadableSegment {
  readonly sequence: number;
  readonly path: string;
  readonly firstLsn: Lsn;
  /** Undefined for one that may still grow. */
  readonly endLsn: Lsn | undefined;
  readonly createdMs: number;
}

/** The one that takes batches. */
export interface ActiveSegment {
  readonly sequence: number;
  readonly path: string;
  readonly file: LogFile;
  /** Where the next batch goes. */
  offset: number;
}
