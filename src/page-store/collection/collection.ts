/**
 * A COLLECTION lets go of versions of page maps that nobody needs any more, and of the chunks that
 * only they named, between checkpoints: when snapshots were dropped, or readers have gone.
 *
 *   plan versions ──► publish ──► files
 *        └── a dry run ends here: it reports, and changes nothing
 *
 * (1) What was let go counts as soon as the entry that says so is in the manifest.
 * (2) What a dropped fork began with stays until a checkpoint has ended the fork, which looks at it.
 * (3) A chunk stays if a row names it. Which chunks are kept by what is told for those that a state
 *     other than the newest of its database needs.
 */
import { CATALOGUE_STREAM, type ChunkId, type Lsn, type StreamId } from "../../base/units.ts";
import type { DatabaseRow, Manifest, MapVersionRow } from "../../manifest/index.ts";
import type { Slices } from "../checkpoint/slices.ts";
import type { ScanSource } from "../chunks/chunk-scan.ts";
import type { Commons } from "../commons.ts";
import type { Databases } from "../databases.ts";
import { chunkOf, NOWHERE } from "../maps/location.ts";
import { MapDraft } from "../maps/map-draft.ts";
import { NamedPages } from "../maps/named-pages.ts";
import { VersionDrops } from "../maps/version-drops.ts";
import { isPinned } from "../maps/version-plan.ts";
import { type ChunkChange, type ChunkTable, ChunkTally } from "./chunk-table.ts";
import { countAll } from "./compaction.ts";
import { amplification, type CompactionPlan, planCompaction } from "./compaction-plan.ts";

export interface CollectRequest {
  /** Looks, and changes nothing. */
  readonly dryRun: boolean;
  /** Called when the manifest is durable, before any file goes: once for the files of each commit. */
  readonly published?: () => Promise<void>;
}

export type KeepReason = "snapshot" | "fork" | "history" | "reader";

/** What a collection did, or would do. */
export interface CollectReport {
  /** Chunk files that go, and their bytes. */
  readonly chunks: number;
  readonly chunkBytes: number;
  /** States of databases that go. */
  readonly versions: number;
  /** Chunks that are compacted: what is used of them moves together. */
  readonly compacted: number;
  /** Chunks in which an older state of a database has pages, by what keeps that state. */
  readonly kept: Readonly<Record<KeepReason, number>>;
  /** Bytes of chunks per byte of pages in them that anybody can reach. */
  readonly amplificationBefore: number;
  readonly amplificationAfter: number;
}

export interface CollectGround {
  readonly manifest: Manifest;
  readonly commons: Commons;
  readonly table: ChunkTable;
  readonly databases: Databases;
  readonly slices: Slices;
  /** What the manifest has of the catalogue. */
  readonly asOf: Lsn;
  readonly horizonLsn: Lsn;
  readonly checkpointLsn: Lsn;
  readonly nowMs: number;
  readonly isDry: boolean;
  readonly source: ScanSource;
}

export class Collection {
  readonly #ground: CollectGround;
  readonly #tally: ChunkTally;
  readonly #draft: MapDraft;
  readonly #drops: VersionDrops;
  #chunks: ChunkChange = { put: [], remove: [] };

