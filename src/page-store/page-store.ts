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
 *     snapshot that reads it without asking a map: one of a transaction that spilled.
 *
 * It is over 400 lines because it is the door to all that the folder has, a method for each.
 */
import { assert } from "../base/assert.ts";
import {
  type ChunkId,
  chunkId,
  earlierLsn,
  LSN_ZERO,
  type Lsn,
  type StreamId,
} from "../base/units.ts";
import type { ChangeFact, DatabaseRow, SnapshotKey, SnapshotRow } from "../manifest/index.ts";
import { PageCache } from "../page-cache/index.ts";
import type { Log, ReplayedCommit } from "../write/index.ts";
import { Checkpoint } from "./checkpoint/checkpoint.ts";
import type { CheckpointRequest, CheckpointResult } from "./checkpoint/checkpoint-request.ts";
import { Flattening } from "./checkpoint/flattening.ts";
import { bytesNeeded, findRoom } from "./checkpoint/room.ts";
import { Slices } from "./checkpoint/slices.ts";
import { ChunkFiles, chunkPath } from "./chunks/chunk-files.ts";
import { ChunkTable } from "./collection/chunk-table.ts";
import { Collection, type CollectReport, type CollectRequest } from "./collection/collection.ts";
import { amplification } from "./collection/compaction-plan.ts";
import { compactInRounds } from "./collection/compaction-round.ts";
import { DeadFiles } from "./collection/dead-files.ts";
import { Janitor } from "./collection/janitor.ts";
import { Commons } from "./commons.ts";
import { Databases, type MapMoments } from "./databases.ts";
import { type FoundFiles, findFiles } from "./found-files.ts";
import { PAGE_STORE_DEFAULTS, type ResolvedPageStoreLimits } from "./limits.ts";
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

export type CatalogueDatabaseRow = Omit<DatabaseRow, "pageCount" | "lsn" | "flat">;

/** What the catalogue has become as of an LSN, which is durable. */
export interface CatalogueRows {
  readonly catalogueLsn: Lsn;
  /** Sizes are filled in here. */
  readonly databases: readonly CatalogueDatabaseRow[];
  readonly snapshots?: readonly SnapshotRow[];
  readonly removedSnapshots?: readonly SnapshotKey[];
  readonly nextStreamId: StreamId;
  readonly facts: readonly ChangeFact[];
}

/** Removes what a crash left behind, and takes the state of the manifest. Starts nothing. */
export async function openPageStore(options: PageStoreOptions): Promise<PageStore> {
  return new PageStore(options, await findFiles(options));
}

export class PageStore {
  readonly replays = new Replays();
  /** Which chunks have their files here, and how the others are read. */
  readonly residency: Residency;
  readonly #options: PageStoreOptions;
  readonly #limits: ResolvedPageStoreLimits;
  readonly #commons: Commons;
  readonly #table: ChunkTable;
  readonly #databases: Databases;
  readonly #flattening = new Flattening();
  readonly #janitor: Janitor;
  readonly #durableFolders = new Set<string>();
  #nextChunkId: ChunkId;
  readonly #deadFiles: DeadFiles;
  #checkpointLsn: Lsn;
  #catalogueLsn: Lsn;
  #checkpoints = 0;
  /** The manifest is ahead of the superblock. */
  #superblockOwed = false;
  #running: Promise<unknown> = Promise.resolve();
  /** See (3). */
  #publishing: Promise<unknown> = Promise.resolve();
  readonly #spills: Spills;
  #closing = false;

