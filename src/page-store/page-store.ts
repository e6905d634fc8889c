/**
 * THE PAGE STORE: the pages of all databases of a store, their memory and their chunks.
 *
 *   openPageStore ──► replay, replay, … ──► attach(log) ──► space, checkpoint, forget … ──► close
 *
 * (1) Until a log is attached only recovery writes; from then on only commits do.
 * (2) One checkpoint runs at a time; another that is asked for meanwhile follows it.
 * (3) Rows of databases are written by checkpoints (sizes) and by whoever keeps the catalogue
 *     (names, states), one at a time: each builds on what the other wrote.
 * (4) A file of a chunk is deleted only after the manifest stopped to name it, and after the last
 *     snapshot that may read from it.
 */
import { assert } from "../base/assert.ts";
import type { Env } from "../base/env.ts";
import { type ChunkId, chunkId, LSN_ZERO, type Lsn, type StreamId } from "../base/units.ts";
import type { ChangeFact, DatabaseRow, Manifest } from "../manifest/index.ts";
import { PageCache } from "../page-cache/index.ts";
import type { Log, ReplayedCommit } from "../write/index.ts";
import { PageBuffers } from "./buffers.ts";
import { Checkpoint, type CheckpointRequest, type CheckpointResult } from "./checkpoint.ts";
import { ChunkFiles, chunkPath } from "./chunk-files.ts";
import { ChunkTable } from "./chunk-table.ts";
import { Commons } from "./commons.ts";
import { DatabasePages } from "./database-pages.ts";
import { removeLeftovers } from "./leftovers.ts";
import { PAGE_STORE_DEFAULTS, type PageStoreLimits } from "./limits.ts";
import type { DatabaseSize } from "./moments.ts";
import { PageMap } from "./page-map.ts";
import type { PageSpace } from "./page-space.ts";
import { Replays } from "./replays.ts";
import { Slices } from "./slices.ts";
import { SpillShelf } from "./spill-shelf.ts";
import { Spills } from "./spills.ts";

export interface PageStoreOptions {
  readonly env: Env;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly manifest: Manifest;
  readonly limits?: PageStoreLimits;
}

export interface PageStoreStats {
  readonly overlayBytes: number;
  /** Files that large transactions wrote and no checkpoint has taken over yet. */
  readonly spilledBytes: number;
  /** Large transactions since the store was opened, those that were recovered included. */
  readonly spilledCommits: number;
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

/** What the catalogue has become as of an LSN, which is durable. */
export interface CatalogueRows {
  readonly catalogueLsn: Lsn;
  /** Sizes are filled in here. */
  readonly databases: readonly Omit<DatabaseRow, "pageCount" | "lsn">[];
  readonly nextStreamId: StreamId;
  readonly facts: readonly ChangeFact[];
}

/** Removes what a crash left behind, and takes the state of the manifest. Starts nothing. */
export async function openPageStore(options: PageStoreOptions): Promise<PageStore> {
  const named = new Set(options.manifest.opened.chunks.map(({ chunk }) => chunk));
  const { env, directory } = options;
  const spilled = await removeLeftovers(env.storage, directory, (chunk) => named.has(chunk));
  const { storeId } = options;
  const shelf = await SpillShelf.open({ storage: env.storage, directory, storeId }, spilled);
  return new PageStore(options, shelf);
}

export class PageStore {
  readonly replays = new Replays();
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
  /** Written for manifests that were refused: named by none, once a later one is published. */
  readonly #unsure: ChunkId[] = [];
  #checkpointLsn: Lsn;
  #checkpoints = 0;
  /** The manifest is ahead of the superblock. */
  #superblockOwed = false;
  #running: Promise<unknown> = Promise.resolve();
  /** See (3). */
  #publishing: Promise<unknown> = Promise.resolve();
  readonly #spills: Spills;
  #closing = false;