  constructor(ground: CollectGround) {
    const { manifest, commons, table, databases, slices, asOf, horizonLsn, nowMs, isDry } = ground;
    const { pins, versions, rows } = databases;
    this.#ground = ground;
    this.#tally = new ChunkTally(table);
    const stored = (stream: StreamId, row: number) => manifest.mapRowVersions(stream, row);
    this.#draft = new MapDraft({ loadRow: commons.loadRow, versions: stored }, this.#tally);
    this.#drops = new VersionDrops({
      table: versions,
      pins: {
        of: (stream, lsn) => pins.ofUnended(stream, lsn),
        isDropped: (stream, lsn) => pins.isDropped(stream, lsn),
      },
      draft: this.#draft,
      slices,
      asOf,
      horizonLsn,
      nowMs,
      isDry,
      inUse: (stream) => databases.inUse(stream),
      createdAtMs: (stream) => rows.get(stream)?.createdAtMs ?? 0,
    });
  }

  /** Files that nothing names any more. */
  get goneChunks(): readonly ChunkId[] {
    return this.#chunks.remove;
  }

  /** Decides; nothing is changed. */
  async plan(): Promise<CollectReport> {
    const { table } = this.#ground;
    const reasons = await this.#reasons();
    await this.#drops.run(new Map());
    this.#chunks = this.#tally.change([]);
    const { remove } = this.#chunks;
    const plan = await this.#compaction();
    const chunkBytes = remove.reduce((sum, chunk) => sum + (table.row(chunk)?.fileBytes ?? 0), 0);
    const kept = { snapshot: 0, fork: 0, history: 0, reader: 0 };
    const gone = new Set(remove);
    for (const [reason, chunks] of reasons) {
      kept[reason] = [...chunks].filter((chunk) => !gone.has(chunk)).length;
    }
    return {
      chunks: remove.length,
      chunkBytes,
      versions: this.#drops.count,
      kept,
      compacted: plan.chunks.length,
      amplificationBefore: amplification(table.space),
      amplificationAfter: amplification(plan.after),
    };
  }

  /** Behind `plan`. */
  async publish(): Promise<void> {
    const { manifest, table, databases, slices } = this.#ground;
    const rows = await this.#draft.changes(slices);
    const versions = await this.#drops.changes();
    const { checkpoints } = databases.versions;
    const rest = this.#checkpointsKept();
    const over = checkpoints.filter((row) => !rest.includes(row));
    const removed = [...versions.remove, ...over.map(({ stream, lsn }) => ({ stream, lsn }))];
    if (rows.remove.length === 0 && removed.length === 0) return;
    let isPublished = false;
    try {
      const putDatabases = this.#databaseRows();
      await manifest.publish({
        putMapRows: rows.put,
        removeMapRows: rows.remove,
        putMapVersions: versions.put,
        removeMapVersions: removed,
        putChunks: this.#chunks.put,
        removeChunks: this.#chunks.remove,
        putDatabases,
      });
      isPublished = true;
      table.apply(this.#chunks);
      // First: where one version is left it is the newest map's, for who looks between two slices.
      for (const row of putDatabases) this.#stepBack(row);
      databases.versions.put(CATALOGUE_STREAM, rest); // Before versions go: publication.ts (5).
      await this.#drops.published();
    } finally {
      if (!isPublished) databases.versions.doubtAll();
    }
  }

  #checkpointsKept(): readonly MapVersionRow[] {
    const { databases, horizonLsn, checkpointLsn } = this.#ground;
    if (horizonLsn >= checkpointLsn) return [];
    return databases.versions.checkpoints.filter(({ lsn }) => lsn >= horizonLsn);
  }

  /** What could be compacted once the versions are gone. A dry run looks into the chunks for it. */
  async #compaction(): Promise<CompactionPlan> {
    const { table, source, slices, databases, isDry } = this.#ground;
    const [draft, tally, { pins }] = [this.#draft, this.#tally, databases];
    const uses = table.uses.copy();
    const rows = () => tally.rowsToBe();
    const carrier = new NamedPages(pins, draft);
    if (isDry) await countAll({ source, slices, uses, carrier, rows });
    return planCompaction(uses.of(rows()), {
      carryBytesMax: Number.POSITIVE_INFINITY,
      isWriting: false,
    });
  }

  /** Of dropped databases the newest state may go before older ones do. */
  #databaseRows(): DatabaseRow[] {
    const { databases } = this.#ground;
    return databases.versions.streams.flatMap((stream) => {
      const row = databases.rows.get(stream);
      const newest = this.#drops.newest(stream);
      if (row === undefined || newest === undefined || row.lsn === newest.lsn) return [];
      const { lsn, pageCount, pageBytes } = newest;
      return [{ ...row, lsn, pageCount, pageBytes: pageBytes || row.pageBytes }];
    });
  }

  #stepBack(row: DatabaseRow): void {
    const { databases, checkpointLsn } = this.#ground;
    const { stream, lsn: station, pageCount, pageBytes } = row;
    databases.rows.set(stream, row);
    databases.loaded(stream)?.stepBack({ checkpointLsn, station, pageCount, pageBytes });
  }

  /** See (3). */
  async #reasons(): Promise<Map<KeepReason, Set<ChunkId>>> {
    const { databases, slices } = this.#ground;
    const found = new Map<KeepReason, Set<ChunkId>>();
    for (const stream of databases.versions.streams) {
      const versions = databases.versions.of(stream);
      for (const [index, version] of versions.entries()) {
        const next = versions[index + 1];
        if (next === undefined) continue;
        const reasons = this.#reasonsOf(version, next);
        if (reasons.length === 0) continue;
        for (const rowIndex of next.changedRows) {
          await slices.pause();
          const row = this.#draft.find(stream, rowIndex, version.lsn);
          for (const reason of reasons) {
            const chunks = found.get(reason) ?? new Set();
            found.set(reason, chunks);
            for (const location of row?.locations ?? []) {
              if (location !== NOWHERE) chunks.add(chunkOf(location));
            }
          }
        }
      }
    }
    return found;
  }

  #reasonsOf({ stream, lsn }: MapVersionRow, next: MapVersionRow): KeepReason[] {
    const { databases, horizonLsn, asOf } = this.#ground;
    const { pins } = databases;
    const reasons = new Set<KeepReason>();
    for (const pin of pins.of(stream, asOf)) {
      if (pin < lsn || pin >= next.lsn) continue;
      for (const reason of pins.reasonsAt(stream, pin)) reasons.add(reason);
    }
    if (isPinned(lsn, next.lsn, databases.inUse(stream))) reasons.add("reader");
    if (next.lsn > horizonLsn && !pins.isDropped(stream, asOf)) reasons.add("history");
    return [...reasons];
  }
}
