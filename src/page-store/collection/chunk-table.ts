/**
 * THE CHUNKS OF A STORE: how often rows of page maps name each, which of them a checkpoint should
 * rewrite, and which files nobody needs any more.
 *
 *   written ──► used ──────► sparse ─────────► gone ────────────► deleted
 *                              is compacted      no row names it,   as soon as that is in
 *                              (compaction-plan) its own goes       the manifest
 *
 * (1) References count all rows, of every database and version: a chunk without any is needed by
 *     nobody, and one with some is needed. That alone decides over its file.
 * (2) Live pages are those that the newest maps name. They are a hint.
 * (3) A chunk that is gone has no row in the manifest, so a crash before its file is deleted leaves
 *     a leftover, which the next open removes.
 */
import { assert } from "../../base/assert.ts";
import type { ChunkId } from "../../base/units.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import { chunkOf, NOWHERE } from "../maps/location.ts";
import type { ReferenceTally } from "../maps/map-draft.ts";
import type { LocationTally } from "../maps/map-edit.ts";
import { ChunkUses, type UsesWorld } from "./chunk-uses.ts";
import { planCompaction, type Space } from "./compaction-plan.ts";

export interface ChunkWorld extends UsesWorld {
  /** Told of rows when they are published. */
  readonly named?: (rows: readonly ChunkRow[]) => void;
}

export class ChunkTable {
  /** What is known of how much of each is used. */
  readonly uses: ChunkUses;
  readonly #rows: Map<ChunkId, ChunkRow>;
  readonly #world: ChunkWorld;

  constructor(rows: readonly ChunkRow[], world: ChunkWorld) {
    this.uses = new ChunkUses(world);
    this.#world = world;
    const ofPages = rows.filter(({ kind }) => kind === "pages");
    this.#rows = new Map(ofPages.map((row) => [row.chunk, row]));
  }

  get count(): number {
    return this.#rows.size;
  }

  get fileBytes(): number {
    let bytes = 0;
    for (const row of this.#rows.values()) bytes += row.fileBytes;
    return bytes;
  }

  row(chunk: ChunkId): ChunkRow | undefined {
    return this.#rows.get(chunk);
  }

  rows(): IterableIterator<ChunkRow> {
    return this.#rows.values();
  }

  /** What a checkpoint did, once it is published. */
  apply(change: ChunkChange): void {
    for (const row of change.put) this.#rows.set(row.chunk, row);
    for (const chunk of change.remove) {
      this.#rows.delete(chunk);
      this.uses.forget(chunk);
    }
    this.#world.named?.(change.put);
  }

  /** Files, and what is used of them. */
  get space(): Space {
    return this.uses.space(this.#rows.values());
  }

  /** Chunks would go if a checkpoint were made, though nothing else is to be written. */
  isCompactionDue(carryBytesMax: number): boolean {
    const limits = { carryBytesMax, isWriting: false };
    return planCompaction(this.uses.of(this.#rows.values()), limits).chunks.length > 0;
  }

  /** Chunks that older versions or forks keep pages in that no newest map names. */
  get heldByHistory(): number {
    let count = 0;
    for (const { livePages, references } of this.#rows.values()) {
      if (references > 0 && livePages === 0) count += 1;
    }
    return count;
  }
}

export interface ChunkChange {
  readonly put: readonly ChunkRow[];
  readonly remove: readonly ChunkId[];
}

/** Pages and references won and lost by chunks in one checkpoint, before it is published. */
export class ChunkTally implements LocationTally, ReferenceTally {
  readonly #table: ChunkTable;
  readonly #live = new Map<ChunkId, number>();
  readonly #references = new Map<ChunkId, number>();

  constructor(table: ChunkTable) {
    this.#table = table;
  }

  gained(location: number): void {
    add(this.#live, chunkOf(location), 1);
  }

  lost(location: number): void {
    add(this.#live, chunkOf(location), -1);
  }

  refer(locations: Float64Array, by: 1 | -1): void {
    let chunk: ChunkId | undefined;
    let run = 0;
    for (const location of locations) {
      if (location === NOWHERE) continue;
      const of = chunkOf(location);
      if (of !== chunk) {
        if (chunk !== undefined) add(this.#references, chunk, run * by);
        chunk = of;
        run = 0;
      }
      run += 1;
    }
    if (chunk !== undefined) add(this.#references, chunk, run * by);
  }

  move(from: number, to: number): void {
    add(this.#references, chunkOf(from), -1);
    add(this.#references, chunkOf(to), 1);
  }

  references(chunk: ChunkId): number {
    return (this.#table.row(chunk)?.references ?? 0) + (this.#references.get(chunk) ?? 0);
  }

  /** Rows as the manifest is to have them, those of chunks that were written included. */
  change(written: readonly WrittenPages[]): ChunkChange {
    const put: ChunkRow[] = [];
    const remove: ChunkId[] = [];
    for (const { chunk, fileBytes, pageCount } of written) {
      const references = this.references(chunk);
      const row = { chunk, fileBytes, pageCount, kind: "pages", references } as const;
      if (references > 0) put.push({ ...row, livePages: this.#livePages(chunk) });
    }
    for (const chunk of new Set([...this.#live.keys(), ...this.#references.keys()])) {
      const row = this.#table.row(chunk);
      if (row === undefined) continue;
      const references = this.references(chunk);
      assert(references >= 0, () => `chunk ${chunk} has ${references} references`);
      if (references === 0) remove.push(chunk);
      else put.push({ ...row, references, livePages: this.#livePages(chunk) });
    }
    return { put, remove };
  }

  /** Of files that were written, those that nothing names. */
  unnamed<Written extends WrittenPages>(written: readonly Written[]): Written[] {
    return written.filter(({ chunk }) => this.references(chunk) === 0);
  }

  /** Chunks of the table as the manifest is to have them; what is written now is not among them. */
  *rowsToBe(): Generator<ChunkRow> {
    for (const row of this.#table.rows()) {
      const references = this.references(row.chunk);
      if (references > 0) yield { ...row, references, livePages: this.#livePages(row.chunk) };
    }
  }

  #livePages(chunk: ChunkId): number {
    const live = (this.#table.row(chunk)?.livePages ?? 0) + (this.#live.get(chunk) ?? 0);
    return Math.max(0, Math.min(live, this.references(chunk)));
  }
}

/** A file with pages, as far as its row goes. */
export interface WrittenPages {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
  readonly pageCount: number;
}

function add(counts: Map<ChunkId, number>, chunk: ChunkId, by: number): void {
  counts.set(chunk, (counts.get(chunk) ?? 0) + by);
}
