/**
 * HOW MUCH OF EACH CHUNK IS USED, as far as is known without looking into it: for the plan of
 * compaction.
 *
 * (1) `references` counts a page once for each version of a row that names it, so it bounds the pages
 *     that are named. So does what was once counted, whatever happened since: a page that no row
 *     names is never named again.
 * (2) The newest maps name `livePages`. Where there are no forks each of these is a page of its own:
 *     so many are used at least. With forks they are a guess.
 * (3) A count holds until either number has fallen by an eighth of the chunk's pages.
 */
import type { ChunkId } from "../../base/units.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import { type ChunkUse, type Space, spaceOf } from "./compaction-plan.ts";

interface Count {
  readonly used: number;
  readonly references: number;
  readonly livePages: number;
}

const WORTH_A_COUNT_SHARE = 1 / 8;

export interface UsesWorld {
  readonly hasForks: () => boolean;
  /** It is not here, or damaged, and cannot be had for now. Absent: all chunks are here. */
  readonly rests?: (chunk: ChunkId) => boolean;
}

export class ChunkUses {
  readonly #world: UsesWorld;
  readonly #counts = new Map<ChunkId, Count>();
  readonly #damaged = new Set<ChunkId>();

  constructor(world: UsesWorld) {
    this.#world = world;
  }

  *of(rows: Iterable<ChunkRow>): Generator<ChunkUse> {
    const hasForks = this.#world.hasForks();
    for (const row of rows) yield this.#use(row, hasForks);
  }

  /** What is known of these; amplification is at least what it says. */
  space(rows: Iterable<ChunkRow>): Space {
    return spaceOf(this.of(rows));
  }

  counted({ chunk, references, livePages }: ChunkRow, used: number): void {
    this.#counts.set(chunk, { used, references, livePages });
  }

  /** It could not be read: nobody tries again before it is healed, or the store opened again. */
  damaged(chunk: ChunkId): void {
    this.#damaged.add(chunk);
  }

  /** Its file is whole again. */
  healed(chunk: ChunkId): void {
    this.#damaged.delete(chunk);
  }

  /** What is known once a change is published is noted here, and nowhere else before. */
  copy(): ChunkUses {
    const copy = new ChunkUses(this.#world);
    copy.adopt(this);
    return copy;
  }

  adopt(other: ChunkUses): void {
    for (const [chunk, count] of other.#counts) this.#counts.set(chunk, count);
    for (const chunk of other.#damaged) this.#damaged.add(chunk);
  }

  /** The chunk is gone. */
  forget(chunk: ChunkId): void {
    this.#counts.delete(chunk);
    this.#damaged.delete(chunk);
  }

  #use(row: ChunkRow, hasForks: boolean): ChunkUse {
    const { chunk, fileBytes, pageCount, references, livePages } = row;
    const count = this.#counts.get(chunk);
    const usedMax = Math.min(pageCount, references, count?.used ?? pageCount);
    const usedGuess = Math.min(usedMax, livePages);
    const isKnown = count !== undefined && !isWorthACount(row, count);
    const usedMin = isKnown ? usedMax : hasForks ? 0 : usedGuess;
    const isDamaged = this.#damaged.has(chunk) || this.#world.rests?.(chunk) === true;
    const isCertain = !hasForks && references === livePages;
    return { chunk, fileBytes, pageCount, usedMax, usedMin, usedGuess, isCertain, isDamaged };
  }
}

function isWorthACount({ pageCount, references, livePages }: ChunkRow, count: Count): boolean {
  const fallen = Math.max(count.references - references, count.livePages - livePages);
  return fallen >= pageCount * WORTH_A_COUNT_SHARE;
}
