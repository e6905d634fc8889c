/**
 * A CHECKPOINT folds the log up to one LSN into chunks and a new manifest, so that the log below can
 * be let go.
 *
 *   begin ──► log durable ──► write chunks ──► compact ──► publish ──► install ──► superblock
 *     │ fixes LSN, sizes,          │ any failure up to here: the chunks are        │ then the log
 *     │ catalogue, delta floor     │ removed, everything stays as it was           │ may be released
 *
 * (1) It writes the newest version at or below its LSN of every page whose database has commits
 *     above its map, and nothing above its LSN: which is durable before the first byte is written.
 * (2) Order: chunks and directories synced → manifest committed → maps installed → superblock. A
 *     crash between any two leaves the manifest of before or of after, and the chunks of either.
 * (3) Whether a failed publish took place is unknown until the store is reopened, so the chunks that
 *     it names stay where they are.
 * (4) What a transaction spilled to chunks of its own stays there: see adoption.ts.
 * (5) It runs in slices of a few milliseconds. Commits and reads go on meanwhile, and nothing of it
 *     is visible to them before it is installed.
 */
import { assert, present } from "../base/assert.ts";
import type { Env } from "../base/env.ts";
import type { ChunkId, Lsn, StreamId } from "../base/units.ts";
import {
  type AdvancedDatabase,
  type DatabaseRow,
  factsOfDatabases,
  type Manifest,
  type MapRowChange,
} from "../manifest/index.ts";
import { Adoption } from "./adoption.ts";
import { type ChunkTable, ChunkTally } from "./chunk-table.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import type { Commons } from "./commons.ts";
import { type CarriedPage, carryLivePages } from "./compaction.ts";
import type { DatabasePages } from "./database-pages.ts";
import { locationOf } from "./location.ts";
import type { DatabaseSize } from "./moments.ts";
import { MapEdit } from "./page-map.ts";
import { type CheckpointParticipant, Shares } from "./shares.ts";
import type { Slices } from "./slices.ts";

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
  readonly compactedChunks: number;
}

export interface CheckpointParts {
  readonly env: Env;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly manifest: Manifest;
  readonly commons: Commons;
  readonly table: ChunkTable;
  readonly slices: Slices;
  readonly chunkBytesMax: number;
  readonly compactionBytesMax: number;
  readonly nextChunkId: () => ChunkId;
  /** The id that `nextChunkId` would give, without giving it. */
  readonly peekChunkId: () => ChunkId;
  readonly durableFolders: Set<string>;
  readonly rows: ReadonlyMap<StreamId, DatabaseRow>;
  /** Undefined for a stream that is no database. */
  readonly database: (stream: StreamId) => DatabasePages | undefined;
  /** Databases that were dropped before the checkpoint began. */
  readonly dropped: ReadonlySet<StreamId>;
}

export interface PublishedCatalogue {
  readonly put: readonly DatabaseRow[];
  readonly removed: readonly StreamId[];
}

/** One database in a checkpoint: as it is at its LSN, and its map in the making. */
interface Part {
  readonly database: DatabasePages;
  readonly size: DatabaseSize;
  /** Its newest commit at the LSN of the checkpoint; undefined if none is above its map. */
  readonly newestLsn: Lsn | undefined;
  readonly edit: MapEdit;
}

export class Checkpoint {
  readonly lsn: Lsn;
  readonly #parts: CheckpointParts;
  readonly #removed: readonly StreamId[];
  readonly #tally: ChunkTally;
  readonly #databases = new Map<StreamId, Part>();
  readonly #dropped: ReadonlySet<StreamId>;
  readonly #writer: ChunkWriter;
  readonly #adoption = new Adoption();
  readonly #shares: Shares;
  #rows: readonly DatabaseRow[] = [];
  #isUnsure = false;
  #pages = 0;
  #compactedChunks = 0;