  constructor(options: PageStoreOptions, shelf: SpillShelf) {
    const { env, directory, storeId, manifest, limits = {} } = options;
    const { opened } = manifest;
    this.#options = options;
    this.#limits = { ...PAGE_STORE_DEFAULTS, ...limits };
    this.#table = new ChunkTable(opened.chunks);
    this.#rows = new Map(opened.databases.map((row) => [row.stream, row]));
    this.#spills = new Spills(shelf, {
      place: { storage: env.storage, directory, storeId },
      limits: this.#limits,
      generation: () => manifest.generation,
      nextChunkId: () => this.#takeChunkId(),
      durableFolders: this.#durableFolders,
    });
    this.#nextChunkId = this.#spills.freeId(opened.nextChunkId);
    this.#checkpointLsn = opened.checkpointLsn;
    const buffers = new PageBuffers();
    const { cacheBytes, openChunks, maxTransactionBytes, transactionMemoryBytes } = this.#limits;
    const { deltasMax } = this.#limits;
    this.#commons = new Commons({
      clock: env.clock,
      buffers,
      cache: new PageCache({ budgetBytes: cacheBytes, onEvict: (image) => buffers.give(image) }),
      files: new ChunkFiles({ storage: env.storage, directory, storeId, openMax: openChunks }),
      loadRow: (stream, rowIndex) => manifest.mapRow(stream, rowIndex),
      nameOf: (stream) => this.#rows.get(stream)?.name,
      maxTransactionBytes,
      deltasMax,
      transactionMemoryBytes,
      spillGround: this.#spills.ground,
      shelf,
      checkpointLsn: opened.checkpointLsn,
    });
  }

  get stats(): PageStoreStats {
    const { cache, overlayBytes, openSnapshots, dirty } = this.#commons;
    const { spilledBytes, spilledCommits } = this.#commons;
    const { bytes, hits, misses, evictions } = cache.stats;
    return {
      overlayBytes,
      spilledBytes,
      spilledCommits,
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

  /** Databases whose commits above the checkpoint hold the log, and from where on. */
  holdsLog(): { readonly stream: StreamId; readonly fromLsn: Lsn }[] {
    const dirty = [...this.#commons.dirty].map(([stream, fromLsn]) => ({ stream, fromLsn }));
    return [...dirty, ...this.replays.holdsLog()];
  }

  /**
   * Size of a database that nobody has looked into, which is as its map is; undefined if somebody
   * has. Asking takes no memory, however many databases there are.
   */
  restingSize(stream: StreamId): DatabaseSize | undefined {
    if (this.#databases.has(stream) || this.replays.isWaiting(stream)) return undefined;
    const { pageCount = 0, pageBytes = 0 } = this.#rows.get(stream) ?? {};
    return { pageCount, pageBytes };
  }

  /** Nobody reads this database for now. It can be read again without further ado. */
  rest(stream: StreamId): void {
    this.#databases.get(stream)?.rest();
  }

  /** The pages of a database; the same object each time. */
  space(stream: StreamId): PageSpace {
    assert(!this.replays.isWaiting(stream), () => `stream ${stream} has not been replayed`);
    return this.#database(stream);
  }

  /**
   * The database was dropped, and the frame that says so is sealed (or was replayed): the next
   * checkpoint removes its pages. Nobody stages for it any more.
   */
  forget(stream: StreamId): void {
    this.#forgotten.add(stream);
    this.replays.forget(stream);
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

  /** Writes what the catalogue has become. Rejects with BOP_DISK_FULL or BOP_IO. */
  publishCatalogue(catalogue: CatalogueRows): Promise<void> {
    return this.#publishAlone(async () => {
      const { catalogueLsn, nextStreamId, facts } = catalogue;
      const putDatabases = catalogue.databases.map((row) => this.#sized(row));
      await this.#options.manifest.publish({
        catalogueLsn,
        durableLsn: this.#commons.log.durableLsn,
        nextStreamId,
        putDatabases,
        changeLog: { append: facts },
      });
      for (const row of putDatabases) this.#rows.set(row.stream, row);
    });
  }

  /** Databases that have commits above an LSN and above the checkpoint, with their newest. */
  advancedSince(lsn: Lsn): { readonly stream: StreamId; readonly lsn: Lsn }[] {
    const waiting = this.replays.newest();
    const streams = new Set([...this.#commons.dirty.keys(), ...waiting.keys()]);
    return [...streams].flatMap((stream) => {
      const newest = waiting.get(stream)?.lsn ?? this.#databases.get(stream)?.newestLsn;
      const isKnown = newest !== undefined && newest > lsn && !this.#forgotten.has(stream);
      return isKnown ? [{ stream, lsn: newest }] : [];
    });
  }

  /** Ends a checkpoint that runs, closes files. The manifest stays open. Idempotent. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.replays.close();
    this.#commons.sweeper.stop();
    await this.#running;
    await this.#publishing;
    await this.#spills.close();
    await this.#commons.files.close();
  }

  async #checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    const { env, directory, storeId, manifest } = this.#options;
    const commons = this.#commons;
    const slices = new Slices(env.clock, () => this.#closing);
    slices.check();
    await this.replays.allReady();
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
        database: (stream) => this.#known(stream),
        dropped: new Set(this.#forgotten),
      },
      request,
    );
    if (checkpoint.isEmpty && checkpoint.lsn === this.#checkpointLsn && !this.#superblockOwed) {
      commons.heldLsn = undefined;
      await this.#spills.removeUnclaimed();
      return this.#unchanged();
    }
    await checkpoint.write();
    await request.beforePublish(checkpoint.lsn).catch((error) => checkpoint.abandon(error));
    const result = await this.#publishAlone(() => this.#publish(checkpoint));
    this.#superblockOwed = true;
    await request.superblock(result);
    this.#superblockOwed = false;
    await commons.sweeper.idle();
    await this.#deleteDeadChunks();
    await this.#spills.removeUnclaimed();
    return result;
  }

  async #publish(checkpoint: Checkpoint): Promise<CheckpointResult> {
    try {
      const result = await checkpoint.publish();
      this.#checkpointLsn = checkpoint.lsn;
      this.#checkpoints += 1;
      this.#takePublished(checkpoint);
      this.#unsure.push(...checkpoint.releasedChunks);
      return result;
    } catch (error) {
      this.#unsure.push(...checkpoint.unsureChunks);
      throw error;
    }
  }

  /** See (3). */
  #publishAlone<T>(publish: () => Promise<T>): Promise<T> {
    const done = this.#publishing.then(publish);
    this.#publishing = done.catch(() => undefined); // Its caller hears of it; the queue only waits.
    return done;
  }

  #sized(row: CatalogueRows["databases"][number]): DatabaseRow {
    const {
      pageCount = 0,
      pageBytes = row.pageBytes,
      lsn = LSN_ZERO,
    } = this.#rows.get(row.stream) ?? {};
    return { ...row, pageCount, pageBytes, lsn };
  }

  #unchanged(): CheckpointResult {
    return {
      generation: this.#options.manifest.generation,
      checkpointLsn: this.#checkpointLsn,
      durableLsn: this.#commons.log.durableLsn,
      releaseLsn: this.#checkpointLsn,
      pages: 0,
      compactedChunks: 0,
    };
  }

  #takePublished(checkpoint: Checkpoint): void {
    const { put, removed } = checkpoint.published;
    for (const row of put) this.#rows.set(row.stream, row);
    for (const stream of removed) this.#rows.delete(stream);
    for (const stream of checkpoint.droppedStreams) {
      this.#databases.get(stream)?.forgetSpilled();
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
