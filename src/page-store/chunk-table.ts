/**
 * THE CHUNKS OF A STORE: how many pages of each the newest page maps name, which of them a
 * checkpoint should rewrite, and which files nobody needs any more.
 *
 *   written ──► live ──────► sparse ──────► dead ──────────► deleted
 *               share ≥ 30 %  share < 30 %   no page named,    no pinned map
 *                             is compacted   row removed       may name it
 *
 * (1) A chunk is dead from the checkpoint on that took its last page out of the newest maps. Only a
 *     map that was superseded at that checkpoint or before may still name it.
 * (2) A dead chunk has no row in the manifest, so a crash before its file is deleted leaves a
 *     leftover, which the next open removes.
 */
import { assert } from "../base/assert.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import type { ChunkRow } from "../manifest/index.ts";
import { chunkOf } from "./location.ts";
import type { LocationTally } from "./page-map.ts";

const SPARSE_SHARE = 0.3;
/** A chunk smaller than this counts as sparse for its size: many small ones become a large one. */
const SMALL_BYTES = 256 * 1024;

interface DeadChunk {
  readonly chunk: ChunkId;
  readonly sinceLsn: Lsn;
}

export class ChunkTable {
  readonly #rows: Map<ChunkId, ChunkRow>;
  #dead: DeadChunk[] = [];

  constructor(rows: readonly ChunkRow[]) {
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
  apply(change: ChunkChange, lsn: Lsn): void {
    for (const row of change.put) this.#rows.set(row.chunk, row);
    for (const chunk of change.remove) {
      this.#rows.delete(chunk);
      this.#dead.push({ chunk, sinceLsn: lsn });
    }
  }

  /** Chunks that never got a row, though a commit names them: dead from the start. */
  bury(chunks: readonly { readonly chunk: ChunkId }[], lsn: Lsn): void {
    for (const { chunk } of chunks) this.#dead.push({ chunk, sinceLsn: lsn });
  }

  /** Takes the dead that no map superseded at `oldestSupersededLsn` or later can name. */
  takeDeletable(oldestSupersededLsn: number): ChunkId[] {
    const deletable = this.#dead.filter(({ sinceLsn }) => sinceLsn < oldestSupersededLsn);
    this.#dead = this.#dead.filter(({ sinceLsn }) => sinceLsn >= oldestSupersededLsn);
    return deletable.map(({ chunk }) => chunk);
  }
}

export interface ChunkChange {
  readonly put: readonly ChunkRow[];
  readonly remove: readonly ChunkId[];
}

/** Pages won and lost by chunks in one checkpoint, before it is published. */
export class ChunkTally implements LocationTally {
  readonly #table: ChunkTable;
  readonly #live = new Map<ChunkId, number>();

  constructor(table: ChunkTable) {
    this.#table = table;
  }

  gained(location: number): void {
    this.#add(chunkOf(location), 1);
  }

  lost(location: number): void {
    this.#add(chunkOf(location), -1);
  }

  livePages(chunk: ChunkId): number {
    return this.#live.get(chunk) ?? this.#table.row(chunk)?.livePages ?? 0;
  }

  /** Rows as the manifest is to have them. */
  change(
    written: readonly { chunk: ChunkId; fileBytes: number; pageCount: number }[],
  ): ChunkChange {
    const put: ChunkRow[] = written.map((row) => ({
      ...row,
      kind: "pages",
      livePages: this.livePages(row.chunk),
    }));
    const remove: ChunkId[] = [];
    for (const [chunk, livePages] of this.#live) {
      const row = this.#table.row(chunk);
      if (row === undefined) continue;
      assert(livePages >= 0, () => `chunk ${chunk} has ${livePages} live pages`);
      if (livePages === 0) remove.push(chunk);
      else put.push({ ...row, livePages });
    }
    return { put, remove };
  }

  /** Chunks to be rewritten, the emptiest first, whose live pages fit `bytesMax`. Pure. */
  sparse(bytesMax: number): ChunkId[] {
    const candidates: { chunk: ChunkId; liveBytes: number }[] = [];
    for (const row of this.#table.rows()) {
      const livePages = this.livePages(row.chunk);
      const liveBytes = (row.fileBytes * livePages) / row.pageCount;
      if (livePages > 0 && liveBytes < SPARSE_SHARE * Math.max(row.fileBytes, SMALL_BYTES)) {
        candidates.push({ chunk: row.chunk, liveBytes });
      }
    }
    candidates.sort((a, b) => a.liveBytes - b.liveBytes || a.chunk - b.chunk);
    let bytes = 0;
    const fitting = candidates.filter(({ liveBytes }) => {
      bytes += liveBytes;
      return bytes <= bytesMax;
    });
    return fitting.map(({ chunk }) => chunk);
  }

  #add(chunk: ChunkId, pages: number): void {
    this.#live.set(chunk, this.livePages(chunk) + pages);
  }
}
