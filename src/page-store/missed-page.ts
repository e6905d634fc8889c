/**
 * A PAGE THAT MEMORY HAS NOT, for one reader of one database: it comes from the chunk in which the
 * reader finds it, with neighbours that the reader may want next.
 *
 * (1) Neighbours are looked up as the reader sees them: in the spilled commit that it finds the page in,
 *     then in its map.
 * (2) What is not here is told with all that a fetch has to know of the read: whoever asked comes back
 *     only when it is there.
 */
import type { PageNumber, StreamId } from "../base/units.ts";
import type { Commons } from "./commons.ts";
import { BytesAway } from "./residency/pages-away.ts";
import type { SpilledCommits } from "./spill/spilled.ts";
import type { Moment } from "./versions/moments.ts";

export interface ReadDatabase {
  readonly commons: Commons;
  readonly stream: StreamId;
  readonly family: StreamId;
  readonly spilled: SpilledCommits;
}

/** Throws BOP_CORRUPT, BOP_IO or PagesAway. The image is good until the next call. */
export function loadMissed(
  { commons, stream, family, spilled }: ReadDatabase,
  moment: Moment,
  { pageNumber, location }: { readonly pageNumber: PageNumber; readonly location: number },
): Uint8Array {
  const { lsn: readerLsn, map, pageCount, pageBytes } = moment;
  const pages = spilled.find(pageNumber, map.checkpointLsn, readerLsn)?.pages;
  const locationOf = (page: number) =>
    pages?.has(page) ? pages.location(page) : map.location(page);
  const database = commons.nameOf(stream);
  const page = {
    stream: family,
    readerLsn,
    pageNumber,
    location,
    pageBytes,
    database,
    locationOf,
  };
  try {
    return commons.readAhead.load(page);
  } catch (error) {
    if (!(error instanceof BytesAway)) throw error;
    throw commons.residency.pagesAway(error, { ...page, pageCount });
  }
}
