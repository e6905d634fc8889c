/**
 * WHAT THE DATABASES OF A STORE SHARE: the log, memory, chunk files, and the marks of the checkpoint
 * that runs.
 *
 * (1) `deltaFloorLsn` is the LSN of the newest checkpoint that was begun, finished or not. No delta
 *     has a base at or below it, so the log above a checkpoint can be replayed on its own.
 * (2) While a checkpoint is being written, `heldLsn` is its LSN, and overlays keep what it writes.
 * (3) A map that was superseded while snapshots read through it stays in `superseded` until the last
 *     of them is gone, and until then no chunk that it may name is deleted.
 */
import { present } from "../base/assert.ts";
import type { Clock } from "../base/env.ts";
import type { Lsn, StreamId } from "../base/units.ts";
import type { PageCache } from "../page-cache/index.ts";
import type { Log } from "../write/index.ts";
import type { PageBuffers } from "./buffers.ts";
import type { ChunkFiles } from "./chunk-files.ts";
import type { LoadRow, PageMap } from "./page-map.ts";
import type { SpillGround } from "./spill.ts";
import type { SpillShelf } from "./spill-shelf.ts";
import { Staging } from "./staging.ts";
import { Sweeper } from "./sweeper.ts";

export interface CommonParts {
  readonly clock: Clock;
  readonly buffers: PageBuffers;
  readonly cache: PageCache;
  readonly files: ChunkFiles;
  readonly loadRow: LoadRow;
  readonly nameOf: (stream: StreamId) => string | undefined;
  readonly maxTransactionBytes: number;
  readonly deltasMax: number;
  readonly transactionMemoryBytes: number;
  readonly spillGround: SpillGround;
  readonly shelf: SpillShelf;
  readonly checkpointLsn: Lsn;
}

export class Commons {
  readonly buffers: PageBuffers;
  readonly cache: PageCache;
  readonly files: ChunkFiles;
  readonly loadRow: LoadRow;
  readonly nameOf: (stream: StreamId) => string | undefined;
  readonly maxTransactionBytes: number;
  readonly deltasMax: number;
  readonly transactionMemoryBytes: number;
  readonly spillGround: SpillGround;
  readonly shelf: SpillShelf;
  readonly staging: Staging;
  readonly sweeper: Sweeper;
  /** Streams with commits above their page map, and an LSN that none of these lies below. */
  readonly dirty = new Map<StreamId, Lsn>();
  /** With the checkpoint LSN of the map that took its place. */
  readonly superseded = new Map<PageMap, Lsn>();
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
    this.loadRow = parts.loadRow;
    this.nameOf = parts.nameOf;
    this.maxTransactionBytes = parts.maxTransactionBytes;
    this.deltasMax = parts.deltasMax;
    this.transactionMemoryBytes = parts.transactionMemoryBytes;
    this.spillGround = parts.spillGround;
    this.shelf = parts.shelf;
    this.deltaFloorLsn = parts.checkpointLsn;
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
