/**
 * WRITES ONE PART OF A CHECKPOINT: the pages of each of its layers into chunks, and the rows that say
 * where they lie.
 *
 * (1) A page is written once, in the first layer that sees it; later ones name it where it is.
 * (2) What a commit cut off is cleared before anything of its layer is set.
 */
import type { Lsn, StreamId } from "../../base/units.ts";
import type { ChunkWriter } from "../chunks/chunk-writer.ts";
import type { MapDraft } from "../maps/map-draft.ts";
import { type LocationTally, MapEdit } from "../maps/map-edit.ts";
import type { PageMap } from "../maps/page-map.ts";
import { THROUGH_ROW } from "../maps/page-map.ts";
import type { Adoption } from "../spill/adoption.ts";
import { inOrder } from "./page-order.ts";
import { type Layer, newestMap, type Part, rowOfBase } from "./parts.ts";
import type { Slices } from "./slices.ts";

export interface PartGround {
  readonly writer: ChunkWriter;
  readonly adoption: Adoption;
  readonly draft: MapDraft;
  readonly tally: LocationTally;
  readonly slices: Slices;
  readonly parts: ReadonlyMap<StreamId, Part>;
}

const UNCOUNTED: LocationTally = { gained: () => undefined, lost: () => undefined };

/** Resolves with the number of pages that it wrote. */
export async function writePart(part: Part, ground: PartGround): Promise<number> {
  let pages = 0;
  for (const layer of part.layers) {
    const edit = editOf(part, ground);
    const after = newestMap(part).checkpointLsn;
    pages += await writeLayer({ part, layer, edit, after }, ground);
    finishLayer({ part, layer, edit }, ground.draft);
  }
  if (part.isDropped) ground.adoption.leave(part.database, newestMap(part).checkpointLsn);
  return pages;
}

/** A map after the newest one of a part. */
export function editOf(part: Part, { draft, tally, parts }: PartGround): MapEdit {
  const { database, stream, isDropped } = part;
  const base = newestMap(part);
  const isFork = database.base !== undefined;
  return new MapEdit(base, {
    // Of one that was dropped nothing is the newest.
    tally: isDropped ? UNCOUNTED : tally,
    isOwn: (rowIndex) => !isFork || draft.find(stream, rowIndex, base.station) !== undefined,
    whole: (rowIndex, row) => (row === THROUGH_ROW ? rowOfBase(database, rowIndex, parts) : row),
  });
}

interface LayerWork {
  readonly part: Part;
  readonly layer: Layer;
  readonly edit: MapEdit;
}

async function writeLayer(
  { part, layer, edit, after }: LayerWork & { readonly after: Lsn },
  { writer, adoption, slices }: PartGround,
): Promise<number> {
  const { database } = part;
  const { lsn, pageCount, pageBytes } = layer;
  const smallest = database.truncations.smallest(after, lsn);
  if (smallest !== undefined) await clearAbove(edit, smallest, slices);
  await adoption.take({ database, edit, pageCount, slices, after }, lsn);
  let pages = 0;
  for (const pageNumber of await inOrder(database.overlay.pageNumbers(), slices)) {
    if (pageNumber > pageCount) break;
    await slices.pause();
    // No room for what is not to be written: a chunk of no page would have no reference.
    if (database.checkpointVersion(pageNumber, after, lsn) === undefined) continue;
    await writer.room(pageBytes);
    const version = database.checkpointVersion(pageNumber, after, lsn);
    if (version === undefined) continue;
    const { image, lsn: versionLsn } = version;
    const page = { stream: database.family, pageNumber, lsn: versionLsn, image };
    const location = writer.add(page);
    version.location = location;
    edit.set(pageNumber, location);
    pages += 1;
  }
  return pages;
}

async function clearAbove(edit: MapEdit, pageCount: number, slices: Slices): Promise<void> {
  for (const rowIndex of edit.rowsAbove(pageCount)) {
    edit.clearRow(rowIndex, pageCount);
    await slices.pause();
  }
}

function finishLayer({ part, layer, edit }: LayerWork, draft: MapDraft): void {
  const { stream } = part;
  const { lsn: checkpointLsn, commitLsn: station, pageCount, pageBytes } = layer;
  const map: PageMap = edit.finish({ checkpointLsn, station, pageCount, pageBytes });
  for (const [rowIndex, locations] of edit.changed) {
    draft.put({ stream, rowIndex, fromLsn: station, locations });
  }
  part.edits.push(edit);
  part.maps.push(map);
}
