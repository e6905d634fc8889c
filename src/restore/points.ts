/**
 * WHICH MOMENTS A BUCKET CAN GIVE BACK, and what of it the wanted one is made of: a state of the
 * manifest, and the log from its checkpoint up to the moment.
 *
 *     state ─────── state ─────── state ──────── end of the log
 *       └─ checkpoint ═══ log ═══► moment
 *
 * (1) No row of the state names an LSN above the moment: nothing that was done later is in it.
 * (2) Commits at or below the moment are in it; those of a time are those of its millisecond and
 *     before. A time behind the newest commit is the newest moment, an LSN behind it is refused.
 *     So is a time in a hole of the log: whoever asks for it wants commits that are not there. The
 *     time of the last batch before it is that batch's.
 * (3) Of a store that was lost before its first state was shipped the log is enough, if it is there
 *     from its beginning.
 * (4) A state that lacks nothing up to its checkpoint, and names nothing above it, is a moment by
 *     itself: the newest, where the log was given up before it and nothing has been shipped since;
 *     and at any time from which on no commit was made before the log that goes on behind it.
 * (5) Log behind a window that was given up, to which no state leads yet, was never called remote. The
 *     newest moment is the end of what the newest state leads to then, and no time behind that is
 *     known. What goes on from there does so above that log: its LSNs are not used again.
 */
import { assert } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import { type Lsn, lsn } from "../base/units.ts";
import type { BucketState, LogEnd, ReadableBucket } from "./bucket.ts";

/** Default: the newest. */
export type RestoreMoment = Date | { readonly lsn: number };

export interface RestorePoint {
  /** Undefined: see (3). */
  readonly state: BucketState | undefined;
  /** The log is needed from here, up to `upToLsn`. */
  readonly fromLsn: Lsn;
  readonly upToLsn: Lsn;
  readonly isNewest: boolean;
  /** The log of a store that is made of it goes on here at the earliest, behind all that is there: (5). */
  readonly goesOn: LogEnd;
}

export interface ListedPoint {
  readonly lsn: Lsn;
  readonly at: Date;
}

/** Every commit between the two can be asked for. */
export interface RestoreRange {
  readonly from: ListedPoint;
  readonly to: ListedPoint;
}

export interface RestorePoints {
  readonly location: string;
  readonly storeId: string;
  /** Oldest first; with more than one, what lies between them is not kept any more. */
  readonly ranges: readonly RestoreRange[];
  /** States of the manifest, oldest first: a restore of such a moment reads the least log. */
  readonly states: readonly ListedPoint[];
}

/** Throws BOP_NO_RESTORE_POINT. */
export async function findPoint(
  bucket: ReadableBucket,
  at: RestoreMoment | undefined,
): Promise<RestorePoint> {
  const end = await newestOf(bucket);
  const upToLsn = end && (await momentOf(bucket, { at, end }));
  if (end === undefined || upToLsn === undefined) throw await outside(bucket, at);
  const state = await bucket.stateAt(upToLsn);
  assert((state?.maxLsn ?? 0) <= upToLsn, "a state of a later moment"); // See (1).
  const fromLsn = state?.checkpointLsn ?? 0;
  const reach = fromLsn === upToLsn ? fromLsn : (await bucket.reach(fromLsn))?.lsn;
  if (reach === undefined || reach < upToLsn) throw await outside(bucket, at);
  const isNewest = upToLsn === end.lsn;
  const goesOn = isNewest ? end.goesOn : { lsn: fromLsn, wallMs: 0 };
  return { state, fromLsn: lsn(fromLsn), upToLsn: lsn(upToLsn), isNewest, goesOn };
}

/** The newest moment; also that of a store that has claimed its bucket and never committed anything. */
export async function findNewest(bucket: ReadableBucket): Promise<RestorePoint> {
  if ((await newestOf(bucket)) !== undefined) return findPoint(bucket, undefined);
  let state: BucketState | undefined;
  for await (state of bucket.states()) break;
  if (state !== undefined && state.maxLsn > 0) throw await outside(bucket, undefined);
  const none = { lsn: lsn(0), wallMs: 0 };
  return { state, fromLsn: none.lsn, upToLsn: none.lsn, isNewest: true, goesOn: none };
}

/** All that can be asked for. */
export async function restorePoints(bucket: ReadableBucket): Promise<RestorePoints> {
  const { location } = bucket;
  const storeId = Buffer.from(bucket.storeId).toString("hex");
  const found: BucketState[] = [];
  for await (const state of bucket.states()) found.unshift(state);
  const newest = await newestOf(bucket);
  const ranges: RestoreRange[] = [];
  const states: ListedPoint[] = [];
  // See (3): a log that is there from its beginning needs no state.
  const begin = { checkpointLsn: 0, maxLsn: 0, wallMs: found[0]?.wallMs ?? 0 };
  for (const { checkpointLsn, maxLsn, wallMs } of [begin, ...found]) {
    const from = pointOf({ lsn: maxLsn, wallMs });
    if (maxLsn > (ranges.at(-1)?.to.lsn ?? -1)) {
      const isAlone = checkpointLsn === maxLsn && maxLsn === newest?.lsn;
      const reach = (await bucket.reach(checkpointLsn)) ?? (isAlone ? newest : undefined);
      if (reach === undefined || reach.lsn < maxLsn) continue;
      ranges.push({ from, to: pointOf(reach) });
    }
    if (maxLsn > 0) states.push(from);
  }
  return { location, storeId, ranges, states };
}

