/**
 * WHERE THE CHUNKS OF A STORE ARE: a fact, found when the store is opened and kept up to date. Does no
 * I/O.
 *
 *   local ── evicted ──► away ── fetched, whole, checked ──► local
 *     └ damaged ──► distrusted: some of it is read from what is fetched ──► local, when it is healed
 *
 * (1) A chunk that rows name is local (its file is here) or away. It is nothing that anybody writes
 *     down: a crash in the middle of either move leaves one of the two.
 * (2) What is fetched of a chunk that is away, or distrusted, has an entry here from its first block
 *     on.
 * (3) Order of use is order of opening: a read of an open file is not noted. What is open is told by
 *     who opens.
 */
import type { ChunkId } from "../../base/units.ts";
import type { FetchedChunk } from "./fetched-chunk.ts";

export interface NamedChunk {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
}

export class ChunkPlaces {
  /** Files that are here, and their lengths. */
  readonly #local = new Map<ChunkId, number>();
  readonly #away = new Set<ChunkId>();
  readonly #fetched = new Map<ChunkId, FetchedChunk>();
  /** Local and fetched, used longest ago first. */
  readonly #order = new Map<ChunkId, undefined>();
  readonly #holds = new Map<ChunkId, number>();
  #localBytes = 0;

  get localBytes(): number {
    return this.#localBytes;
  }

  get partBytes(): number {
    let bytes = 0;
    for (const { blocks } of this.#fetched.values()) bytes += blocks.partBytes;
    return bytes;
  }

  /** Some chunk is not here, or not trusted. */
  get hasAway(): boolean {
    return this.#away.size > 0 || this.#fetched.size > 0;
  }

  get local(): Iterable<ChunkId> {
    return this.#local.keys();
  }

  get away(): Iterable<ChunkId> {
    return this.#away;
  }

  /** Local and fetched, used longest ago first. */
  get order(): Iterable<ChunkId> {
    return this.#order.keys();
  }

  /** Rows name these; the files are here unless it is said that they are not. */
  named(chunks: Iterable<NamedChunk>, isMissing: (chunk: ChunkId) => boolean = () => false): void {
    for (const { chunk, fileBytes } of chunks) {
      if (this.#local.has(chunk) || this.#away.has(chunk)) continue;
      if (isMissing(chunk)) this.#away.add(chunk);
      else this.isLocalNow(chunk, fileBytes);
    }
  }

  localBytesOf(chunk: ChunkId): number | undefined {
    return this.#local.get(chunk);
  }

  isAway(chunk: ChunkId): boolean {
    return this.#away.has(chunk);
  }

  fetched(chunk: ChunkId): FetchedChunk | undefined {
    return this.#fetched.get(chunk);
  }

  used(chunk: ChunkId): void {
    if (!this.#order.delete(chunk)) return;
    this.#order.set(chunk, undefined);
  }

  isAwayNow(chunk: ChunkId): void {
    this.#localBytes -= this.#local.get(chunk) ?? 0;
    this.#local.delete(chunk);
    this.#away.add(chunk);
    if (!this.#fetched.has(chunk)) this.#order.delete(chunk);
  }

  isLocalNow(chunk: ChunkId, fileBytes: number): void {
    this.#localBytes += fileBytes - (this.#local.get(chunk) ?? 0);
    this.#local.set(chunk, fileBytes);
    this.#away.delete(chunk);
    this.#fetched.delete(chunk);
    this.#order.set(chunk, undefined);
  }

  addFetched(fetched: FetchedChunk): void {
    this.#fetched.set(fetched.chunk, fetched);
    this.#order.set(fetched.chunk, undefined);
  }

  removeFetched(chunk: ChunkId): void {
    this.#fetched.delete(chunk);
    if (!this.#local.has(chunk)) this.#order.delete(chunk);
  }

  /** Nothing names it any more. Returns what was fetched of it. */
  forget(chunk: ChunkId): FetchedChunk | undefined {
    const fetched = this.#fetched.get(chunk);
    this.#localBytes -= this.#local.get(chunk) ?? 0;
    this.#local.delete(chunk);
    this.#away.delete(chunk);
    this.#fetched.delete(chunk);
    this.#order.delete(chunk);
    return fetched;
  }

  /** Somebody must find it again: it is not evicted. */
  hold(chunk: ChunkId): void {
    this.#holds.set(chunk, (this.#holds.get(chunk) ?? 0) + 1);
  }

  letGo(chunk: ChunkId): void {
    const left = (this.#holds.get(chunk) ?? 0) - 1;
    if (left > 0) this.#holds.set(chunk, left);
    else this.#holds.delete(chunk);
  }

  isHeld(chunk: ChunkId): boolean {
    return this.#holds.has(chunk);
  }
}
