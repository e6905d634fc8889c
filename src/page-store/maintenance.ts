/**
 * MAINTENANCE OF A PAGE STORE: checkpoints, collections and rows of the catalogue, which are all that
 * changes the manifest and removes chunks.
 *
 *   checkpoint, collect   one after the other ──┐
 *                                               ├──► publish, one at a time ──► files go
 *   publishCatalogue      meanwhile too ────────┘
 *
 * (1) One checkpoint or collection runs at a time; another that is asked for meanwhile follows it.
 * (2) Rows of databases are written by checkpoints (sizes) and by whoever keeps the catalogue
 *     (names, states), one at a time: each builds on what the other wrote.
 * (3) A file of a chunk is deleted only after the manifest stopped to name it, and its mirror with it,
 *     and after the last snapshot that reads it without asking a map: one of a transaction that spilled.
 * (4) While the manifest is ahead of the superblock, the superblock is owed: the next checkpoint
 *     writes it, though nothing else may have changed.
 * (5) While chunks are doubted (dead-files.ts), a checkpoint, or a round of compaction, first asks the
 *     manifest for a commit of almost nothing, and writes no page before it succeeds. So what is
 *     written for commits that are refused is on the disk once, however often they are tried.
 */
import type { Env } from "../base/env.ts";
import { Turns } from "../base/turns.ts";
import { type ChunkId, earlierLsn, LSN_ZERO, type Lsn, type StreamId } from "../base/units.ts";
import type { ChangeFact, DatabaseRow, SnapshotKey, SnapshotRow } from "../manifest/index.ts";
import { Checkpoint } from "./checkpoint/checkpoint.ts";
import type { CheckpointRequest, CheckpointResult } from "./checkpoint/checkpoint-request.ts";
import { Flattening } from "./checkpoint/flattening.ts";
import { bytesNeeded, type ChangedDatabase, findRoom } from "./checkpoint/room.ts";
import { Slices } from "./checkpoint/slices.ts";
import type { ChunkTable } from "./collection/chunk-table.ts";
import { Collection, type CollectReport, type CollectRequest } from "./collection/collection.ts";
import { amplification } from "./collection/compaction-plan.ts";
import { compactInRounds, type RoundsGround } from "./collection/compaction-round.ts";
import { DeadFiles } from "./collection/dead-files.ts";
import type { Janitor } from "./collection/janitor.ts";
import type { Commons } from "./commons.ts";
import type { Databases } from "./databases.ts";
import type { ResolvedPageStoreLimits } from "./limits.ts";
import type { PageStoreOptions } from "./page-store-options.ts";
import type { Residency } from "./residency/residency.ts";
import type { Spills } from "./spill/spills.ts";
import type { Replays } from "./versions/replays.ts";

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

export interface ChunkIds {
  readonly nextChunkId: () => ChunkId;
  /** The id that `nextChunkId` would give, without giving it. */
  readonly peekChunkId: () => ChunkId;
}

export interface MaintenanceParts {
  /** Its storage is the janitor's. */
  readonly env: Env;
  readonly options: PageStoreOptions;
  readonly limits: ResolvedPageStoreLimits;
  readonly commons: Commons;
  readonly table: ChunkTable;
  readonly databases: Databases;
  readonly replays: Replays;
  readonly residency: Residency;
  readonly spills: Spills;
  readonly janitor: Janitor;
  readonly chunkIds: ChunkIds;
  readonly durableFolders: Set<string>;
}

