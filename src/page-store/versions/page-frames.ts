/**
 * WHAT THE LOG GETS OF EACH PAGE OF A COMMIT: a delta, the whole image, or nothing.
 *
 *   what is there now, in memory │ same image │ another
 *   ─────────────────────────────┼────────────┼──────────────────────────────────────
 *   a version that may be a base │  nothing   │ a delta, or the image if that is shorter
 *   a version, or a cached image │  nothing   │ the image
 *   nothing                      │            the image
 *
 * (1) A delta is made only against the newest version, in memory, above the last checkpoint that was
 *     begun, and at most `deltasMax` deltas away from a full image.
 * (2) An image that is what is there already makes no frame and no version: SQLite writes such.
 * (3) Nothing is read from a file to find out: that would cost more than the frame.
 */
import { assert } from "../../base/assert.ts";
import type { Lsn, PageNumber, StreamId } from "../../base/units.ts";
import { LOGGED_WHOLE, UNCHANGED } from "../../write/index.ts";
import type { Commons } from "../commons.ts";
import { NOWHERE } from "../maps/location.ts";
import type { PageMap } from "../maps/page-map.ts";
import type { PageSetChange, StagedCommit } from "../page-space.ts";
import { tooLarge } from "../spill/spill.ts";
import type { SpilledCommits } from "../spill/spilled.ts";
import { newVersion, type Overlay, type Version } from "./overlay.ts";
import type { StagingDatabase } from "./staging.ts";
import type { Truncations } from "./truncations.ts";

/** A database with what tells what a page of it is now. */
export interface LoggedDatabase extends StagingDatabase {
  readonly stream: StreamId;
  readonly commons: Commons;
  readonly newestLsn: Lsn;
  readonly map: PageMap;
  readonly overlay: Overlay;
  readonly truncations: Truncations;
  readonly spilled: SpilledCommits;
}

/** Throws what the log throws, and BOP_TRANSACTION_TOO_LARGE; nothing is staged then. */
export function stagePages(database: LoggedDatabase, change: PageSetChange): StagedCommit {
  const { pageCount, pageBytes, pages } = change;
  const { staging, log, maxTransactionBytes } = database.commons;
  const bytes = pages.size * pageBytes;
  if (bytes > maxTransactionBytes) throw tooLarge(bytes, maxTransactionBytes);
  staging.begin(database, { pageCount, pageBytes }, log.stage(database.stream));
  try {
    for (const [pageNumber, image] of pages) {
      assert(image.length === pageBytes, () => `page ${pageNumber} has ${image.length} bytes`);
      if (pageNumber <= pageCount) stagePage(database, pageNumber as PageNumber, image);
    }
  } catch (error) {
    staging.discard();
    throw error;
  }
  return staging;
}

function stagePage(database: LoggedDatabase, pageNumber: PageNumber, image: Uint8Array): void {
  const { staging, deltaFloorLsn, deltasMax } = database.commons;
  const { frames } = staging;
  const chain = database.overlay.chain(pageNumber);
  const newest = chain?.newest;
  const isThere = newest?.image.length === image.length && isPageNow(database, pageNumber, newest);
  const base = isThere ? newest : undefined;
  let deltas = 0;
  let sum: number | undefined;
  if (base !== undefined && base.lsn > deltaFloorLsn && base.deltas < deltasMax) {
    const change = { baseLsn: base.lsn, base: base.image, baseSum: base.sum, image };
    const logged = frames.delta(pageNumber, change);
    if (logged === UNCHANGED) {
      staging.addUnchanged(image);
      return;
    }
    if (logged !== LOGGED_WHOLE) {
      deltas = base.deltas + 1;
      sum = logged;
    }
  } else {
    const there = base?.image ?? cachedImage(database, pageNumber, newest);
    if (there?.length === image.length && Buffer.compare(there, image) === 0) {
      staging.addUnchanged(image);
      return;
    }
    frames.page(pageNumber, image);
  }
  staging.add(pageNumber, chain, newVersion(image, { deltas, sum }));
}

/** Whether the newest version of a page is what the page is now. */
function isPageNow(database: LoggedDatabase, pageNumber: number, { lsn }: Version): boolean {
  if (lsn <= database.map.checkpointLsn) return false;
  return !isHidden(database, pageNumber, lsn) && !isSpilled(database, pageNumber, lsn);
}

/** The checkpointed image of a page without newer versions, if that costs no read. */
function cachedImage(
  database: LoggedDatabase,
  pageNumber: number,
  newest: Version | undefined,
): Uint8Array | undefined {
  const { map, commons } = database;
  const mapLsn = map.checkpointLsn;
  if (isHidden(database, pageNumber, mapLsn)) return undefined;
  if (newest !== undefined && newest.lsn > mapLsn) return undefined;
  if (isSpilled(database, pageNumber, mapLsn)) return undefined;
  const location = map.location(pageNumber);
  return location <= NOWHERE ? undefined : commons.cache.peek(location);
}

/** The page was cut off since. */
function isHidden(database: LoggedDatabase, pageNumber: number, writtenLsn: Lsn): boolean {
  const { truncations } = database;
  return !truncations.none && truncations.hides(pageNumber, writtenLsn, database.newestLsn);
}

/** A later commit that was spilled has the page. */
function isSpilled(database: LoggedDatabase, pageNumber: number, writtenLsn: Lsn): boolean {
  const { spilled } = database;
  return !spilled.none && spilled.find(pageNumber, writtenLsn, database.newestLsn) !== undefined;
}
