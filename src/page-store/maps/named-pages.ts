/**
 * WHO NAMES A PAGE OF A CHUNK: the rows of page maps that do, as the commit in the making will leave
 * them.
 *
 * (1) All that may name a page of a family is asked: forks share pages, and versions do.
 */
import type { ChunkId, StreamId } from "../../base/units.ts";
import type { ChunkEntry } from "../../chunk/index.ts";
import { MAP_ROW_PAGES, type MapRow } from "../../manifest/index.ts";
import type { Pins } from "../versions/pins.ts";
import { locationOf } from "./location.ts";
import type { MapDraft } from "./map-draft.ts";

export interface Naming {
  readonly stream: StreamId;
  readonly row: MapRow;
  /** No newer version of the row is there. */
  readonly isNewest: boolean;
}

export class NamedPages {
  readonly #pins: Pins;
  readonly #draft: MapDraft;
  /** Rows of the family that were looked up last: pages of a row lie together. */
  #rows: { family: number; rowIndex: number; of: readonly Naming[] } | undefined;

  constructor(pins: Pins, draft: MapDraft) {
    this.#pins = pins;
    this.#draft = draft;
  }

  isNamed(chunk: ChunkId, entry: ChunkEntry): boolean {
    const location = locationOf(chunk, entry.offset);
    const index = (entry.pageNumber - 1) % MAP_ROW_PAGES;
    return this.#rowsOf(entry).some(({ row }) => row.locations[index] === location);
  }

  naming(chunk: ChunkId, entry: ChunkEntry): readonly Naming[] {
    const location = locationOf(chunk, entry.offset);
    const index = (entry.pageNumber - 1) % MAP_ROW_PAGES;
    return this.#rowsOf(entry).filter(({ row }) => row.locations[index] === location);
  }

  #rowsOf({ stream: family, pageNumber }: ChunkEntry): readonly Naming[] {
    const rowIndex = Math.floor((pageNumber - 1) / MAP_ROW_PAGES);
    if (this.#rows?.family === family && this.#rows.rowIndex === rowIndex) return this.#rows.of;
    const of: Naming[] = [];
    for (const stream of this.#pins.membersOf(family as StreamId)) {
      const versions = this.#draft.versions(stream, rowIndex);
      for (const [at, row] of versions.entries()) {
        of.push({ stream, row, isNewest: at === versions.length - 1 });
      }
    }
    this.#rows = { family, rowIndex, of };
    return of;
  }
}