  constructor(options: PageStoreOptions, found: FoundFiles) {
    const { directory, storeId, manifest, limits = {} } = options;
    this.#janitor = new Janitor(options.env.storage);
    const env = { ...options.env, storage: this.#janitor.storage };
    const { opened } = manifest;
    this.#options = { ...options, env };
    this.#limits = { ...PAGE_STORE_DEFAULTS, ...limits };
    this.#table = new ChunkTable(opened.chunks, {
      hasForks: () => this.#databases.pins.hasForks,
      rests: (chunk) => this.residency.rests(chunk),
      named: (chunks) => this.residency.named(chunks),
    });
    this.#spills = new Spills(found.shelf, {
      place: { storage: env.storage, directory, storeId },
      limits: this.#limits,
      generation: () => manifest.generation,
      nextChunkId: () => this.#takeChunkId(),
      durableFolders: this.#durableFolders,
    });
    this.#nextChunkId = this.#spills.freeId(opened.nextChunkId);
    this.#checkpointLsn = opened.checkpointLsn;
    this.#catalogueLsn = opened.catalogueLsn;
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
    const { mayForget } = options;
    this.#deadFiles = new DeadFiles({ storage: env.storage, directory, mayForget }, this.#commons);
    this.#databases = new Databases({
      commons: this.#commons,
      opened,
      checkpointLsn: () => this.#checkpointLsn,
      isWaiting: (stream) => this.replays.isWaiting(stream),
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
      checkpoints: this.#checkpoints,
      checkpointLsn: this.#checkpointLsn,
      openSnapshots,
      dirtyDatabases: dirty.size,
      mapVersions: this.#databases.versions.count,
      mapBytes: this.#commons.rows.bytes,
      heldChunks: this.#table.heldByHistory,
      amplification: amplification(this.#table.space),
    };
  }

  get checkpointLsn(): Lsn {
    return this.#checkpointLsn;
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
    const report = this.#running.then(() => this.#collect(request));
    this.#running = report.catch(() => undefined);
    return report;
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
    const result = this.#running.then(() => this.#checkpoint(request));
    this.#running = result.catch(() => undefined);
    return result;
  }

  /** Chunks of pages that rows of page maps name now. */
  get chunks(): Pick<ChunkTable, "row" | "rows"> {
    return this.#table;
  }

  /** The next checkpoint writes the superblock anew, though nothing else may have changed. */
  oweSuperblock(): void {
    this.#superblockOwed = true;
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
        putSnapshots: catalogue.snapshots ?? [],
        removeSnapshots: catalogue.removedSnapshots ?? [],
        changeLog: { append: facts },
      });
      this.#databases.learn(putDatabases);
      this.#catalogueLsn = catalogueLsn;
    });
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
    this.#closing = true;
    this.residency.stop();
    await this.replays.close();
    this.#commons.sweeper.stop();
    await this.#running;
    await this.#publishing;
    await this.#spills.close();
    await this.residency.close();
    await this.#commons.files.close();
  }

  async #checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    const { env, directory, storeId, manifest } = this.#options;
    const commons = this.#commons;
    const slices = new Slices(env.clock, () => this.#closing);
    slices.check();
    await this.replays.allReady();
    const leftBytes = await this.#findRoom(request);
    const checkpoint = new Checkpoint(
      {
        env,
        directory,
        storeId,
        manifest,
        commons,
        table: this.#table,
        databases: this.#databases,
        flattening: this.#flattening,
        slices,
        chunkBytesMax: this.#limits.chunkBytes,
        compression: this.#limits.compression,
        compactionBytes: this.#limits.compactionBytes,
        compactionRoomBytes: leftBytes,
        historyLsn: this.#options.historyLsn?.(),
        ...this.#chunkIds,
        durableFolders: this.#durableFolders,
      },
      request,
    );
    const isStill = checkpoint.isEmpty && checkpoint.lsn === this.#checkpointLsn;
    const isDue = () => this.#table.isCompactionDue(this.#limits.compactionBytes);
    if (isStill && !this.#superblockOwed && !isDue()) {
      commons.heldLsn = undefined;
      await this.#removeUnclaimed();
      return this.#unchanged();
    }
    await checkpoint.write();
    await request.beforePublish(checkpoint.lsn).catch((error) => checkpoint.abandon(error));
    const result = await this.#publishAlone(() => this.#publish(checkpoint));
    this.#superblockOwed = true;
    await request.superblock(result);
    this.#superblockOwed = false;
    await commons.sweeper.idle();
    await this.#janitor.tryAgain();
    await this.#removeUnclaimed();
    await this.residency.evict();
    return result;
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

  /** With what transactions spilled and a crash kept from committing, if the log is replayed. */
  #removeUnclaimed(): Promise<void> {
    this.#deadFiles.add(this.#spills.takeUnclaimed(), this.#checkpointLsn);
    return this.#deadFiles.remove();
  }

  /** Throws BOP_DISK_FULL if a checkpoint might not fit. Returns what is left beside it. */
  #findRoom({ participantBytes = 0 }: CheckpointRequest): Promise<number> {
    const { overlayBytes, dirty } = this.#commons;
    const changed = [...dirty.keys()].flatMap((stream) => {
      const database = this.#databases.loaded(stream);
      if (database === undefined) return [];
      return { changedPages: database.overlay.size, pageCount: database.size.pageCount };
    });
    const neededBytes = bytesNeeded(overlayBytes + participantBytes, changed);
    return findRoom(this.#options, { neededBytes, reserveBytes: this.#limits.reserveBytes });
  }

  async #publish(checkpoint: Checkpoint): Promise<CheckpointResult> {
    try {
      const result = await checkpoint.publish();
      this.#checkpointLsn = checkpoint.lsn;
      this.#checkpoints += 1;
      this.residency.named(checkpoint.sharedChunks);
      this.#deadFiles.add(checkpoint.goneChunks, checkpoint.lsn);
      return result;
    } catch (error) {
      this.#deadFiles.add(checkpoint.unsureChunks, checkpoint.lsn);
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
      lsn: newestLsn = LSN_ZERO,
      flat = row.origin === undefined,
    } = this.#databases.rows.get(row.stream) ?? {};
    return { ...row, pageCount, pageBytes, lsn: newestLsn, flat };
  }

  #unchanged(): CheckpointResult {
    return {
      generation: this.#options.manifest.generation,
      checkpointLsn: this.#checkpointLsn,
      durableLsn: this.#commons.log.durableLsn,
      releaseLsn: this.#checkpointLsn,
      pages: 0,
      bytes: 0,
      compactedChunks: 0,
      isCut: false,
    };
  }

  async #collect({ dryRun, published }: CollectRequest): Promise<CollectReport> {
    const { env, manifest, historyLsn } = this.#options;
    const slices = new Slices(env.clock, () => this.#closing);
    slices.check();
    await this.replays.allReady();
    const collection = new Collection({
      manifest,
      commons: this.#commons,
      table: this.#table,
      databases: this.#databases,
      slices,
      asOf: this.#catalogueLsn,
      horizonLsn: earlierLsn(historyLsn?.() ?? this.#checkpointLsn, this.#checkpointLsn),
      checkpointLsn: this.#checkpointLsn,
      nowMs: env.clock.wallMs(),
      isDry: dryRun,
      place: {
        storage: env.storage,
        directory: this.#options.directory,
        storeId: this.#options.storeId,
        residency: this.residency,
      },
    });
    const report = await collection.plan();
    if (dryRun) return report;
    await this.#publishAlone(() => collection.publish());
    await published?.();
    this.#deadFiles.add(collection.goneChunks, this.#checkpointLsn);
    await this.#deadFiles.remove();
    const compacted = await this.#compactAll(slices);
    return { ...report, compacted, amplificationAfter: amplification(this.#table.space) };
  }

  /** Returns how many chunks went. */
  #compactAll(slices: Slices): Promise<number> {
    const { chunkBytes: chunkBytesMax, compactionBytes, compression } = this.#limits;
    return compactInRounds({
      ...this.#options,
      ...this.#chunkIds,
      commons: this.#commons,
      table: this.#table,
      databases: this.#databases,
      durableFolders: this.#durableFolders,
      asOf: this.#catalogueLsn,
      slices,
      chunkBytesMax,
      compression,
      carryBytesMax: async () => {
        const room = await findRoom(this.#options, { neededBytes: 0, ...this.#limits });
        return Math.min(compactionBytes, room);
      },
      publishAlone: (publish) => this.#publishAlone(publish),
      remove: (chunks) => {
        this.#deadFiles.add(chunks, this.#checkpointLsn);
        return this.#deadFiles.remove();
      },
    });
  }

  get #chunkIds() {
    return { nextChunkId: () => this.#takeChunkId(), peekChunkId: () => this.#nextChunkId };
  }

  #takeChunkId(): ChunkId {
    const id = this.#nextChunkId;
    this.#nextChunkId = chunkId(id + 1);
    return id;
  }
}
