/**
 * WHAT SHIPPING NEEDS OF LAYERS THAT IT DOES NOT KNOW, and what it gives to them.
 *
 *   shippedLsn    end of the log in the bucket, in whole batches. States of the manifest wait for it.
 *   remoteLsn     the promise: every commit up to here is in the bucket, wholly, and so is a state of
 *                 the manifest from which the log leads to it. Users wait for it.
 *   archivedLsn   what the log may let go as far as the sink is concerned: the `shippedLsn` that the
 *                 manifest here remembers, once there is such a state. What is let go cannot be
 *                 compared with the bucket any more, so it must be known to be in it.
 */
import type { Clock, Disposer, Random } from "../../base/env.ts";
import type { StorageError } from "../../base/errors.ts";
import type { ChunkId, Lsn } from "../../base/units.ts";
import type { Manifest } from "../../manifest/index.ts";
import type { ObjectStore, RequestCounts, RetryStats } from "../../sink/index.ts";
import type { SegmentIndexBuilder } from "../../wal/index.ts";
import type { ShippedBatch, SpilledChunk } from "../format/log-object.ts";
import type { Bucket } from "../lineage/bucket.ts";
import type { Lineage } from "../lineage/lineage.ts";

/** The log of write/, whose durable batches go to the bucket. */
export interface LogToShip {
  readonly durableLsn: Lsn;
  onDurable(listener: (durableLsn: Lsn) => void): Disposer;
  readonly shipping: {
    shippable(wanted: {
      readonly fromLsn: Lsn;
      readonly maxBytes: number;
      readonly floorLsn: Lsn;
    }): Promise<LocalRange | undefined>;
    shipped(lsn: Lsn): void;
    archived(lsn: Lsn): Promise<void>;
  };
}

export interface LocalRange {
  readonly range:
    | {
        readonly firstLsn: Lsn;
        readonly endLsn: Lsn;
        readonly batches: readonly ShippedBatch[];
        readonly streams: SegmentIndexBuilder;
        readonly spilled: readonly ChunkId[];
      }
    | undefined;
  readonly settledLsn: Lsn | undefined;
}

/** Ships states of the manifest, and the chunks that they name. */
export interface ManifestPump {
  /** A new epoch: the next round ships a base. The manifest remembers `wal()` when it resolves. */
  start(begin: PumpStart, signal?: AbortSignal): Promise<void>;
  isDue(nowMs: number): boolean;
  /** When a round may be due though nothing happens; undefined for never. */
  readonly nextDueMs: number | undefined;
  /** What the newest states are built on is damaged in the bucket: the next one needs none of it. */
  newBase(): void;
  /**
   * Ships one state; the manifest remembers the `wal()` of then or later. Rejects with what the store said, keeping its place: the next round goes on.
   * BOP_CORRUPT is a chunk on this disk that is not what was written.
   */
  round(signal?: AbortSignal): Promise<ShippedState>;
  /** Resolves when nothing is being deleted there, which no round waits for. Its signal ends that. */
  settled(): Promise<void>;
  /** Its file may go here: a state of this epoch that names it is in the bucket, and so is the chunk. */
  isSafe(chunk: ChunkId): boolean;
  /** A chunk that lies only in the bucket that this disk remembers; undefined if there is none. */
  onlyRemote(): Promise<ChunkId | undefined>;
  /** Uploads chunks that the log names, as far as they are not there. */
  ensureChunks(
    chunks: readonly ChunkId[],
    upToLsn: Lsn,
    signal?: AbortSignal,
  ): Promise<readonly SpilledChunk[]>;
}

export interface PumpStart {
  readonly bucket: Bucket;
  readonly epoch: number;
  readonly lineage: Lineage;
  /** No state with a lower checkpoint: the log before it is not in the bucket. */
  readonly checkpointLsnMin: Lsn;
  /**
   * Resolves when the bucket has the log up to an LSN that the manifest on this disk says is
   * durable. Rejects with the signal's reason.
   */
  shipped(lsn: Lsn, signal?: AbortSignal): Promise<void>;
  /** The newest log object; undefined if there is none. */
  wal(): WalPosition | undefined;
  /** A round may be due, though nobody else knows of a reason. */
  hasNews(): void;
}

export interface WalPosition {
  readonly epoch: number;
  readonly number: number;
  readonly endLsn: Lsn;
}

/** A whole state that is in the bucket. */
export interface ShippedState {
  readonly generation: number;
  readonly checkpointLsn: Lsn;
  readonly maxLsn: Lsn;
}

export interface FlushControllerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly storeId: Uint8Array;
  /** Repeats its calls by itself. It is not closed with the controller. */
  readonly store: ObjectStore;
  readonly requests: () => RequestCounts;
  readonly retries: () => RetryStats;
  readonly log: LogToShip;
  readonly manifest: Pick<Manifest, "opened" | "publish" | "nextSequence">;
  /** Resolves when the bucket is fit to be shipped to. Rejects if it is not. */
  readonly ready?: (signal: AbortSignal) => Promise<void>;
  readonly pump: ManifestPump;
  /** Of the newest checkpoint that the manifest durably has. */
  readonly checkpointLsn: () => Lsn;
  /** This disk was made of the bucket to go on with it, whoever writes there: see begin-epoch.ts. */
  readonly takesOver?: boolean;
  /** Log objects are at most about this large. */
  readonly flushBytes: number;
  /** The longest that something durable waits to be shipped while the sink answers. */
  readonly flushIntervalMs: number;
  /** After so long an epoch is followed by the next one, so that garbage can go. */
  readonly epochMs: number;
}

export type LostListener = (error: StorageError) => void;
