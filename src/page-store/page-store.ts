/**
 * THE PAGE STORE: the pages of all databases of a store, their memory and their chunks.
 *
 *   openPageStore ──► replay, replay, … ──► attach(log) ──► space, checkpoint, forget … ──► close
 *
 * (1) Until a log is attached only recovery writes; from then on only commits do.
 * (2) One checkpoint runs at a time; another that is asked for meanwhile follows it.
 * (3) A file of a chunk is deleted only after the manifest stopped to name it, and after the last
 *     snapshot that may read from it.
 */
import { assert } from "../base/assert.ts";
import type { Env } from "../base/env.ts";
import { type ChunkId, chunkId, LSN_ZERO, type Lsn, MIB, type StreamId } from "../base/units.ts";
import { CHUNK_BYTES_MAX } from "../chunk/index.ts";
import type { DatabaseRow, Manifest } from "../manifest/index.ts";
import { PageCache } from "../page-cache/index.ts";
import type { Log, ReplayedCommit } from "../write/index.ts";
import { PageBuffers } from "./buffers.ts";
import { Checkpoint, type CheckpointRequest, type CheckpointResult } from "./checkpoint.ts";
import { ChunkFiles, chunkPath } from "./chunk-files.ts";
import { ChunkTable } from "./chunk-table.ts";
import { Commons } from "./commons.ts";
import { DatabasePages } from "./database-pages.ts";
import { removeLeftovers } from "./leftovers.ts";
import { PageMap } from "./page-map.ts";
import type { PageSpace } from "./page-space.ts";
import { Slices } from "./slices.ts";

export interface PageStoreLimits {
  /** Images of checkpointed pages kept in memory. Bytes. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** Pages that one transaction may change. Bytes. Default 256 MiB. */
  readonly maxTransactionBytes?: number;
  /** Chunk files that are open at the same time. Default 64. */
  readonly openChunks?: number;
  /** Size at which a chunk is ended and another begun. Bytes, up to 64 MiB, which is the default. */
  readonly chunkBytes?: number;
  /** Pages that one checkpoint carries over from sparse chunks. Bytes. Default 64 MiB. */
  readonly compactionBytes?: number;
}

const DEFAULTS: Required<PageStoreLimits> = Object.freeze({
  cacheBytes: 64 * MIB,
  maxTransactionBytes: 256 * MIB,
  openChunks: 64,
  chunkBytes: CHUNK_BYTES_MAX,
  compactionBytes: 64 * MIB,
});

export interface PageStoreOptions {
  readonly env: Env;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly manifest: Manifest;
  readonly limits?: PageStoreLimits;
}

export interface PageStoreStats {
  readonly overlayBytes: number;
  readonly cacheBytes: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly cacheEvictions: number;
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly checkpoints: number;
  readonly checkpointLsn: Lsn;
  readonly openSnapshots: number;
  /** Databases with commits above their page map. */
  readonly dirtyDatabases: number;
}

/** Removes what a crash left behind, and takes the state of the manifest. Starts nothing. */
export async function openPageStore(options: PageStoreOptions): Promise<PageStore> {
  const named = new Set(options.manifest.opened.chunks.map(({ chunk }) => chunk));
  const { env, directory } = options;
  await removeLeftovers(env.storage, directory, (chunk) => named.has(chunk));
  return new PageStore(options);
}

export class PageStore {
  readonly #options: PageStoreOptions;
  readonly #limits: Required<PageStoreLimits>;
  readonly #commons: Commons;
  readonly #table: ChunkTable;
  readonly #rows: Map<StreamId, DatabaseRow>;
  readonly #databases = new Map<StreamId, DatabasePages>();
  /** Dropped, and not yet taken out of the maps by a checkpoint. */
  readonly #forgotten = new Set<StreamId>();
  readonly #durableFolders = new Set<string>();
  #nextChunkId: ChunkId;
  #nextStreamId: StreamId;
  /** Written for manifests that were refused: named by none, once a later one is published. */
  readonly #unsure: ChunkId[] = [];
  #checkpointLsn: Lsn;
  #checkpoints = 0;
  /** The manifest is ahead of the superblock. */
  #superblockOwed = false;
  #running: Promise<unknown> = Promise.resolve();
  #closing = false;

