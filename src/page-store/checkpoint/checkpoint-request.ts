/** WHAT A CHECKPOINT IS ASKED FOR, and what it answers. */
import type { Lsn, StreamId } from "../../base/units.ts";
import type { CheckpointParticipant } from "./shares.ts";

export interface CheckpointRequest {
  /**
   * Called once, when the checkpoint begins (after one that runs has ended): tombstones that go with
   * it, since their databases were dropped at or below its LSN.
   */
  readonly removable: (lsn: Lsn) => readonly StreamId[];
  /** Resolves when the manifest has the catalogue as of the LSN, which is durable. */
  readonly beforePublish: (lsn: Lsn) => Promise<void>;
  /** Who else has something in the log that is to be let go. */
  readonly participants?: readonly CheckpointParticipant[];
  /** What they will write, at most. */
  readonly participantBytes?: number;
  /** Called when the manifest is durable: writes the superblock. */
  readonly superblock: (published: PublishedFacts) => Promise<void>;
}

export interface PublishedFacts {
  readonly generation: number;
  readonly checkpointLsn: Lsn;
  readonly durableLsn: Lsn;
}

export interface CheckpointResult extends PublishedFacts {
  /** The log at or below it is needed by nobody: `log.release` may have it. */
  readonly releaseLsn: Lsn;
  readonly pages: number;
  /** Of the files that it wrote pages to. */
  readonly bytes: number;
  readonly compactedChunks: number;
  /** Another checkpoint would compact more. */
  readonly isCut: boolean;
}
