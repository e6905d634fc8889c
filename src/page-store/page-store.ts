/**
 * THE PAGE STORE: the pages of all databases of a store, their memory and their chunks.
 *
 *   openPageStore ──► replay, replay, … ──► attach(log) ──► space, checkpoint, forget … ──► close
 *
 * (1) Until a log is attached only recovery writes; from then on only commits do.
 * (2) It is the door to all that the folder has, a method for each: which databases there are is told
 *     by `databases`, what changes the manifest is done by `maintenance`.
 */
import { assert } from "../base/assert.ts";
import { type ChunkId, chunkId, LSN_ZERO, type Lsn, type StreamId } from "../base/units.ts";
import type { SnapshotKey } from "../manifest/index.ts";
import { PageCache } from "../page-cache/index.ts";
import type { Log, ReplayedCommit } from "../write/index.ts";
import type { CheckpointRequest, CheckpointResult } from "./checkpoint/checkpoint-request.ts";
import { ChunkFiles, chunkPath } from "./chunks/chunk-files.ts";
import { ChunkTable } from "./collection/chunk-table.ts";
import type { CollectReport, CollectRequest } from "./collection/collection.ts";
import { amplification } from "./collection/compaction-plan.ts";
import { Janitor } from "./collection/janitor.ts";
import { Commons } from "./commons.ts";
import { Databases, type MapMoments } from "./databases.ts";
import { type FoundFiles, findFiles } from "./found-files.ts";
import { PAGE_STORE_DEFAULTS, type ResolvedPageStoreLimits } from "./limits.ts";
import { type CatalogueRows, Maintenance } from "./maintenance.ts";
import { RowShelf } from "./maps/row-shelf.ts";
import type { FrozenSpace, PageSpace } from "./page-space.ts";
import type { PageStoreOptions } from "./page-store-options.ts";
import { Residency } from "./residency/residency.ts";
import { Spills } from "./spill/spills.ts";
import type { PageStoreStats } from "./stats.ts";
import { PageBuffers } from "./versions/buffers.ts";
import type { DatabaseSize } from "./versions/moments.ts";
import type { HeldSnapshot, NewFork } from "./versions/pins.ts";
import { Replays } from "./versions/replays.ts";

/** Removes what a crash left behind, and takes the state of the manifest. Starts nothing. */
export async function openPageStore(options: PageStoreOptions): Promise<PageStore> {
  return new PageStore(options, await findFiles(options));
}

export class PageStore {
  readonly replays: Replays;
  /** Which chunks have their files here, and how the others are read. */
  readonly residency: Residency;
  readonly #limits: ResolvedPageStoreLimits;
  readonly #commons: Commons;
  readonly #table: ChunkTable;
  readonly #databases: Databases;
  readonly #spills: Spills;
  readonly #maintenance: Maintenance;
  #nextChunkId: ChunkId;

