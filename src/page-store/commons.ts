/**
 * WHAT THE DATABASES OF A STORE SHARE: the log, memory, chunk files, and the marks of the checkpoint
 * that runs.
 *
 * (1) `deltaFloorLsn` is the LSN of the newest checkpoint that was begun, finished or not. No delta
 *     has a base at or below it, so the log above a checkpoint can be replayed on its own.
 * (2) While a checkpoint is being written, `heldLsn` is its LSN, and overlays keep what it writes.
 * (3) `spillers` are the commits that spilled, of each database that has any: snapshots may read from
 *     their chunks without asking a map.
 */
import { present } from "../base/assert.ts";
import type { Clock } from "../base/env.ts";
import type { Lsn, StreamId } from "../base/units.ts";
import type { MapRow } from "../manifest/index.ts";
import type { PageCache } from "../page-cache/index.ts";
import type { Log } from "../write/index.ts";
import type { ChunkFiles } from "./chunks/chunk-files.ts";
import { ReadAhead } from "./chunks/read-ahead.ts";
import type { RowShelf } from "./maps/row-shelf.ts";
import type { Residency } from "./residency/residency.ts";
import type { SpillGround } from "./spill/spill.ts";
import type { SpillShelf } from "./spill/spill-shelf.ts";
import type { SpilledCommits } from "./spill/spilled.ts";
import type { PageBuffers } from "./versions/buffers.ts";
import { Staging } from "./versions/staging.ts";
import { Sweeper } from "./versions/sweeper.ts";

export type LoadRow = (stream: StreamId, rowIndex: number, atMost: Lsn) => MapRow | undefined;

export interface CommonParts {
  readonly clock: Clock;
  readonly buffers: PageBuffers;
  readonly cache: PageCache;
  readonly files: ChunkFiles;
  readonly rows: RowShelf;
  readonly loadRow: LoadRow;
  readonly nameOf: (stream: StreamId) => string | undefined;
  readonly maxTransactionBytes: number;
  readonly deltasMax: number;
  readonly transactionMemoryBytes: number;
  readonly spillGround: SpillGround;
  readonly shelf: SpillShelf;
  readonly residency: Residency;
  /** Checkpoints make a map of every commit that spilled: the log has not got its pages. */
  readonly keepsHistory: boolean;
  readonly checkpointLsn: Lsn;
}

export class Commons {
  readonly buffers: PageBuffers;
  readonly cache: PageCache;
  readonly files: ChunkFiles;
  readonly rows: RowShelf;
  readonly loadRow: LoadRow;
  readonly nameOf: (stream: StreamId) => string | undefined;
  readonly maxTransactionBytes: number;
  readonly deltasMax: number;
  readonly transactionMemoryBytes: number;
  readonly spillGround: SpillGround;
  readonly shelf: SpillShelf;
  readonly residency: Residency;
  readonly keepsHistory: boolean;
  readonly readAhead: ReadAhead;
  readonly staging: Staging;
  readonly sweeper: Sweeper;
  /** Streams with commits above their page map, and an LSN that none of these lies below. */
  readonly dirty = new Map<StreamId, Lsn>();
  /** See (3). */
  readonly spillers = new Set<SpilledCommits>();
  deltaFloorLsn: Lsn;
  heldLsn: Lsn | undefined;
  overlayBytes = 0;
  /** Files of spilled commits that no page map names yet. */
  spilledBytes = 0;
  spilledCommits = 0;
  openSnapshots = 0;
  #log: Log | undefined;

  constructor(parts: CommonParts) {
    this.buffers = parts.buffers;
    this.cache = parts.cache;
    this.files = parts.files;
    this.rows = parts.rows;
    this.loadRow = parts.loadRow;
    this.nameOf = parts.nameOf;
    this.maxTransactionBytes = parts.maxTransactionBytes;
    this.deltasMax = parts.deltasMax;
    this.transactionMemoryBytes = parts.transactionMemoryBytes;
    this.spillGround = parts.spillGround;
    this.shelf = parts.shelf;
    this.residency = parts.residency;
    this.keepsHistory = parts.keepsHistory;
    this.deltaFloorLsn = parts.checkpointLsn;
    this.readAhead = new ReadAhead(parts.cache, parts.files);
    this.staging = new Staging(parts.buffers);
    this.sweeper = new Sweeper(parts.clock);
  }

  get log(): Log {
    return present(this.#log, "the log is attached before anything is committed");
  }

  attach(log: Log): void {
    this.#log = log;
  }

  /** During recovery there is no log yet, and all that is replayed is durable. */
  get durableLsn(): number {
    return this.#log?.durableLsn ?? Number.POSITIVE_INFINITY;
  }
}
