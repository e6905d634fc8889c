/**
 * FORKS OF THE PAST: a database that begins as another one was at any commit of the history window.
 *
 *     map version            next map version
 *          │◄── log of (S, X] ──►│
 *          S ──────────── X ─────────────────►
 *          └ fork of S, and one commit with what the log changed up to X
 *
 * (1) A moment at which the database was as one of its map versions is a fork like any other: one
 *     entry of the catalogue. For any other the fork is an import until its one commit is durable,
 *     so that a crash leaves all of it or nothing.
 * (2) What is chosen is held in the same go: the map version by the fork itself, the log by a hold. So
 *     the window may move on meanwhile.
 * (3) A transaction that was too large for memory left its pages in chunks, and the log has but their
 *     names. Checkpoints make a map version of such a commit, so that none lies on the way; where
 *     none has run since, one does.
 * (4) Commits at or below the moment are in it, and those of a time are those of its millisecond and
 *     before. Only what is durable can be asked for.
 */
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { LSN_ZERO, type Lsn, laterLsn, lsn, type StreamId } from "../../base/units.ts";
import type { MapMoments, PageStore } from "../../page-store/index.ts";
import type { HistoryHold, StoredLog } from "../../write/index.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { CatalogueRow } from "../catalogue/catalogue-row.ts";
import type { DatabaseName } from "../catalogue/names.ts";
import type { Door } from "../opening/door.ts";
import type { ImportTarget } from "../transfer/import.ts";
import type { PastMoment } from "./forks.ts";
import { replayInto } from "./past-replay.ts";

export interface PastGround {
  readonly catalogue: Catalogue;
  readonly log: StoredLog;
  readonly pages: Pick<PageStore, "versions" | "holdVersion">;
  readonly clock: Clock;
  readonly door: Door;
  readonly durable: (lsn: Lsn) => Promise<void>;
  readonly assertWritable: () => void;
  readonly targetOf: (stream: StreamId) => Promise<ImportTarget>;
  /** Undoes a fork that came to nothing. */
  readonly discard: (stream: StreamId) => void;
  readonly checkpoint: () => Promise<void>;
}

export interface PastFork {
  readonly stream: StreamId;
  readonly at: PastMoment;
  readonly name: DatabaseName;
}

/** A moment of a database, wanted for a fork or an export. */
interface PastWish extends Pick<PastFork, "at" | "stream"> {
  readonly what?: "fork" | "export";
}

/** What a fork begins with. */
interface Chosen {
  readonly origin: { readonly stream: StreamId; readonly lsn: Lsn };
  /** Log that is to be replayed on it. */
  readonly after: Lsn;
  readonly upTo: Lsn;
  release(): void;
}

/** Resolves with the stream of the fork, durable. Throws BOP_SNAPSHOT_GONE and RangeError. */
export async function forkPast(ground: PastGround, wanted: PastFork): Promise<StreamId> {
  ground.assertWritable();
  const upTo = await momentIn(ground, wanted);
  const first = await attempt(ground, { ...wanted, upTo });
  if (first !== "spilled") return first;
  await ground.checkpoint();
  const second = await attempt(ground, { ...wanted, upTo });
  if (second !== "spilled") return second;
  const row = rowOf(ground, wanted.stream);
  throw gone(ground, { row, lsn: upTo, what: `LSN ${upTo}, behind a large transaction,` });
}

/** The fork, once it is there; or "spilled", see (3), and nothing was done. */
async function attempt(
  ground: PastGround,
  { stream: from, name, upTo }: PastFork & { readonly upTo: Lsn },
): Promise<StreamId | "spilled"> {
  const { catalogue, clock, door, durable } = ground;
  const opened = door.enter();
  if (opened !== undefined) await opened;
  const chosen = choose(ground, { row: rowOf(ground, from), upTo });
  try {
    const { origin, after } = chosen;
    const importing = upTo > after;
    const fork = { name, origin, createdAtMs: clock.wallMs(), importing };
    const { stream, lsn: entryLsn } = catalogue.fork(fork);
    if (importing) return await fill(ground, { stream, from, chosen });
    await durable(entryLsn);
    return stream;
  } finally {
    chosen.release();
  }
}