export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #flattening = new Flattening();
  readonly #deadFiles: DeadFiles;
  #checkpointLsn: Lsn;
  #catalogueLsn: Lsn;
  #checkpoints = 0;
  /** See (4). */
  #superblockOwed = false;
  /** See (1). */
  readonly #running = new Turns();
  /** See (2). */
  readonly #publishing = new Turns();
  #closing = false;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
    const { env, options, commons } = parts;
    const { directory, mayForget, manifest } = options;
    const generation = () => manifest.generation;
    const place = { storage: env.storage, directory, mayForget, generation };
    this.#deadFiles = new DeadFiles(place, commons);
    this.#checkpointLsn = manifest.opened.checkpointLsn;
    this.#catalogueLsn = manifest.opened.catalogueLsn;
  }

  get checkpointLsn(): Lsn {
    return this.#checkpointLsn;
  }

  /** Checkpoints that were published since the store was opened. */
  get checkpointCount(): number {
    return this.#checkpoints;
  }

  /** See PageStore.checkpoint. */
  checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    return this.#running.run(() => this.#checkpoint(request));
  }

  /** See PageStore.collect. */
  collect(request: CollectRequest): Promise<CollectReport> {
    return this.#running.run(() => this.#collect(request));
  }

  /** See (4). */
  oweSuperblock(): void {
    this.#superblockOwed = true;
  }

  /** See PageStore.publishCatalogue. */
  publishCatalogue(catalogue: CatalogueRows): Promise<void> {
    const { options, commons, databases } = this.#parts;
    return this.#publishing.run(async () => {
      const { catalogueLsn, nextStreamId, facts } = catalogue;
      const putDatabases = catalogue.databases.map((row) => this.#sized(row));
      await options.manifest.publish({
        catalogueLsn,
        durableLsn: commons.log.durableLsn,
        nextStreamId,
        putDatabases,
        putSnapshots: catalogue.snapshots ?? [],
        removeSnapshots: catalogue.removedSnapshots ?? [],
        changeLog: { append: facts },
      });
      databases.learn(putDatabases);
      this.#catalogueLsn = catalogueLsn;
    });
  }

  /** What runs ends as soon as it can. */
  stop(): void {
    this.#closing = true;
  }

  /** Resolves when nothing runs any more. */
  async ended(): Promise<void> {
    await this.#running.ended();
    await this.#publishing.ended();
  }

  async #checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    const { env, limits, table, commons, residency, janitor } = this.#parts;
    const slices = new Slices(env.clock, () => this.#closing);
    slices.check();
    await this.#parts.replays.allReady();
    await this.#settleDoubts();
    const compactionRoomBytes = await this.#findRoom(request, slices);
    const ground = { ...this.#ground(slices), compactionRoomBytes };
    const checkpoint = new Checkpoint(ground, request);
    await checkpoint.plan();
    const isStill = checkpoint.isEmpty && checkpoint.lsn === this.#checkpointLsn;
    const isDue = () => table.isCompactionDue(limits.compactionBytes);
    if (isStill && !this.#superblockOwed && !isDue()) {
      commons.heldLsn = undefined;
      await this.#removeUnclaimed();
      return this.#unchanged();
    }
    await checkpoint.write();
    await request.beforePublish(checkpoint.lsn).catch((error) => checkpoint.abandon(error));
    const result = await this.#publishing.run(() => this.#publish(checkpoint));
    this.#superblockOwed = true;
    await request.superblock(result);
    this.#superblockOwed = false;
    this.#deadFiles.settled(result.generation);
    await commons.sweeper.idle();
    await janitor.tryAgain();
    await this.#removeUnclaimed();
    await residency.evict();
    return result;
  }

  /** What checkpoints and rounds of compaction are made of. */
  #ground(slices: Slices) {
    const { env, options, limits, commons, table, databases, durableFolders } = this.#parts;
    const { directory, storeId, manifest, historyLsn } = options;
    return {
      env,
      directory,
      storeId,
      manifest,
      commons,
      table,
      databases,
      slices,
      flattening: this.#flattening,
      chunkBytesMax: limits.chunkBytes,
      compression: limits.compression,
      compactionBytes: limits.compactionBytes,
      historyLsn: historyLsn?.(),
      ...this.#parts.chunkIds,
      durableFolders,
    };
  }

  /** With what transactions spilled and a crash kept from committing, if the log is replayed. */
  #removeUnclaimed(): Promise<void> {
    return this.#remove(this.#parts.spills.takeUnclaimed());
  }

  /** See (3). */
  #remove(chunks: readonly ChunkId[]): Promise<void> {
    this.#deadFiles.add(chunks, this.#checkpointLsn);
    return this.#deadFiles.remove();
  }

  /** Rejects with BOP_DISK_FULL if a checkpoint might not fit. Resolves with what is left beside it. */
  async #findRoom({ participantBytes = 0 }: CheckpointRequest, slices: Slices): Promise<number> {
    const { commons, databases, limits } = this.#parts;
    const changed: ChangedDatabase[] = [];
    for (const stream of commons.dirty.keys()) {
      await slices.pause();
      const database = databases.loaded(stream);
      if (database === undefined) continue;
      changed.push({ changedPages: database.overlay.size, pageCount: database.size.pageCount });
    }
    const neededBytes = bytesNeeded(commons.overlayBytes + participantBytes, changed);
    return findRoom(this.#place, { neededBytes, reserveBytes: limits.reserveBytes });
  }

  async #publish(checkpoint: Checkpoint): Promise<CheckpointResult> {
    try {
      const result = await checkpoint.publish();
      this.#checkpointLsn = checkpoint.lsn;
      this.#checkpoints += 1;
      this.#parts.residency.named(checkpoint.sharedChunks);
      this.#deadFiles.add(checkpoint.goneChunks, checkpoint.lsn);
      return result;
    } catch (error) {
      this.#deadFiles.doubt(checkpoint.unsureChunks, checkpoint.lsn);
      throw error;
    }
  }

  #sized(row: CatalogueDatabaseRow): DatabaseRow {
    const {
      pageCount = 0,
      pageBytes = row.pageBytes,
      lsn: newestLsn = LSN_ZERO,
      flat = row.origin === undefined,
    } = this.#parts.databases.rows.get(row.stream) ?? {};
    return { ...row, pageCount, pageBytes, lsn: newestLsn, flat };
  }

  #unchanged(): CheckpointResult {
    const { options, commons } = this.#parts;
    return {
      generation: options.manifest.generation,
      checkpointLsn: this.#checkpointLsn,
      durableLsn: commons.log.durableLsn,
      releaseLsn: this.#checkpointLsn,
      pages: 0,
      bytes: 0,
      compactedChunks: 0,
      isCut: false,
    };
  }

  async #collect({ dryRun, published }: CollectRequest): Promise<CollectReport> {
    const { env, options, commons, table, databases, residency, replays } = this.#parts;
    const { storeId, manifest, historyLsn } = options;
    const slices = new Slices(env.clock, () => this.#closing);
    slices.check();
    await replays.allReady();
    const collection = new Collection({
      manifest,
      commons,
      table,
      databases,
      slices,
      asOf: this.#catalogueLsn,
      horizonLsn: earlierLsn(historyLsn?.() ?? this.#checkpointLsn, this.#checkpointLsn),
      checkpointLsn: this.#checkpointLsn,
      nowMs: env.clock.wallMs(),
      isDry: dryRun,
      source: { storeId, residency },
    });
    const report = await collection.plan();
    if (dryRun) return report;
    const remove = async (chunks: readonly ChunkId[]) => {
      await this.#settle(published);
      await this.#remove(chunks);
    };
    await this.#publishing.run(() => collection.publish());
    await remove(collection.goneChunks);
    const compacted = await this.#compactAll(slices, remove);
    return { ...report, compacted, amplificationAfter: amplification(table.space) };
  }

  /** See (3). */
  async #settle(published: CollectRequest["published"]): Promise<void> {
    const { generation } = this.#parts.options.manifest;
    await published?.();
    this.#deadFiles.settled(generation);
  }

  /** See (5). Rejects with what the manifest says. */
  async #settleDoubts(): Promise<void> {
    if (!this.#deadFiles.hasDoubts) return;
    const { manifest, settle } = this.#parts.options;
    const { durableLsn } = this.#parts.commons.log;
    await this.#publishing.run(() => manifest.publish({ durableLsn }));
    await this.#settle(settle);
    await this.#deadFiles.remove();
  }

  /** Returns how many chunks went. */
  async #compactAll(slices: Slices, remove: RoundsGround["remove"]): Promise<number> {
    const { limits } = this.#parts;
    await this.#settleDoubts();
    return compactInRounds({
      ...this.#ground(slices),
      asOf: this.#catalogueLsn,
      carryBytesMax: async () => {
        const room = await findRoom(this.#place, { neededBytes: 0, ...limits });
        return Math.min(limits.compactionBytes, room);
      },
      publishAlone: (publish) => this.#publishing.run(publish),
      remove,
      doubt: (chunks) => this.#deadFiles.doubt(chunks, this.#checkpointLsn),
    });
  }

  get #place() {
    const { env, options } = this.#parts;
    return { env, directory: options.directory };
  }
}