  constructor(options: PageStoreOptions) {
    const { env, directory, storeId, manifest, limits = {} } = options;
    const { opened } = manifest;
    this.#options = options;
    this.#limits = { ...DEFAULTS, ...limits };
    this.#table = new ChunkTable(opened.chunks);
    this.#rows = new Map(opened.databases.map((row) => [row.stream, row]));
    this.#nextChunkId = opened.nextChunkId;
    this.#nextStreamId = opened.nextStreamId;
    this.#checkpointLsn = opened.checkpointLsn;
    const buffers = new PageBuffers();
    const { cacheBytes, openChunks, maxTransactionBytes } = this.#limits;
    this.#commons = new Commons({
      clock: env.clock,
      buffers,
      cache: new PageCache({ budgetBytes: cacheBytes, onEvict: (image) => buffers.give(image) }),
      files: new ChunkFiles({ storage: env.storage, directory, storeId, openMax: openChunks }),
      loadRow: (stream, rowIndex) => manifest.mapRow(stream, rowIndex),
      nameOf: (stream) => this.#rows.get(stream)?.name,
      maxTransactionBytes,
      checkpointLsn: opened.checkpointLsn,
    });
  }

  get stats(): PageStoreStats {
    const { cache, overlayBytes, openSnapshots, dirty } = this.#commons;
    const { bytes, hits, misses, evictions } = cache.stats;
    return {
      overlayBytes,
      cacheBytes: bytes,
      cacheHits: hits,
      cacheMisses: misses,
      cacheEvictions: evictions,
      chunks: this.#table.count,
      chunkBytes: this.#table.fileBytes,
      checkpoints: this.#checkpoints,
      checkpointLsn: this.#checkpointLsn,
      openSnapshots,
      dirtyDatabases: dirty.size,
    };
  }

  /**
   * Takes a commit that recovery read, in order of LSN. What is in the manifest already, and what
   * belongs to a database that is dropped there, is passed over.
   */
  replay(commit: ReplayedCommit): void {
    const { stream } = commit;
    if (this.#forgotten.has(stream) || this.#rows.get(stream)?.state === "dropped") return;
    if (commit.lsn > this.#checkpointLsn) this.#database(stream).replay(commit);
  }

  attach(log: Log): void {
    this.#commons.attach(log);
  }

  /** The pages of a database; the same object each time. */
  space(stream: StreamId): PageSpace {
    return this.#database(stream);
  }

  /**
   * The database was dropped, and the frame that says so is sealed (or was replayed): the next
   * checkpoint removes its pages. Nobody stages for it any more.
   */
  forget(stream: StreamId): void {
    this.#forgotten.add(stream);
  }

  /**
   * The log failed and has lost what is above `durableLsn`: nobody may go on reading it. Who has a
   * snapshot above it must not read through it again.
   */
  dropAbove(durableLsn: Lsn): void {
    for (const database of this.#databases.values()) database.dropAbove(durableLsn);
  }

  /** Rejects with BOP_DISK_FULL, BOP_IO or BOP_CLOSED; nothing has changed then. */
  checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    const result = this.#running.then(() => this.#checkpoint(request));
    this.#running = result.catch(() => undefined);
    return result;
  }

  /** Ends a checkpoint that runs, closes files. The manifest stays open. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#commons.sweeper.stop();
    await this.#running;
    await this.#commons.files.close();
  }

  async #checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    const { env, directory, storeId, manifest } = this.#options;
    const commons = this.#commons;
    const slices = new Slices(env.clock, () => this.#closing);
    slices.check();
    const checkpoint = new Checkpoint(
      {
        env,
        directory,
        storeId,
        manifest,
        commons,
        table: this.#table,
        slices,
        chunkBytesMax: this.#limits.chunkBytes,
        compactionBytesMax: this.#limits.compactionBytes,
        nextChunkId: () => this.#takeChunkId(),
        peekChunkId: () => this.#nextChunkId,
        durableFolders: this.#durableFolders,
        rows: this.#rows,
        nextStreamId: this.#nextStreamId,
        database: (stream) => this.#known(stream),
        dropped: new Set(this.#forgotten),
      },
      request,
    );
    if (checkpoint.isEmpty && checkpoint.lsn === this.#checkpointLsn && !this.#superblockOwed) {
      commons.heldLsn = undefined;
      return this.#unchanged();
    }
    const result = await this.#publish(checkpoint);
    this.#checkpointLsn = checkpoint.lsn;
    this.#checkpoints += 1;
    this.#takePublished(checkpoint);
    this.#superblockOwed = true;
    await request.superblock(result);
    this.#superblockOwed = false;
    await commons.sweeper.idle();
    await this.#deleteDeadChunks();
    return result;
  }

  async #publish(checkpoint: Checkpoint): Promise<CheckpointResult> {
    try {
      return await checkpoint.publish();
    } catch (error) {
      this.#unsure.push(...checkpoint.unsureChunks);
      throw error;
    }
  }

  #unchanged(): CheckpointResult {
    const checkpointLsn = this.#checkpointLsn;
    return {
      generation: this.#options.manifest.generation,
      checkpointLsn,
      durableLsn: this.#commons.log.durableLsn,
      releaseLsn: checkpointLsn,
      pages: 0,
      compactedChunks: 0,
    };
  }

  #takePublished(checkpoint: Checkpoint): void {
    const { put, removed, nextStreamId } = checkpoint.published;
    this.#nextStreamId = nextStreamId;
    for (const row of put) this.#rows.set(row.stream, row);
    for (const stream of removed) this.#rows.delete(stream);
    for (const stream of checkpoint.droppedStreams) {
      this.#databases.delete(stream);
      this.#forgotten.delete(stream);
      this.#commons.dirty.delete(stream);
    }
  }

  async #deleteDeadChunks(): Promise<void> {
    const { env, directory } = this.#options;
    const oldest = Math.min(Number.POSITIVE_INFINITY, ...this.#commons.superseded.values());
    const deletable = [...this.#table.takeDeletable(oldest), ...this.#unsure.splice(0)];
    for (const chunk of deletable) {
      await this.#commons.files.closeFile(chunk).catch(() => undefined);
      // A file that cannot be deleted is a leftover, which the next open removes.
      await env.storage.unlink(chunkPath(directory, chunk)).catch(() => undefined);
    }
  }

  #takeChunkId(): ChunkId {
    const id = this.#nextChunkId;
    this.#nextChunkId = chunkId(id + 1);
    return id;
  }

  #database(stream: StreamId): DatabasePages {
    assert(!this.#forgotten.has(stream), () => `stream ${stream} was dropped`);
    return this.#databases.get(stream) ?? this.#load(stream);
  }

  /** A database that has pages, or had; undefined for a stream that never was one. */
  #known(stream: StreamId): DatabasePages | undefined {
    return this.#databases.get(stream) ?? (this.#rows.has(stream) ? this.#load(stream) : undefined);
  }

  /** Nothing is read for it yet: rows of its map are loaded when a page is looked up. */
  #load(stream: StreamId): DatabasePages {
    const { pageCount = 0, pageBytes = 0, lsn = LSN_ZERO } = this.#rows.get(stream) ?? {};
    const moment = {
      checkpointLsn: this.#checkpointLsn,
      pageCount,
      pageBytes: pageCount === 0 ? 0 : pageBytes,
    };
    const map = PageMap.stored(stream, this.#commons.loadRow, moment);
    const database = new DatabasePages(this.#commons, map, lsn);
    this.#databases.set(stream, database);
    return database;
  }
}
