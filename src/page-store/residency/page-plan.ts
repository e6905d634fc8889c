/**
 * WHICH BLOCKS ARE BROUGHT WITH A PAGE. Pure: told where pages lie and what is missing of chunks.
 *
 *   page 7 is away ─► 7, and of 8, 9, 10, … those that are away, until their blocks fill the window
 *                     └ the window doubles with each miss of a visit
 *
 * (1) So a statement that goes through n pages in order waits O(log n) times, until the window has its
 *     largest size; one that wants a single page fetches little more.
 * (2) A database whose missing pages are few is brought as a whole at the first miss.
 * (3) At most LOOKS_MAX pages are looked up, so that planning is short.
 */
import { type ChunkId, KIB, MIB } from "../../base/units.ts";
import { chunkOf, NOWHERE, offsetOf } from "../maps/location.ts";
import { BLOCK_BYTES } from "./blocks.ts";
import type { ByteRange } from "./remote-chunks.ts";

/** A page that is away, and the database that it is of, as it is read. */
export interface PageFrom {
  readonly pageNumber: number;
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly locationOf: (pageNumber: number) => number;
}

export interface PlanGround {
  /** Blocks that reading these bytes of a chunk needs and that are not here. */
  readonly missing: (chunk: ChunkId, range: ByteRange) => readonly number[];
  /** A record takes at most this much. */
  readonly recordBytes: number;
  readonly misses: number;
  readonly windowBytesMax: number;
}

/** Blocks to bring, by chunk. */
export type PagePlan = ReadonlyMap<ChunkId, ReadonlySet<number>>;

export const WINDOW_BYTES_MAX = 256 * MIB;
const WINDOW_BYTES_MIN = 64 * KIB;
const SMALL_DATABASE_BYTES = MIB;
/** What its pages may take in blocks: they may lie here and there. */
const SMALL_BLOCK_BYTES = 16 * MIB;
const LOOKS_MAX = 32_768;

/** What to bring behind a page, for the n-th miss of a visit. */
export function planPages(from: PageFrom, ground: PlanGround): PagePlan {
  if (ground.misses === 1) {
    const all = collect(from, ground, {
      pages: Math.floor(SMALL_DATABASE_BYTES / Math.max(1, from.pageBytes)),
      bytes: SMALL_BLOCK_BYTES,
      around: true,
    });
    if (all.isAll) return all.plan;
  }
  const doubled = WINDOW_BYTES_MIN * 2 ** Math.min(30, ground.misses - 1);
  const bytes = Math.max(WINDOW_BYTES_MIN, Math.min(doubled, ground.windowBytesMax));
  return collect(from, ground, { pages: LOOKS_MAX, bytes, around: false }).plan;
}

interface Limits {
  /** That are away. */
  readonly pages: number;
  /** Of blocks. */
  readonly bytes: number;
  /** From its end on to the page, too: see (2). */
  readonly around: boolean;
}

function collect(
  { pageNumber, pageCount, locationOf }: PageFrom,
  { missing, recordBytes }: PlanGround,
  limits: Limits,
): { readonly plan: PagePlan; readonly isAll: boolean } {
  const plan = new Map<ChunkId, Set<number>>();
  const looks = Math.min(LOOKS_MAX, limits.around ? pageCount : pageCount - pageNumber + 1);
  let [pages, bytes] = [0, 0];
  for (let step = 0; step < looks; step += 1) {
    const location = locationOf(1 + ((pageNumber - 1 + step) % pageCount));
    if (location <= NOWHERE) continue;
    const chunk = chunkOf(location);
    const blocks = missing(chunk, { offset: offsetOf(location), bytes: recordBytes });
    if (blocks.length === 0) continue;
    const planned = plan.get(chunk) ?? new Set();
    plan.set(chunk, planned);
    bytes += blocks.filter((block) => !planned.has(block)).length * BLOCK_BYTES;
    pages += 1;
    const isTooMuch = bytes > limits.bytes || pages > limits.pages;
    if (isTooMuch && pages > 1) return { plan, isAll: false };
    for (const block of blocks) planned.add(block);
  }
  return { plan, isAll: looks >= pageCount };
}
