/**
 * THE PUBLICATION OF A CHECKPOINT: what was written becomes what there is, in one commit of the manifest
 * and then in memory.
 *
 *   rows of databases ─► rows of maps kept ─► manifest committed ─► maps installed ─► databases told
 *                                             └ may have failed: (2)
 *
 * (1) Nothing in memory changes before the manifest is committed, but that maps of before keep the rows
 *     that it takes from them: who reads through one reads on while it is replaced.
 * (2) Whether a commit that failed took place is unknown until the next one is made. Memory goes on
 *     with the state of before; what it names and what the manifest may name both stay.
 * (3) What somebody came to need since the checkpoint began is removed another time.
 * (4) A moment that was kept in memory is let go by the maps that have it: in the same go these are known
 *     as versions, since who comes between two slices may ask for it.
 * (5) Checkpoints of the store that go, go before the versions: one that stays reaches up to the last
 *     checkpoint before the next one (databases.ts, 2), and beyond commits if one between is gone.
 */
import { CATALOGUE_STREAM, type ChunkId, type Lsn, type StreamId } from "../../base/units.ts";
import {
  type AdvancedDatabase,
  type DatabaseRow,
  factsOfDatabases,
  type Manifest,
  type ManifestChange,
} from "../../manifest/index.ts";
import type { ChunkChange, ChunkTable } from "../collection/chunk-table.ts";
import type { ChunkUses } from "../collection/chunk-uses.ts";
import type { Commons } from "../commons.ts";
import type { Databases } from "../databases.ts";
import type { MapDraft } from "../maps/map-draft.ts";
import type { PageMap } from "../maps/page-map.ts";
import {
  type CheckpointChange,
  checkpointsAfter,
  type VersionDrops,
} from "../maps/version-drops.ts";
import type { PublishedFacts } from "./checkpoint-request.ts";
import { rowAfter } from "./checkpoint-rows.ts";
import type { Flattening } from "./flattening.ts";
import { newestMap, type Part } from "./parts.ts";
import type { Shares } from "./shares.ts";
import type { Slices } from "./slices.ts";

export interface PublicationGround {
  readonly manifest: Manifest;
  readonly commons: Commons;
  readonly table: ChunkTable;
  readonly databases: Databases;
  readonly flattening: Flattening;
  readonly slices: Slices;
  /** The id that the next chunk will have, without giving it. */
  readonly peekChunkId: () => ChunkId;
}

/** A checkpoint of which everything but the manifest is written. */
export interface WrittenCheckpoint {
  readonly lsn: Lsn;
  readonly horizonLsn: Lsn;
  /** When it began. */
  readonly nowMs: number;
  /** Tombstones that may go with it. */
  readonly removable: readonly StreamId[];
  /** By stream, origins before their forks. */
  readonly parts: ReadonlyMap<StreamId, Part>;
  readonly draft: MapDraft;
  readonly drops: VersionDrops;
  readonly shares: Shares;
  readonly chunks: ChunkChange;
  readonly uses: ChunkUses;
  readonly flattened: ReadonlyMap<StreamId, number>;
}

/** What a checkpoint had kept for itself goes. */
export function endCheckpoint(
  { commons, databases }: Pick<PublicationGround, "commons" | "databases">,
  isPublished: boolean,
): void {
  commons.heldLsn = undefined;
  commons.rows.endPublishing(isPublished);
  if (!isPublished) databases.versions.pardonAll();
}

export class Publication {
  readonly #ground: PublicationGround;
  readonly #written: WrittenCheckpoint;
  #removed: readonly StreamId[] = [];
  #rows: readonly DatabaseRow[] = [];
  #isUnsure = false;

  constructor(ground: PublicationGround, written: WrittenCheckpoint) {
    this.#ground = ground;
    this.#written = written;
  }

