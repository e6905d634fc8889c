/**
 * A CHECKPOINT folds the log up to one LSN into chunks and a new manifest, so that the log below can
 * be let go.
 *
 *   begin ─► log durable ─► write pages ─► flatten ─► drop versions ─► compact ─► publish ─► install
 *     │ fixes LSN, sizes,       │ any failure up to the publishing: the chunks       │ superblock;
 *     │ pins, delta floor       │ are removed, everything stays as it was            │ files and log go
 *
 * (1) It writes the newest version at or below its LSN of every page whose database has commits
 *     above its map, and what pins below that see: nothing above its LSN, which is durable before the
 *     first byte is written.
 * (2) Order: chunks and directories synced → manifest committed → maps installed → superblock. A
 *     crash between any two leaves the manifest of before or of after, and the chunks of either. What
 *     becomes of the manifest and of memory is in publication.ts.
 * (3) What a transaction spilled to chunks of its own stays there: see adoption.ts.
 * (4) It begins in one go, which takes a look at each database, and runs on in slices of a few
 *     milliseconds. Commits and reads go on meanwhile, and nothing of it is visible to them before it
 *     is installed.
 */
import { assert } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { type ChunkId, earlierLsn, type Lsn, type StreamId } from "../../base/units.ts";
import type { ImageCodec } from "../../chunk/index.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import { ChunkWriter } from "../chunks/chunk-writer.ts";
import { Carrying } from "../collection/carrying.ts";
import { type ChunkChange, ChunkTally } from "../collection/chunk-table.ts";
import type { ChunkUses } from "../collection/chunk-uses.ts";
import { type CompactionResult, compact } from "../collection/compaction.ts";
import { MapDraft } from "../maps/map-draft.ts";
import { VersionDrops } from "../maps/version-drops.ts";
import { Adoption } from "../spill/adoption.ts";
import type { CheckpointRequest, CheckpointResult } from "./checkpoint-request.ts";
import { forksToFlatten } from "./flattening.ts";
import { writePart } from "./part-writer.ts";
import { type Head, nextMaps, type Part, planPart } from "./parts.ts";
import { endCheckpoint, Publication, type PublicationGround } from "./publication.ts";
import { Shares } from "./shares.ts";

/** Chunks that one checkpoint looks into. */
const COUNTS_MAX = 4;

export interface CheckpointParts extends PublicationGround {
  readonly env: Env;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly chunkBytesMax: number;
  readonly compression: ImageCodec;
  /** Pages that are carried from sparse chunks, beside as much as the checkpoint itself writes. */
  readonly compactionBytes: number;
  /** Room on the disk for them. */
  readonly compactionRoomBytes: number;
  /** States of databases from here on are kept. */
  readonly historyLsn: Lsn | undefined;
  readonly nextChunkId: () => ChunkId;
  readonly durableFolders: Set<string>;
}

export class Checkpoint {
  readonly lsn: Lsn;
  readonly #ground: CheckpointParts;
  /** Tombstones that may go with it. */
  readonly #removable: readonly StreamId[];
  readonly #tally: ChunkTally;
  readonly #draft: MapDraft;
  /** Origins before their forks. */
  readonly #heads: readonly Head[];
  /** By stream, in the order of the heads. */
  readonly #parts = new Map<StreamId, Part>();
  readonly #drops: VersionDrops;
  readonly #horizonLsn: Lsn;
  readonly #nowMs: number;
  readonly #writer: ChunkWriter;
  readonly #adoption = new Adoption();
  readonly #shares: Shares;
  #flattened: ReadonlyMap<StreamId, number> = new Map();
  #chunks: ChunkChange = { put: [], remove: [] };
  #publication: Publication | undefined;
  #pages = 0;
  #compacted: CompactionResult = { compactedChunks: 0, isCut: false };
  readonly #uses: ChunkUses;

  /** Fixes what the checkpoint is about, in one go with what is sealed at this moment. */
  constructor(ground: CheckpointParts, request: CheckpointRequest) {
    const { commons, manifest, historyLsn } = ground;
    assert(commons.staging.idle, "a checkpoint begins between commits");
    this.#ground = ground;
    this.lsn = commons.log.newestLsn;
    const isFree = (stream: StreamId) => !ground.databases.isHeld(stream, this.lsn);
    this.#removable = request.removable(this.lsn).filter(isFree);
    commons.deltaFloorLsn = this.lsn;
    commons.heldLsn = this.lsn;
    this.#nowMs = ground.env.clock.wallMs();
    this.#horizonLsn = earlierLsn(historyLsn ?? this.lsn, this.lsn);
    this.#tally = new ChunkTally(ground.table);
    this.#uses = ground.table.uses.copy();
    const versions = manifest.mapRowVersions.bind(manifest);
    this.#draft = new MapDraft({ loadRow: commons.loadRow, versions }, this.#tally);
    this.#heads = this.#headsNow();
    this.#drops = this.#planDrops();
    const place = this.#place();
    const { chunkBytesMax, compression: codec } = ground;
    this.#writer = new ChunkWriter({ ...place, chunkBytesMax, codec });
    const pause = () => ground.slices.pause();
    this.#shares = new Shares(request.participants ?? [], this.lsn, { ...place, pause });
  }

  /** What is to be made of each database. A failure leaves the state of before. */
  async plan(): Promise<void> {
    const { slices, databases } = this.#ground;
    const moment = { lsn: this.lsn, pins: databases.pins };
    try {
      for (const head of this.#heads) {
        await slices.pause();
        this.#parts.set(head.database.stream, planPart(head, moment));
      }
    } catch (error) {
      await this.abandon(error);
    }
  }

