/**
 * FLATTENING: a fork gets the rows of its origin that it never wrote, as rows of its own, so that it
 * reads nothing through the origin any more. Locations only: no page is copied.
 *
 * (1) A fork whose origin was dropped is flattened, and so is one that reads through more than
 *     CHAIN_MAX others. The rest is left as it is: most forks do not live long.
 * (2) The rows count from the moment of the fork, which every version of the fork lies at or above.
 *     Rows that only a later version of the fork has written are needed too: by the earlier ones.
 * (3) One checkpoint does a bounded part; the next goes on where it ended.
 */
import type { Lsn, StreamId } from "../../base/units.ts";
import type { MapDraft } from "../maps/map-draft.ts";
import { isEmptyRow, type LocationTally } from "../maps/map-edit.ts";
import { rowCount } from "../maps/page-map.ts";
import { CHAIN_MAX, type Pins } from "../versions/pins.ts";
import { newestMap, type Part, rowOfBase } from "./parts.ts";
import type { Slices } from "./slices.ts";

/** 8 GiB of pages of 4 KiB. */
const ROWS_MAX = 4096;

export interface FlattenGround {
  readonly draft: MapDraft;
  readonly tally: LocationTally;
  readonly slices: Slices;
  readonly parts: ReadonlyMap<StreamId, Part>;
  /** Oldest version of a fork. */
  readonly oldestStation: (part: Part) => Lsn;
}

export class Flattening {
  /** The row to go on with. */
  readonly #next = new Map<StreamId, number>();

  /** Flattens what it can of the forks among the parts that `wants` says. */
  async run(forks: readonly Part[], ground: FlattenGround): Promise<ReadonlyMap<StreamId, number>> {
    const next = new Map<StreamId, number>();
    let left = ROWS_MAX;
    for (const part of forks) {
      if (left === 0) break;
      const from = this.#next.get(part.stream) ?? 0;
      const to = await flatten(part, { from, to: from + left }, ground);
      left -= to - from;
      next.set(part.stream, to);
    }
    return next;
  }

  /** What was run is in the manifest. */
  published(next: ReadonlyMap<StreamId, number>, parts: ReadonlyMap<StreamId, Part>): void {
    for (const [stream, rowIndex] of next) {
      if (parts.get(stream)?.isFlattened === true) this.#next.delete(stream);
      else this.#next.set(stream, rowIndex);
    }
  }
}

/** See (1). What is about to end is left alone. */
export function forksToFlatten({ pins }: { readonly pins: Pins }, lsn: Lsn): StreamId[] {
  return [...pins.forks()].filter((stream) => {
    const base = pins.baseOf(stream);
    if (base === undefined) return false;
    if (pins.isDropped(stream, lsn) && !pins.isHeld(stream, lsn)) return false;
    return pins.isDropped(base.stream, lsn) || pins.depth(stream) > CHAIN_MAX;
  });
}

/** Resolves with the index of the row that comes next. */
async function flatten(
  part: Part,
  range: { readonly from: number; readonly to: number },
  { draft, tally, slices, parts, oldestStation }: FlattenGround,
): Promise<number> {
  const { database, stream } = part;
  const { base } = database;
  if (base === undefined) return range.from;
  const count = rowCount(base.moment.pageCount);
  const oldest = oldestStation(part);
  const newest = newestMap(part).station;
  let rowIndex = range.from;
  for (; rowIndex < count && rowIndex < range.to; rowIndex += 1) {
    await slices.pause();
    if (draft.find(stream, rowIndex, oldest) !== undefined) continue;
    const row = rowOfBase(database, rowIndex, parts);
    if (isEmptyRow(row)) continue;
    if (!part.isDropped && draft.find(stream, rowIndex, newest) === undefined) {
      for (const location of row) if (location > 0) tally.gained(location);
    }
    draft.put({ stream, rowIndex, fromLsn: base.moment.lsn, locations: row.slice() });
  }
  part.isFlattened = rowIndex >= count;
  return rowIndex;
}