  /** It failed, and the manifest may have it when it is read again. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  /** Once. A failure leaves the state of before. */
  async publish(): Promise<PublishedFacts> {
    const { commons, manifest, slices } = this.#ground;
    const { lsn: checkpointLsn, shares } = this.#written;
    const { durableLsn } = commons.log;
    await slices.aside();
    this.#rows = await this.#databaseRows();
    await this.#keepRows();
    this.#isUnsure = true;
    try {
      const generation = await manifest.publish(await this.#change(durableLsn));
      this.#isUnsure = false;
      await this.#install();
      return { generation, checkpointLsn, durableLsn };
    } finally {
      if (this.#isUnsure) {
        this.#ground.databases.versions.doubtAll();
        endCheckpoint(this.#ground, false);
        shares.refused();
      }
    }
  }

  async #databaseRows(): Promise<DatabaseRow[]> {
    const { databases, slices } = this.#ground;
    const { removable, parts, drops } = this.#written;
    this.#removed = removable.filter((stream) => drops.newest(stream) === undefined); // See (3).
    const removed = new Set(this.#removed);
    const put: DatabaseRow[] = [];
    for (const part of parts.values()) {
      await slices.aside();
      const { stream } = part;
      if (removed.has(stream)) continue;
      const row = rowAfter(part, databases.rows.get(stream), drops.newest(stream));
      if (row !== undefined) put.push(row);
    }
    return put;
  }

  /** See (1), and PageMap.keep. */
  async #keepRows(): Promise<void> {
    const { slices } = this.#ground;
    for (const { before, edits } of this.#written.parts.values()) {
      await slices.aside();
      const kept = new Set<number>();
      for (const edit of edits) {
        for (const [rowIndex, locations] of edit.before) {
          if (!kept.has(rowIndex)) before.keep(rowIndex, locations);
          kept.add(rowIndex);
        }
      }
    }
  }

  async #change(durableLsn: Lsn): Promise<ManifestChange> {
    const { manifest, slices, peekChunkId } = this.#ground;
    const { lsn, draft, drops, shares, chunks } = this.#written;
    const rows = await draft.changes(slices);
    const versions = await drops.changes();
    await slices.aside();
    const checkpoints = this.#checkpoints();
    const change: ManifestChange = {
      checkpointLsn: lsn,
      durableLsn,
      nextChunkId: peekChunkId(),
      putDatabases: this.#rows,
      removeDatabases: this.#removed,
      putMapRows: rows.put,
      removeMapRows: rows.remove,
      putMapVersions: [...versions.put, ...checkpoints.put],
      removeMapVersions: [...versions.remove, ...checkpoints.remove],
      putChunks: chunks.put,
      removeChunks: chunks.remove,
      changeLog: {
        append: factsOfDatabases({ kind: "checkpoint", lsn }, this.#advanced()),
        advancedLsn: lsn,
      },
    };
    return shares.addTo(change, manifest.nextStreamId);
  }

  #checkpoints(): CheckpointChange {
    const { lsn, horizonLsn, nowMs } = this.#written;
    const { checkpoints } = this.#ground.databases.versions;
    return checkpointsAfter(checkpoints, { lsn, horizonLsn, nowMs });
  }

  /** What nobody can see yet has not advanced either: it has its own record once it is there. */
  #advanced(): AdvancedDatabase[] {
    return this.#rows.flatMap(({ stream, name, lsn, state }) => {
      const isNew = (this.#written.parts.get(stream)?.layers.length ?? 0) > 0;
      return state === "live" && isNew ? [{ stream, name, lsn }] : [];
    });
  }

  /** In slices: see (1). */
  async #install(): Promise<void> {
    const { commons, table, databases, flattening, slices } = this.#ground;
    const { lsn, parts, draft, drops, shares, chunks, uses, flattened } = this.#written;
    const { pins, versions } = databases;
    versions.put(CATALOGUE_STREAM, this.#checkpoints().kept); // See (5).
    for (const part of parts.values()) {
      await slices.aside();
      const { stream, database, layers, isDropped, maps } = part;
      if (layers.length === 0 && !isDropped) continue;
      const newest = this.#newestMap(part);
      const { station, pageCount, pageBytes } = newest;
      const moment = { checkpointLsn: lsn, station, pageCount, pageBytes };
      database.install({ newest: newest.next(moment, new Map()), layers: maps, isDropped });
      drops.installed(stream); // See (4).
    }
    endCheckpoint(this.#ground, true);
    const moved = new Set([...draft.movedStreams].map((stream) => pins.familyOf(stream)));
    commons.rows.letGoFamilies(moved);
    table.uses.adopt(uses);
    table.apply(chunks);
    await drops.published();
    for (const part of parts.values()) {
      if (!part.isFlattened) continue;
      pins.flatten(part.stream);
      part.database.leaveBase();
    }
    flattening.published(flattened, parts);
    const changed = { put: this.#rows, removed: this.#removed };
    databases.takePublished(changed, { ended: this.#ended(), lsn });
    shares.install();
  }

  /** Of what was dropped, the newest state that is left. */
  #newestMap(part: Part): PageMap {
    const version = part.isDropped ? this.#written.drops.newest(part.stream) : undefined;
    if (version === undefined) return newestMap(part);
    const { lsn: station, pageCount, pageBytes } = version;
    const made = [part.before, ...part.maps].find((map) => map.station === station);
    const moment = { checkpointLsn: station, station, pageCount, pageBytes };
    return made ?? part.database.mapAt(moment);
  }

  /** Databases that were dropped and of which nothing is left. */
  #ended(): StreamId[] {
    const { parts, drops } = this.#written;
    const ended = [...parts.values()].filter(
      ({ stream, isDropped }) => isDropped && drops.newest(stream) === undefined,
    );
    return ended.map(({ stream }) => stream);
  }
}
