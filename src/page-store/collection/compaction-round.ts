/**
 * A ROUND OF COMPACTION by itself, between checkpoints: for a collection, which goes on until what
 * is dead is within its bound.
 *
 *   count ──► carry ──► publish ──► files
 *
 * (1) It changes no state of any database: every row names the same pages as before, some of them in
 *     another place. So it needs neither the log nor the superblock.
 * (2) A failure before the publishing removes what was written. Whether a failed publishing took place
 *     is not known: what was written for it is doubted (dead-files.ts).
 * (3) A round that leaves as many files, of as many bytes, was the last: what is small for a chunk may
 *     be as large as a chunk becomes, and would be written again for ever.
 */
import type { Env } from "../../base/env.ts";
import type { ChunkId, Lsn } from "../../base/units.ts";
import type { ImageCodec } from "../../chunk/index.ts";
import type { Manifest } from "../../manifest/index.ts";
import type { Slices } from "../checkpoint/slices.ts";
import { ChunkWriter } from "../chunks/chunk-writer.ts";
import type { Commons } from "../commons.ts";
import type { Databases } from "../databases.ts";
import { MapDraft } from "../maps/map-draft.ts";
import { Carrying } from "./carrying.ts";
import { type ChunkTable, ChunkTally } from "./chunk-table.ts";
import type { ChunkUses } from "./chunk-uses.ts";
import { type CompactionResult, compact } from "./compaction.ts";

export interface RoundGround {
  readonly env: Env;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly manifest: Manifest;
  readonly commons: Commons;
  readonly table: ChunkTable;
  readonly databases: Databases;
  readonly slices: Slices;
  readonly chunkBytesMax: number;
  readonly compression: ImageCodec;
  readonly carryBytesMax: number;
  /** All chunks are looked into; else those that may be half empty. */
  readonly isExact: boolean;
  readonly nextChunkId: () => ChunkId;
  readonly peekChunkId: () => ChunkId;
  readonly durableFolders: Set<string>;
  /** Databases that were dropped at or below it are gone. */
  readonly asOf: Lsn;
}

/** Rounds, until none is worth it. */
export interface RoundsGround extends Omit<RoundGround, "carryBytesMax" | "isExact"> {
  /** There is room for. */
  readonly carryBytesMax: () => Promise<number>;
  readonly publishAlone: (publish: () => Promise<void>) => Promise<void>;
  /** The manifest names these files no more. */
  readonly remove: (chunks: readonly ChunkId[]) => Promise<void>;
  /** See (2). */
  readonly doubt: (chunks: readonly ChunkId[]) => void;
}

/** Returns how many chunks went. */
export async function compactInRounds(ground: RoundsGround): Promise<number> {
  let compacted = 0;
  for (let isExact = true; ; isExact = false) {
    const carryBytesMax = await ground.carryBytesMax();
    const { count, fileBytes } = ground.table;
    const round = new CompactionRound({ ...ground, carryBytesMax, isExact });
    const { compactedChunks } = await round.write();
    try {
      await ground.publishAlone(() => round.publish());
    } catch (error) {
      ground.doubt(round.unsureChunks);
      throw error;
    }
    if (round.goneChunks.length > 0) await ground.remove(round.goneChunks);
    compacted += compactedChunks;
    const hasGained = ground.table.count < count || ground.table.fileBytes < fileBytes;
    if (!round.hasMoved || !hasGained) return compacted; // See (3).
  }
}

class CompactionRound {
  readonly #ground: RoundGround;
  readonly #tally: ChunkTally;
  readonly #draft: MapDraft;
  readonly #writer: ChunkWriter;
  readonly #uses: ChunkUses;
  #gone: readonly ChunkId[] = [];
  #isUnsure = false;

  constructor(ground: RoundGround) {
    const { env, manifest, commons, table, compression: codec } = ground;
    const { directory, storeId, chunkBytesMax, nextChunkId, durableFolders } = ground;
    this.#ground = ground;
    this.#tally = new ChunkTally(table);
    const versions = manifest.mapRowVersions.bind(manifest);
    this.#draft = new MapDraft({ loadRow: commons.loadRow, versions }, this.#tally);
    this.#uses = table.uses.copy();
    const { storage } = env;
    const { generation } = manifest;
    const place = { storage, directory, storeId, generation };
    this.#writer = new ChunkWriter({ ...place, chunkBytesMax, codec, nextChunkId, durableFolders });
  }

  /** Some page has another place now. */
  get hasMoved(): boolean {
    return !this.#draft.isEmpty;
  }

  /** See (2). */
  get unsureChunks(): readonly ChunkId[] {
    return this.#isUnsure ? this.#writer.written.map(({ chunk }) => chunk) : [];
  }

  /** Files that nothing names any more. */
  get goneChunks(): readonly ChunkId[] {
    return this.#gone;
  }

  /** Writes; nothing is changed yet. */
  async write(): Promise<CompactionResult> {
    const { storeId, slices, databases, asOf } = this.#ground;
    const { carryBytesMax, isExact, commons } = this.#ground;
    const { residency } = commons;
    const { pins } = databases;
    const [draft, tally, writer] = [this.#draft, this.#tally, this.#writer];
    const isLive = (stream: Parameters<typeof pins.isDropped>[0]) => !pins.isDropped(stream, asOf);
    try {
      const result = await compact({
        source: { storeId, residency },
        slices,
        uses: this.#uses,
        carrier: new Carrying({ pins, draft, tally, writer, isLive }),
        rows: () => tally.rowsToBe(),
        limits: { carryBytesMax, isWriting: false, isExact },
        countsMax: Number.POSITIVE_INFINITY,
      });
      await writer.finish();
      slices.check();
      return result;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  async publish(): Promise<void> {
    const { manifest, table, commons, databases, peekChunkId, slices } = this.#ground;
    const { pins } = databases;
    table.uses.adopt(this.#uses);
    if (!this.hasMoved) return;
    const chunks = this.#tally.change(this.#writer.written);
    const { put } = await this.#draft.changes(slices);
    this.#isUnsure = true;
    await manifest.publish({
      nextChunkId: peekChunkId(),
      putMapRows: put,
      putChunks: chunks.put,
      removeChunks: chunks.remove,
    });
    this.#isUnsure = false;
    const moved = [...this.#draft.movedStreams].map((stream) => pins.familyOf(stream));
    commons.rows.letGoFamilies(new Set(moved));
    table.apply(chunks);
    this.#gone = chunks.remove;
  }
}