/** The LSN that a moment stands for; durable. */
export async function momentIn(
  ground: PastGround,
  { at, stream, what = "fork" }: PastWish,
): Promise<Lsn> {
  const { log, clock, durable } = ground;
  if (!(at instanceof Date)) {
    if (at.lsn > log.newestLsn) {
      const range = `the newest commit is at LSN ${log.newestLsn}`;
      throw new RangeError(`${what}: at.lsn is ${at.lsn}, and ${range}`);
    }
    await durable(lsn(at.lsn));
    return lsn(at.lsn);
  }
  const newestMs = Math.max(clock.wallMs(), log.history.newestMs);
  if (at.getTime() > newestMs) {
    const now = new Date(newestMs).toISOString();
    throw new RangeError(`${what}: at is ${at.toISOString()}, and it is ${now} now`);
  }
  const found = await log.history.lsnAt(at.getTime());
  if (found !== undefined) return found;
  throw gone(ground, { row: rowOf(ground, stream), lsn: LSN_ZERO, what: at.toISOString() });
}

/** See (2). Nothing happens between this and the entry of the fork, or the view of an export. */
export function choose(
  ground: PastGround,
  { row, upTo }: { readonly row: CatalogueRow; readonly upTo: Lsn },
): Chosen {
  const { pages } = ground;
  const { stream } = row;
  const versions = pages.versions(stream);
  const version = versions.findLast(({ lsn: station }) => station <= upTo);
  const missing = () => gone(ground, { row, lsn: upTo, what: `LSN ${upTo}` });
  if (version === undefined || upTo < row.createdLsn) throw missing();
  const held = holdsOf(ground, { stream, version, upTo });
  if (held === undefined) throw missing();
  const origin = { stream, lsn: version.lsn };
  return { origin, after: version.upToLsn, upTo, release: held.release };
}

function holdsOf(
  { pages, log }: PastGround,
  from: { readonly stream: StreamId; readonly version: MapMoments; readonly upTo: Lsn },
): HistoryHold | undefined {
  const { stream, version, upTo } = from;
  const needsLog = version.upToLsn < upTo;
  const ofLog = needsLog ? log.history.hold(version.upToLsn) : undefined;
  if (needsLog && ofLog === undefined) return undefined;
  try {
    const ofVersion = pages.holdVersion(stream, version.lsn);
    return {
      release: () => {
        ofVersion.release();
        ofLog?.release();
      },
    };
  } catch (error) {
    ofLog?.release();
    throw error;
  }
}

interface Filling {
  readonly stream: StreamId;
  readonly from: StreamId;
  readonly chosen: Chosen;
}

/** The one commit of a fork, and then it is there. */
async function fill(
  ground: PastGround,
  { stream, from, chosen }: Filling,
): Promise<StreamId | "spilled"> {
  const { catalogue, log, clock, door, durable, discard, assertWritable } = ground;
  const { after: afterLsn, upTo: upToLsn } = chosen;
  let publishedLsn: Lsn;
  try {
    const { space, pages } = await ground.targetOf(stream);
    const commits = log.history.commits(from, { afterLsn, upToLsn });
    if ((await replayInto({ space, pages, log, clock, assertWritable }, commits)) === "spilled") {
      discard(stream);
      return "spilled";
    }
    const opened = door.enter();
    if (opened !== undefined) await opened;
    publishedLsn = catalogue.publish(stream);
  } catch (error) {
    discard(stream);
    throw error;
  }
  await durable(publishedLsn);
  return stream;
}

export function rowOf({ catalogue }: PastGround, stream: StreamId): CatalogueRow {
  const row = catalogue.databases.row(stream);
  if (row !== undefined && row.state === "live") return row;
  throw new StorageError("BOP_DROPPED", "the database was dropped", {
    details: { database: row?.name ?? String(stream) },
  });
}

interface Gone {
  readonly row: CatalogueRow;
  readonly lsn: Lsn;
  /** The moment, in words. */
  readonly what: string;
}

/** Says from when on there is a past of the database. */
export function gone({ pages, log }: PastGround, { row, lsn: at, what }: Gone): StorageError {
  const { fromLsn, fromMs } = log.history;
  const oldest = pages.versions(row.stream).find(({ upToLsn }) => upToLsn >= fromLsn);
  const oldestLsn = laterLsn(oldest?.lsn ?? log.newestLsn, row.createdLsn);
  const since = `LSN ${oldestLsn}, and that of the store at ${new Date(fromMs).toISOString()}`;
  const name = JSON.stringify(row.name);
  const message = `${what} is not kept of database ${name}: its past begins at ${since}`;
  return new StorageError("BOP_SNAPSHOT_GONE", message, {
    details: { lsn: at, oldestLsn, database: row.name },
  });
}