  /** Nothing changed since the checkpoint that is published. Ask when it is planned. */
  get isEmpty(): boolean {
    const { databases } = this.#ground;
    const isLeft = ({ stream }: Part) => databases.isLeft(stream, this.lsn);
    const isStill = this.#removable.length === 0 && this.#shares.isEmpty;
    return isStill && [...this.#parts.values()].every(isLeft);
  }

  /** Chunks of a publish that failed: the manifest may name them, when it is read again. */
  get unsureChunks(): readonly ChunkId[] {
    if (this.#publication?.isUnsure !== true) return [];
    return [...this.#writer.written.map(({ chunk }) => chunk), ...this.#shares.writtenChunks];
  }

  /** Chunks that the manifest names no more, or never did. */
  get goneChunks(): readonly ChunkId[] {
    const unnamed = this.#tally.unnamed([...this.#writer.written, ...this.#adoption.chunks]);
    const { remove } = this.#chunks;
    return [...remove, ...unnamed.map(({ chunk }) => chunk), ...this.#shares.removedChunks];
  }

  /** Chunks with something else than pages, which the manifest names now. */
  get sharedChunks(): readonly ChunkRow[] {
    return this.#shares.putChunks;
  }

  /** Everything but the manifest. A failure leaves the state of before. */
  async write(): Promise<void> {
    const { commons, slices } = this.#ground;
    try {
      await commons.log.durable(this.lsn);
      slices.check();
      for (const part of this.#parts.values()) {
        this.#pages += await writePart(part, this.#partGround());
      }
      await this.#flatten();
      await this.#drops.run(this.#parts);
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
    endCheckpoint(this.#ground, false);
    await this.#writer.abandon();
    await this.#shares.abandon();
    throw error;
  }

  /** The manifest, and what it says in memory. A failure leaves the state of before. */
  async publish(): Promise<CheckpointResult> {
    this.#chunks = this.#tally.change([...this.#writer.written, ...this.#adoption.chunks]);
    this.#publication = new Publication(this.#ground, {
      lsn: this.lsn,
      horizonLsn: this.#horizonLsn,
      nowMs: this.#nowMs,
      removable: this.#removable,
      parts: this.#parts,
      draft: this.#draft,
      drops: this.#drops,
      shares: this.#shares,
      chunks: this.#chunks,
      uses: this.#uses,
      flattened: this.#flattened,
    });
    const published = await this.#publication.publish();
    return {
      ...published,
      releaseLsn: this.lsn,
      pages: this.#pages,
      bytes: this.#writer.written.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
      ...this.#compacted,
    };
  }

  #place() {
    const { env, directory, storeId, manifest, nextChunkId, durableFolders } = this.#ground;
    const { generation } = manifest;
    const { storage } = env;
    return { storage, directory, storeId, generation, nextChunkId, durableFolders };
  }

  /** See parts.ts: little more than a look at each, since all of them are looked at in one go. */
  #headsNow(): Head[] {
    const { commons, databases } = this.#ground;
    const { pins } = databases;
    const dropped = databases.droppedAt(this.lsn);
    const streams = new Set([
      ...commons.dirty.keys(),
      ...dropped,
      ...forksToFlatten(databases, this.lsn),
    ]);
    const deep = [...streams].map((stream) => ({ stream, depth: pins.depth(stream) }));
    const heads: Head[] = [];
    for (const { stream } of deep.sort((a, b) => a.depth - b.depth)) {
      const database = databases.known(stream);
      if (database !== undefined) heads.push({ database, newest: database.newest });
    }
    return heads;
  }

  #planDrops(): VersionDrops {
    const { slices, databases } = this.#ground;
    const { versions, pins, rows } = databases;
    return new VersionDrops({
      table: versions,
      pins,
      draft: this.#draft,
      slices,
      asOf: this.lsn,
      horizonLsn: this.#horizonLsn,
      nowMs: this.#nowMs,
      inUse: (stream, part, over) =>
        databases.inUse(stream, { lsn: this.lsn, over, ...nextMaps(part) }),
      createdAtMs: (stream) => rows.get(stream)?.createdAtMs ?? 0,
    });
  }

  #partGround() {
    const { slices } = this.#ground;
    const [writer, adoption, draft] = [this.#writer, this.#adoption, this.#draft];
    return { writer, adoption, draft, tally: this.#tally, slices, parts: this.#parts };
  }

  async #flatten(): Promise<void> {
    const { flattening, slices, databases } = this.#ground;
    const { versions } = databases;
    const wanted = new Set(forksToFlatten(databases, this.lsn));
    const forks = [...this.#parts.values()].filter(({ stream }) => wanted.has(stream));
    this.#flattened = await flattening.run(forks, {
      draft: this.#draft,
      tally: this.#tally,
      slices,
      parts: this.#parts,
      oldestStation: ({ stream, before }) => versions.of(stream)[0]?.lsn ?? before.station,
    });
  }

  async #compact(): Promise<void> {
    const { slices, compactionBytes, compactionRoomBytes, databases } = this.#ground;
    const { storeId, commons } = this.#ground;
    const { pins } = databases;
    const [draft, tally, writer] = [this.#draft, this.#tally, this.#writer];
    const carryBytesMax = Math.min(compactionBytes + writer.imageBytes, compactionRoomBytes);
    const isLive = (stream: StreamId) => !pins.isDropped(stream, this.lsn);
    this.#compacted = await compact({
      source: { storeId, residency: commons.residency },
      slices,
      uses: this.#uses,
      carrier: new Carrying({ pins, draft, tally, writer, isLive }),
      rows: () => tally.rowsToBe(),
      limits: { carryBytesMax, isWriting: writer.imageBytes > 0 },
      countsMax: COUNTS_MAX,
    });
  }
}
