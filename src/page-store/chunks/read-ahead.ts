/**
 * PAGES FROM CHUNK FILES INTO THE CACHE: the one that is asked for, and those behind it while a reader
 * goes through a database page by page. SQLite cannot wait, so what is read ahead is read with the page
 * that was asked for, in one call: after a bulk load or a checkpoint the records of neighbouring
 * pages lie one behind the other.
 *
 *   chunk    … │ page 8 │ page 9 │ page 10 │ other │ page 11 │ …
 *              └ asked for          one read                 ┘
 *
 * (1) A stretch lies in one chunk, and is at most STRETCH_BYTES_MAX and a quarter of the cache long.
 * (2) Every page of it is verified as if it had been read alone, and kept under its own location:
 *     whoever looks there, in whatever snapshot, wants this page and no other.
 * (3) What is wrong with a neighbour does not concern who asked for this page: it is not kept, and
 *     reported when it is itself read. If the stretch cannot be read, or is not here, the page is
 *     read alone.
 * (4) The image that `load` returns is good until the next call.
 */

import { StorageError } from "../../base/errors.ts";
import { KIB } from "../../base/units.ts";
import { recordBytes } from "../../chunk/index.ts";
import type { PageCache } from "../../page-cache/index.ts";
import { chunkOf, NOWHERE, offsetOf } from "../maps/location.ts";
import { BytesAway } from "../residency/pages-away.ts";
import type { ChunkFiles } from "./chunk-files.ts";
import { imageInStretch, type Stretch } from "./chunk-stretch.ts";
import { type AheadPage, type Miss, type Sequence, Sequences } from "./sequences.ts";

const STRETCH_BYTES_MAX = 512 * KIB;
const PAGE_BYTES_MAX = 64 * KIB;

/** A page that the cache has not. */
export interface MissedPage extends Miss {
  readonly location: number;
  readonly pageBytes: number;
  readonly database: string | undefined;
  /** Where the reader would find a page; NOWHERE if not in a chunk. */
  readonly locationOf: (pageNumber: number) => number;
}

export class ReadAhead {
  readonly #cache: PageCache;
  readonly #files: ChunkFiles;
  readonly #sequences = new Sequences();
  readonly #isUnused: (location: number) => boolean;
  readonly #page = new Uint8Array(PAGE_BYTES_MAX);
  /** Made when it is first needed. */
  #stretch: Uint8Array | undefined;

  constructor(cache: PageCache, files: ChunkFiles) {
    this.#cache = cache;
    this.#files = files;
    this.#isUnused = (location) => cache.isAhead(location);
  }

  /** The image of a page, verified. Throws BOP_CORRUPT, BOP_IO or BytesAway. */
  load(page: MissedPage): Uint8Array {
    const sequence = this.#sequences.missed(page, this.#isUnused);
    const ahead = this.#neighbours(page, sequence.window);
    return (
      (ahead.length === 0 ? undefined : this.#loadAll(page, ahead, sequence)) ?? this.#loadOne(page)
    );
  }

  #loadOne({ stream, pageNumber, location, pageBytes, database }: MissedPage): Uint8Array {
    const into = this.#page.subarray(0, pageBytes);
    this.#files.read({ stream, pageNumber, location, into, database });
    return this.#cache.insert(location, into) ?? into;
  }

  /** Undefined if the page has to be read alone. */
  #loadAll(
    page: MissedPage,
    ahead: readonly AheadPage[],
    sequence: Sequence,
  ): Uint8Array | undefined {
    const cache = this.#cache;
    const stretch = this.#read(page, ahead);
    if (stretch === "away") return undefined;
    const image = stretch === undefined ? undefined : imageInStretch(stretch, page);
    if (stretch === undefined || image === undefined) {
      sequence.close();
      return undefined;
    }
    const kept = cache.insert(page.location, image);
    if (kept === undefined || !cache.pin(page.location)) return image;
    const taken = ahead.filter((neighbour) => {
      const found = imageInStretch(stretch, { ...page, ...neighbour });
      return found !== undefined && cache.insertAhead(neighbour.location, found) !== undefined;
    });
    cache.unpin(page.location);
    sequence.took(taken);
    return kept;
  }

  /** Pages behind it that lie within reach in the same chunk and are not in the cache, in order. */
  #neighbours(page: MissedPage, window: number): AheadPage[] {
    const { pageNumber, location, pageBytes } = page;
    const reach = this.#reachBytes(pageBytes, window);
    const ahead: AheadPage[] = [];
    for (let step = 1; step < window && reach > 0; step += 1) {
      const neighbour = page.locationOf(pageNumber + step);
      if (neighbour <= NOWHERE || chunkOf(neighbour) !== chunkOf(location)) continue;
      const distance = offsetOf(neighbour) - offsetOf(location);
      if (distance <= 0 || distance > reach || this.#cache.peek(neighbour) !== undefined) continue;
      ahead.push({ pageNumber: pageNumber + step, location: neighbour });
    }
    return ahead;
  }

  /** How far behind the record of a page that of a neighbour may begin: see (1). */
  #reachBytes(pageBytes: number, window: number): number {
    const bytes = Math.min(STRETCH_BYTES_MAX, this.#cache.budgetBytes / 4);
    const records = Math.floor(bytes / recordBytesMax(pageBytes));
    return (Math.min(window, records) - 1) * recordBytesMax(pageBytes);
  }

  #read(page: MissedPage, ahead: readonly AheadPage[]): Stretch | "away" | undefined {
    const furthest = Math.max(...ahead.map(({ location }) => offsetOf(location)));
    const bytes = furthest - offsetOf(page.location) + recordBytesMax(page.pageBytes);
    this.#stretch ??= new Uint8Array(STRETCH_BYTES_MAX);
    try {
      return this.#files.readStretch(page, this.#stretch.subarray(0, bytes));
    } catch (error) {
      if (error instanceof StorageError) return undefined; // See (3).
      if (error instanceof BytesAway) return "away";
      throw error;
    }
  }
}

/** A page takes no more than this in a chunk, of whatever codec. */
function recordBytesMax(pageBytes: number): number {
  return recordBytes(pageBytes, "deflate");
}