const pointOf = ({ lsn: at, wallMs }: LogEnd): ListedPoint => ({
  lsn: lsn(at),
  at: new Date(wallMs),
});

interface Newest extends LogEnd {
  /** Otherwise the log goes on behind it, and no state leads there: see (5). */
  readonly isEnd: boolean;
  readonly goesOn: LogEnd;
}

/** See (4) and (5). */
async function newestOf(bucket: ReadableBucket): Promise<Newest | undefined> {
  const end = await bucket.logEnd();
  let state: BucketState | undefined;
  for await (state of bucket.states()) break;
  const alone = aloneIn(state, end);
  if (alone !== undefined) return { ...alone, isEnd: true, goesOn: alone };
  if (end === undefined) return undefined;
  const reached = await reachOf(bucket, state);
  const isGivenUp = reached !== undefined && (await bucket.goesOnAt(reached.lsn))?.isGivenUp;
  if (isGivenUp !== true) return { ...end, isEnd: true, goesOn: end };
  return { ...reached, isEnd: false, goesOn: end };
}

function aloneIn(state: BucketState | undefined, end: LogEnd | undefined): LogEnd | undefined {
  if (state === undefined) return undefined;
  const { checkpointLsn, maxLsn, walEndLsn, wallMs } = state;
  const endLsn = end?.lsn ?? 0;
  // Log that was there when the state was put, and is not, is missing and was not given up.
  const isAlone = checkpointLsn === maxLsn && maxLsn > endLsn && walEndLsn <= endLsn;
  return isAlone ? { lsn: maxLsn, wallMs: Math.max(wallMs, end?.wallMs ?? 0) } : undefined;
}

/** How far a state leads, or the beginning of the log without one; undefined if not even to itself. */
async function reachOf(
  bucket: ReadableBucket,
  state: BucketState | undefined,
): Promise<LogEnd | undefined> {
  const { checkpointLsn = 0, maxLsn = 0, wallMs = 0 } = state ?? {};
  const reached = await bucket.reach(checkpointLsn);
  if (reached !== undefined) return reached.lsn < maxLsn ? undefined : reached;
  return checkpointLsn === maxLsn ? { lsn: maxLsn, wallMs } : undefined;
}

interface Asked {
  readonly at: RestoreMoment | undefined;
  readonly end: Newest;
}

/** See (2). Undefined if it is out of reach. */
async function momentOf(bucket: ReadableBucket, { at, end }: Asked): Promise<number | undefined> {
  if (at === undefined) return end.lsn;
  if (at instanceof Date) return momentAt(bucket, { wallMs: at.getTime(), end });
  return at.lsn <= end.lsn ? at.lsn : undefined;
}

async function momentAt(
  bucket: ReadableBucket,
  { wallMs, end }: { readonly wallMs: number; readonly end: Newest },
): Promise<number | undefined> {
  if (wallMs >= end.wallMs && end.isEnd) return end.lsn;
  const found = await bucket.lsnAt(wallMs);
  const nextLsn = (await bucket.goesOnAt(found ?? 0))?.lsn ?? end.lsn;
  if (found === nextLsn) return found;
  // In a hole.
  const isEnd = found !== undefined && (await bucket.reach(found))?.wallMs === wallMs;
  if (isEnd) return found;
  for await (const { checkpointLsn, maxLsn, wallMs: madeMs } of bucket.states()) {
    if (madeMs > wallMs) continue;
    return checkpointLsn === nextLsn && maxLsn === nextLsn ? nextLsn : undefined; // See (4).
  }
  return undefined;
}

/** Says what there is instead. */
async function outside(
  bucket: ReadableBucket,
  at: RestoreMoment | undefined,
): Promise<StorageError> {
  let wanted = "anything";
  if (at instanceof Date) wanted = at.toISOString();
  else if (at !== undefined) wanted = `LSN ${at.lsn}`;
  const { ranges, location } = await restorePoints(bucket);
  const [oldest, newest] = [ranges[0]?.from, ranges.at(-1)?.to];
  const textOf = ({ from, to }: RestoreRange) => `${momentText(from)} to ${momentText(to)}`;
  const kept = ranges.map(textOf).join(", and from ");
  const there = ranges.length === 0 ? "nothing can be restored" : `it has from ${kept}`;
  const details = { wanted, oldest: oldest?.lsn, newest: newest?.lsn };
  const message = `${location} cannot give back ${wanted}: ${there}`;
  return new StorageError("BOP_NO_RESTORE_POINT", message, { details });
}

const momentText = ({ lsn: at, at: time }: ListedPoint): string =>
  `LSN ${at} (${time.toISOString()})`;

/** What a caller gave, checked. Throws TypeError and RangeError. */
export function momentGiven(at: unknown): RestoreMoment | undefined {
  if (at === undefined) return undefined;
  if (at instanceof Date) {
    if (Number.isNaN(at.getTime())) throw new RangeError("restore: at is an invalid Date");
    return at;
  }
  if (typeof at === "object" && at !== null && Object.keys(at).length === 1 && "lsn" in at) {
    const { lsn: wanted } = at;
    if (typeof wanted === "number" && Number.isSafeInteger(wanted) && wanted >= 0) {
      return { lsn: wanted };
    }
    throw new RangeError(`restore: at.lsn is ${String(wanted)}; want a position in the log`);
  }
  throw new TypeError("restore: at is a Date or { lsn }");
}