  /** Fixes what the checkpoint is about, in one go with what is sealed at this moment. */
  constructor(parts: CheckpointParts, request: CheckpointRequest) {
    const { commons, env, directory, storeId, manifest } = parts;
    assert(commons.staging.idle, "a checkpoint begins between commits");
    this.#parts = parts;
    this.lsn = commons.log.newestLsn;
    this.#removed = request.removable(this.lsn);
    commons.deltaFloorLsn = this.lsn;
    commons.heldLsn = this.lsn;
    this.#tally = new ChunkTally(parts.table);
    this.#dropped = new Set([...parts.dropped, ...this.#removed]);
    for (const stream of commons.dirty.keys()) {
      if (this.#dropped.has(stream)) continue;
      const database = present(parts.database(stream), "a database with commits is known");
      const { size, newestLsn } = database;
      this.#part(database, { size, newestLsn });
    }
    this.#writer = new ChunkWriter({
      storage: env.storage,
      directory,
      storeId,
      generation: manifest.generation,
      chunkBytesMax: parts.chunkBytesMax,
      nextChunkId: parts.nextChunkId,
      durableFolders: parts.durableFolders,
    });
    this.#shares = new Shares(request.participants ?? [], this.lsn, {
      storage: env.storage,
      directory,
      storeId,
      generation: manifest.generation,
      nextChunkId: parts.nextChunkId,
      durableFolders: parts.durableFolders,
      pause: () => parts.slices.pause(),
    });
  }

  /** Nothing changed since the checkpoint that is published. */
  get isEmpty(): boolean {
    const isStill = this.#removed.length === 0 && this.#shares.isEmpty;
    return isStill && this.#databases.size === 0 && this.#dropped.size === 0;
  }

  /** What the manifest has, or is to have, for certain. */
  get published(): PublishedCatalogue {
    return { put: this.#rows, removed: this.#removed };
  }

  /** Chunks of a publish that failed: the manifest may name them, when it is read again. */
  get unsureChunks(): readonly ChunkId[] {
    if (!this.#isUnsure) return [];
    return [...this.#writer.written.map(({ chunk }) => chunk), ...this.#shares.writtenChunks];
  }

  /** Chunks of those who took part that the manifest names no more. */
  get releasedChunks(): readonly ChunkId[] {
    return this.#shares.removedChunks;
  }

  /** Everything but the manifest. A failure leaves the state of before. */
  async write(): Promise<void> {
    const { commons, slices } = this.#parts;
    try {
      await commons.log.durable(this.lsn);
      slices.check();
      await this.#clearDropped();
      for (const part of [...this.#databases.values()]) await this.#writePages(part);
      await this.#compact();
      await this.#writer.finish();
      await this.#shares.write();
      slices.check();
    } catch (error) {
      await this.abandon(error);
    }
  }

  /** Removes what was written for a manifest that is not to be, and throws why. */
  async abandon(error: unknown): Promise<never> {
    this.#parts.commons.heldLsn = undefined;
    await this.#writer.abandon();
    await this.#shares.abandon();
    throw error;
  }

  /** The manifest, and what it says in memory. A failure leaves the state of before. */
  async publish(): Promise<CheckpointResult> {
    const { commons, manifest } = this.#parts;
    const { durableLsn } = commons.log;
    const adopted = this.#adoption.named(this.#tally);
    const chunks = this.#tally.change([...this.#writer.written, ...adopted]);
    this.#rows = this.#databaseRows();
    this.#isUnsure = true;
    try {
      const change = this.#shares.addTo({
        checkpointLsn: this.lsn,
        durableLsn,
        nextChunkId: this.#parts.peekChunkId(),
        putDatabases: this.#rows,
        removeDatabases: this.published.removed,
        putMapRows: this.#mapRows(),
        putChunks: chunks.put,
        removeChunks: chunks.remove,
        changeLog: {
          append: factsOfDatabases({ kind: "checkpoint", lsn: this.lsn }, this.#advanced()),
          advancedLsn: this.lsn,
        },
      });
      const generation = await manifest.publish(change);
      this.#isUnsure = false;
      this.#install();
      this.#shares.install();
      this.#parts.table.apply(chunks, this.lsn);
      this.#parts.table.bury(this.#adoption.unnamed(this.#tally), this.lsn);
      return {
        generation,
        checkpointLsn: this.lsn,
        durableLsn,
        releaseLsn: this.lsn,
        pages: this.#pages,
        compactedChunks: this.#compactedChunks,
      };
    } finally {
      commons.heldLsn = undefined;
      if (this.#isUnsure) this.#shares.refused();
    }
  }

  get droppedStreams(): ReadonlySet<StreamId> {
    return this.#dropped;
  }

  #part(database: DatabasePages, at: { size: DatabaseSize; newestLsn: Lsn | undefined }): Part {
    const part = { database, ...at, edit: new MapEdit(database.map, this.#tally) };
    this.#databases.set(database.stream, part);
    return part;
  }

  async #writePages({ database, size, edit }: Part): Promise<void> {
    const { slices } = this.#parts;
    const { stream, map, overlay, truncations } = database;
    const smallest = truncations.smallest(map.checkpointLsn, this.lsn);
    if (smallest !== undefined) await this.#clearAbove(edit, smallest);
    await this.#adoption.take({ database, edit, pageCount: size.pageCount, slices }, this.lsn);
    const pageNumbers = Uint32Array.from(overlay.pageNumbers()).sort();
    for (const pageNumber of pageNumbers) {
      if (pageNumber > size.pageCount) break;
      await slices.pause();
      await this.#writer.room(size.pageBytes);
      const version = database.checkpointVersion(pageNumber, this.lsn);
      if (version === undefined) continue;
      const { lsn, image } = version;
      const location = this.#writer.add({ stream, pageNumber, lsn, image });
      version.location = location;
      edit.set(pageNumber, location);
      this.#pages += 1;
    }
  }

  async #clearDropped(): Promise<void> {
    for (const stream of this.#dropped) {
      const database = this.#parts.database(stream);
      if (database === undefined) continue;
      this.#adoption.takeDropped(database);
      const size = { pageCount: 0, pageBytes: database.map.pageBytes };
      await this.#clearAbove(this.#part(database, { size, newestLsn: undefined }).edit, 0);
    }
  }

  /** Before anything is set in the edit: what was there, not what comes. */
  async #clearAbove(edit: MapEdit, pageCount: number): Promise<void> {
    for (const rowIndex of edit.rowsAbove(pageCount)) {
      edit.clearRow(rowIndex, pageCount);
      await this.#parts.slices.pause();
    }
  }

  async #compact(): Promise<void> {
    const { env, directory, storeId, table, slices, compactionBytesMax } = this.#parts;
    const sparse = this.#tally.sparse(compactionBytesMax);
    // One small chunk alone, and nothing to put with it, would be written again and again.
    if (sparse.length < 2 && this.#pages === 0) return;
    for (const chunk of sparse) {
      const { fileBytes } = present(table.row(chunk), "a chunk to compact has a row");
      const carried = await carryLivePages(
        { storage: env.storage, directory, storeId, chunk, fileBytes },
        {
          slices,
          isLive: ({ stream, pageNumber, offset }) =>
            this.#locationNow(stream as StreamId, pageNumber) === locationOf(chunk, offset),
          carry: (page) => this.#carry(chunk, page),
        },
      );
      if (carried) this.#compactedChunks += 1;
    }
  }

  #locationNow(stream: StreamId, pageNumber: number): number | undefined {
    const part = this.#databases.get(stream);
    if (part !== undefined) return part.edit.location(pageNumber);
    return this.#parts.database(stream)?.map.location(pageNumber);
  }

  async #carry(from: ChunkId, { entry, image }: CarriedPage): Promise<void> {
    await this.#writer.room(image.length);
    const { pageNumber, lsn } = entry;
    const stream = entry.stream as StreamId;
    assert(
      this.#locationNow(stream, pageNumber) === locationOf(from, entry.offset),
      "a page that is carried is where it was found",
    );
    const location = this.#writer.add({ stream, pageNumber, lsn, image });
    this.#carryingPart(stream).edit.set(pageNumber, location);
  }

  /** A database of which pages are only carried: at the LSN of the checkpoint it is as its map is. */
  #carryingPart(stream: StreamId): Part {
    const part = this.#databases.get(stream);
    if (part !== undefined) return part;
    const database = present(this.#parts.database(stream), "a carried page has a database");
    return this.#part(database, { size: database.map, newestLsn: undefined });
  }

  #mapRows(): MapRowChange[] {
    return [...this.#databases.values()].flatMap(({ edit }) => edit.rows());
  }

  #databaseRows(): DatabaseRow[] {
    const { rows } = this.#parts;
    const put = new Map<StreamId, DatabaseRow>();
    for (const { database, size, newestLsn } of this.#databases.values()) {
      if (newestLsn === undefined) continue;
      const row = rows.get(database.stream);
      assert(row !== undefined, () => `the catalogue has no row of stream ${database.stream}`);
      const { pageCount, pageBytes } = size;
      put.set(database.stream, { ...row, pageCount, pageBytes, lsn: newestLsn });
    }
    for (const stream of this.#removed) put.delete(stream);
    return [...put.values()];
  }

  /** What nobody can see yet has not advanced either: it has its own record once it is there. */
  #advanced(): AdvancedDatabase[] {
    return this.#rows.flatMap(({ stream, name, lsn, state }) =>
      state === "live" ? [{ stream, name, lsn }] : [],
    );
  }

  #install(): void {
    for (const { database, size, edit } of this.#databases.values()) {
      const { pageCount, pageBytes } = size;
      database.install(edit.finish({ checkpointLsn: this.lsn, pageCount, pageBytes }));
    }
  }
}