  constructor(options: PageStoreOptions, found: FoundFiles) {
    const { directory, storeId, manifest, limits = {} } = options;
    const janitor = new Janitor(options.env.storage);
    const env = { ...options.env, storage: janitor.storage };
    const { opened } = manifest;
    const durableFolders = new Set<string>();
    this.#limits = { ...PAGE_STORE_DEFAULTS, ...limits };
    this.replays = new Replays(found.shelf);
    this.#table = new ChunkTable(opened.chunks, {
      hasForks: () => this.#databases.pins.hasForks,
      rests: (chunk) => this.residency.rests(chunk),
      named: (chunks) => this.residency.named(chunks),
    });
    const nextChunkId = () => this.#takeChunkId();
    this.#spills = new Spills(found.shelf, {
      place: { storage: env.storage, directory, storeId },
      limits: this.#limits,
      generation: () => manifest.generation,
      nextChunkId,
      durableFolders,
    });
    this.#nextChunkId = this.#spills.freeId(opened);
    this.residency = this.#makeResidency(options, found);
    const buffers = new PageBuffers();
    const { cacheBytes, openChunks, maxTransactionBytes, transactionMemoryBytes } = this.#limits;
    const { deltasMax } = this.#limits;
    this.#commons = new Commons({
      clock: env.clock,
      buffers,
      cache: new PageCache({ budgetBytes: cacheBytes, clock: env.clock }),
      files: new ChunkFiles({
        storage: env.storage,
        directory,
        storeId,
        openMax: openChunks,
        ...(options.remote !== undefined && { elsewhere: this.residency }),
      }),
      rows: new RowShelf(this.#limits.mapBytes),
      loadRow: (stream, rowIndex, atMost) => manifest.mapRow(stream, rowIndex, atMost),
      nameOf: (stream) => this.#databases.rows.get(stream)?.name,
      maxTransactionBytes,
      deltasMax,
      transactionMemoryBytes,
      spillGround: this.#spills.ground,
      shelf: found.shelf,
      residency: this.residency,
      keepsHistory: options.historyLsn !== undefined,
      checkpointLsn: opened.checkpointLsn,
    });
    this.#databases = new Databases({
      commons: this.#commons,
      opened,
      checkpointLsn: () => this.checkpointLsn,
      isWaiting: (stream) => this.replays.isWaiting(stream),
    });
    this.#maintenance = new Maintenance({
      env,
      options,
      limits: this.#limits,
      commons: this.#commons,
      table: this.#table,
      databases: this.#databases,
      replays: this.replays,
      residency: this.residency,
      spills: this.#spills,
      janitor,
      chunkIds: { nextChunkId, peekChunkId: () => this.#nextChunkId },
      durableFolders,
    });
  }

  get stats(): PageStoreStats {
    const { cache, overlayBytes, openSnapshots, dirty } = this.#commons;
    const { spilledBytes, spilledCommits } = this.#commons;
    return {
      overlayBytes,
      spilledBytes,
      spilledCommits,
      cache: cache.stats,
      chunks: this.#table.count,
      chunkBytes: this.#table.fileBytes,
      checkpoints: this.#maintenance.checkpointCount,
      checkpointLsn: this.checkpointLsn,
      openSnapshots,
      dirtyDatabases: dirty.size,
      mapVersions: this.#databases.versions.count,
      mapBytes: this.#commons.rows.bytes,
      heldChunks: this.#table.heldByHistory,
      amplification: amplification(this.#table.space),
    };
  }

  get checkpointLsn(): Lsn {
    return this.#maintenance.checkpointLsn;
  }

  /** Checkpoints of the store within the history, oldest first. */
  get checkpoints(): readonly { readonly lsn: Lsn; readonly createdAtMs: number }[] {
    return this.#databases.versions.checkpoints;
  }

  /** Changed pages: in memory, and spilled, which take time to check when the store is opened. */
  get changedBytes(): number {
    return this.#commons.overlayBytes + this.#commons.spilledBytes;
  }

  /**
   * Takes a commit that recovery read, in order of LSN. What is in the manifest already, and what
   * belongs to a database that is dropped there, is passed over.
   */
  replay(commit: ReplayedCommit): void {
    this.#databases.replay(commit);
  }

  attach(log: Log): void {
    this.#commons.attach(log);
  }

  /** Databases whose commits above the checkpoint hold the log, and from where on. */
  holdsLog(): {
    readonly stream: StreamId;
    readonly fromLsn: Lsn;
    readonly changedPages?: number;
  }[] {
    const dirty = [...this.#commons.dirty].map(([stream, fromLsn]) => {
      return { stream, fromLsn, changedPages: this.#databases.loaded(stream)?.overlay.size ?? 0 };
    });
    return [...dirty, ...this.replays.holdsLog()];
  }

  /**
   * Size of a database that nobody has looked into, which is as its map is; undefined if somebody
   * has. Asking takes no memory, however many databases there are.
   */
  restingSize(stream: StreamId): DatabaseSize | undefined {
    if (this.#databases.loaded(stream) !== undefined) return undefined;
    if (this.replays.isWaiting(stream)) return undefined;
    const { pageCount = 0, pageBytes = 0, lsn = LSN_ZERO } = this.#databases.rows.get(stream) ?? {};
    const base = this.#databases.pins.baseOf(stream);
    if (lsn > LSN_ZERO || base === undefined) return { pageCount, pageBytes };
    // A fork without a commit is as large as its origin was, as far as that is known by now.
    return this.restingSize(base.stream) ?? this.#databases.sizeAt(base.stream, base.lsn);
  }

  /** Nobody reads this database for now. It can be read again without further ado. */
  rest(stream: StreamId): void {
    this.#databases.loaded(stream)?.rest();
  }

  /** The pages of a database; the same object each time. */
  space(stream: StreamId): PageSpace {
    assert(!this.replays.isWaiting(stream), () => `stream ${stream} has not been replayed`);
    return this.#databases.open(stream);
  }

  /**
   * The database was dropped, and the frame that says so is sealed (or was replayed): the next
   * checkpoint removes its pages. Nobody stages for it any more.
   */
  forget(stream: StreamId, atLsn: Lsn): void {
    this.#databases.forget(stream, atLsn);
    if (!this.#databases.pins.isHeld(stream)) this.replays.forget(stream);
  }

  /** The entry that makes a fork is sealed, or was replayed. */
  fork(child: NewFork): void {
    this.#databases.fork(child);
  }

  /** The entry that makes a snapshot is sealed, or was replayed; stream 0 is the whole store. */
  hold(snapshot: HeldSnapshot): void {
    this.#databases.hold(snapshot);
  }

  /** The entry that drops a snapshot is sealed, or was replayed. */
  letGo(snapshot: SnapshotKey, atLsn: Lsn): void {
    this.#databases.pins.letGo(snapshot, atLsn);
  }

  /** A dropped database that a snapshot, a fork or a reader still needs: its tombstone stays. */
  isHeld(stream: StreamId, asOf?: Lsn): boolean {
    return this.#databases.isHeld(stream, asOf);
  }

  /** Resolves when the pages of a database, and all that it reads through, can be asked for. */
  async ready(stream: StreamId): Promise<void> {
    const { pins } = this.#databases;
    for (let at: StreamId | undefined = stream; at !== undefined; at = pins.baseOf(at)?.stream) {
      await this.replays.ready(at);
    }
  }

  /** Whether something that it reads through waits to be replayed. */
  readsWhatWaits(stream: StreamId): boolean {
    if (this.replays.count === 0) return false;
    const { pins } = this.#databases;
    for (let at = pins.baseOf(stream); at !== undefined; at = pins.baseOf(at.stream)) {
      if (this.replays.isWaiting(at.stream)) return true;
    }
    return false;
  }

  /**
   * A database, `ready`, at a moment that is pinned, held, or of one of its `versions`. Throws
   * BOP_SNAPSHOT_GONE for any other.
   */
  view(stream: StreamId, lsn: Lsn): FrozenSpace {
    return this.#databases.view(stream, lsn);
  }

  /** The states of a database, `ready`, of which there are page maps, oldest first. */
  versions(stream: StreamId): readonly MapMoments[] {
    return this.#databases.momentsOf(stream);
  }

  /**
   * Keeps a moment of a version, from its `lsn` to its `upToLsn`, while somebody works with it.
   * Throws BOP_SNAPSHOT_GONE.
   */
  holdVersion(stream: StreamId, lsn: Lsn): { release(): void } {
    return this.#databases.holdVersion(stream, lsn);
  }

  /** Lets go of what nobody can reach any more. Rejects with BOP_DISK_FULL, BOP_IO or BOP_CLOSED. */
  collect(request: CollectRequest): Promise<CollectReport> {
    return this.#maintenance.collect(request);
  }

  /**
   * The log failed and has lost what is above `durableLsn`: nobody may go on reading it. Who has a
   * snapshot above it must not read through it again.
   */
  dropAbove(durableLsn: Lsn): void {
    for (const database of this.#databases.all) database.dropAbove(durableLsn);
  }

  /** Rejects with BOP_DISK_FULL, BOP_IO or BOP_CLOSED; nothing has changed then. */
  checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    return this.#maintenance.checkpoint(request);
  }

  /** Chunks of pages that rows of page maps name now. */
  get chunks(): Pick<ChunkTable, "row" | "rows"> {
    return this.#table;
  }

  /** The next checkpoint writes the superblock anew, though nothing else may have changed. */
  oweSuperblock(): void {
    this.#maintenance.oweSuperblock();
  }

  /** Writes what the catalogue has become. Rejects with BOP_DISK_FULL or BOP_IO. */
  publishCatalogue(catalogue: CatalogueRows): Promise<void> {
    return this.#maintenance.publishCatalogue(catalogue);
  }

  /** Databases that have commits above an LSN and above the checkpoint, with their newest. */
  advancedSince(lsn: Lsn): { readonly stream: StreamId; readonly lsn: Lsn }[] {
    const waiting = this.replays.newest();
    const streams = new Set([...this.#commons.dirty.keys(), ...waiting.keys()]);
    return [...streams].flatMap((stream) => {
      const newest = waiting.get(stream)?.lsn ?? this.#databases.loaded(stream)?.newestLsn;
      const isKnown = newest !== undefined && newest > lsn && !this.#databases.isDropped(stream);
      return isKnown ? [{ stream, lsn: newest }] : [];
    });
  }

  /** Ends a checkpoint that runs, closes files. The manifest stays open. Idempotent. */
  async close(): Promise<void> {
    this.#maintenance.stop();
    this.residency.stop();
    await this.replays.close();
    this.#commons.sweeper.stop();
    await this.#maintenance.ended();
    await this.#spills.close();
    await this.residency.close();
    await this.#commons.files.close();
  }

  #makeResidency(options: PageStoreOptions, { missing }: FoundFiles): Residency {
    const { env, directory, storeId, manifest, remote, onHealed } = options;
    return new Residency({
      ...this.#limits,
      clock: env.clock,
      // The janitor's would delete later what may have come back.
      storage: env.storage,
      directory,
      storeId,
      remote,
      settle: options.settle ?? (() => Promise.resolve()),
      pathOf: (chunk) => chunkPath(directory, chunk),
      named: manifest.opened.chunks,
      isMissing: (chunk) => missing.has(chunk),
      files: () => this.#commons.files,
      onHealed: (healed) => {
        this.#table.uses.healed(healed.chunk);
        onHealed?.(healed);
      },
    });
  }

  #takeChunkId(): ChunkId {
    const id = this.#nextChunkId;
    this.#nextChunkId = chunkId(id + 1);
    return id;
  }
}
