/**
 * TAKING OVER, done: asks the bucket what take-over-core.ts wants to know, puts the fences, and reads
 * what the older writers have left.
 *
 * (1) It may fail or be cut off at any call, and is then begun again from the start: what has been
 *     fenced is found fenced. A fence of ours whose outcome was unclear may land later: it stands
 *     where the sequence ended, or meets a number that is taken.
 * (2) A survey asks the same and puts no fence: it tells how things stand while somebody may still
 *     be writing, so that a disk that has no business here stops nobody (compare.ts).
 * (3) Whoever was overtaken while he walked may have met the holes that the newer one makes, and
 *     believe the log to end too soon. So what was found is believed only if our own epoch is still
 *     open afterwards: the newer one ends ours before it publishes, and deletes after that.
 */
import type { Random } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { encodeFence } from "../format/object-frame.ts";
import { type ManifestHeader, NONCE_BYTES } from "../format/object-header.ts";
import { type Bucket, type NumberedPlace, newPutId } from "./bucket.ts";
import { whoIsThere } from "./fenced.ts";
import type { Lineage, LineageEpoch, PublishedState } from "./lineage.ts";
import {
  beginTakeOver,
  type EndedEpoch,
  type KnownEnds,
  looked,
  moveOf,
  stateFound,
  tried,
} from "./take-over-core.ts";

/** So many writers may begin, one after the other, while the lineage below them is surveyed. */
const SURVEYS_MAX = 8;

export interface TakeOverOptions {
  /** Ours, claimed: the ones below it are ended. */
  readonly epoch: number;
  readonly random: Random;
  /** For people. Milliseconds since 1970. */
  readonly wallMs: number;
  /** How many objects of an epoch are known to be there. Saves questions. */
  readonly known?: KnownEnds;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Ends every older epoch. From then on only ours, or a newer one, can go on. BOP_FENCED if a newer
 * one already does.
 */
export async function takeOver(bucket: Bucket, options: TakeOverOptions): Promise<Lineage> {
  return walk(bucket, {
    ...options,
    fence: async (place) => {
      const { epoch: byEpoch, random, wallMs, signal } = options;
      const { kind: of, ...identity } = place;
      const nonce = random.bytes(NONCE_BYTES);
      const whose = { storeId: bucket.storeId, ...identity, of };
      const body = encodeFence({ ...whose, byEpoch, wallMs, nonce });
      return bucket.create(place, { body, putId: newPutId(random), signal });
    },
  });
}

/** The lineage of all epochs below this one, as it stands. See (2). */
export async function surveyLineage(
  bucket: Bucket,
  options: Pick<TakeOverOptions, "epoch" | "known" | "signal">,
): Promise<Lineage> {
  return walk(bucket, { ...options, fence: async () => "created" });
}

/**
 * The lineage of all epochs, for somebody who claims none: up to `newest`, the newest claim that he
 * found, and to those of writers who have begun meanwhile. See (3): these are walked through as well.
 */
export async function surveyAll(
  bucket: Bucket,
  found: { readonly newest: number; readonly signal?: AbortSignal | undefined },
): Promise<Lineage> {
  const { signal } = found;
  for (let [newest, surveys] = [found.newest, 1]; ; surveys += 1) {
    try {
      return await surveyLineage(bucket, { epoch: newest + 1, signal });
    } catch (error) {
      if (!isStorageError(error, "BOP_FENCED") || surveys === SURVEYS_MAX) throw error;
    }
    newest += 1; // Somebody has put his first state.
    while (await bucket.hasClaim(newest + 1, { signal })) newest += 1;
  }
}

interface Walk extends Pick<TakeOverOptions, "epoch" | "known" | "signal"> {
  readonly fence: (place: NumberedPlace) => Promise<"created" | "data" | "fence">;
}

async function walk(bucket: Bucket, { epoch, known, signal, fence }: Walk): Promise<Lineage> {
  let at = beginTakeOver(epoch, known);
  let newestState: ManifestHeader | undefined;
  for (let move = moveOf(at); move !== undefined; move = moveOf(at)) {
    signal?.throwIfAborted();
    if (move.type === "state") {
      newestState = await stateBelow(bucket, { ...move, signal });
      at = stateFound(at, newestState?.number, known);
    } else if (move.type === "look") {
      at = looked(at, await bucket.see(move, { signal }), known);
    } else {
      at = tried(at, await fence(move), known);
    }
  }
  const ended = at.phase === "over" ? at.ended : [];
  const lineage = await lineageOf(bucket, { ended, newestState, signal });
  const own = { kind: "manifest", epoch, number: 0 } as const;
  if ((await bucket.see(own, { signal })) === "absent") return lineage;
  throw await whoIsThere(bucket, own, signal); // See (3).
}

/** The newest state among the first `end` manifest objects: the newest batch of a whole base. */
async function stateBelow(
  bucket: Bucket,
  {
    epoch,
    end,
    signal,
  }: {
    readonly epoch: number;
    readonly end: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<ManifestHeader | undefined> {
  for (let number = end - 1; number >= 0; ) {
    const place = { kind: "manifest", epoch, number } as const;
    const header = await bucket.header(place, { signal });
    if (header.kind === "batch") return header;
    if (header.kind !== "base") throw misplaced(bucket, { number, epoch, what: header.kind });
    number = header.baseNumber - 1; // A base that was not finished: what was before it counts.
  }
  return undefined;
}

async function lineageOf(
  bucket: Bucket,
  found: {
    readonly ended: readonly EndedEpoch[];
    readonly newestState: ManifestHeader | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Lineage> {
  const { ended, newestState: state, signal } = found;
  const epochs: LineageEpoch[] = [];
  let lastWal: Lineage["lastWal"];
  let unbrokenLsn: number | undefined;
  for (const { epoch, walEnd, manifestEnd } of ended.toReversed()) {
    const last = await lastLog(bucket, { epoch, walEnd, signal });
    if (last === undefined) {
      epochs.push({ epoch, walEnd, manifestEnd, shipped: undefined });
      continue;
    }
    const first = await logHeader(bucket, { epoch, number: 0, signal });
    const { endLsn } = last;
    if (lastWal === undefined || first.firstLsn > lastWal.endLsn) unbrokenLsn = first.firstLsn;
    lastWal = { epoch, number: last.number, endLsn };
    epochs.push({ epoch, walEnd, manifestEnd, shipped: { firstLsn: first.firstLsn, endLsn } });
  }
  if (lastWal === undefined && state !== undefined && state.walEpoch > 0) {
    lastWal = { epoch: state.walEpoch, number: state.walNumber, endLsn: state.walEndLsn };
  }
  const newestState = state && publishedState(state);
  const reachedLsn = state && reachedFrom(state, epochs);
  return { epochs, endLsn: lastWal?.endLsn, unbrokenLsn, reachedLsn, lastWal, newestState };
}

/** Whatever a state names was in the bucket before it. `epochs`: from its own on, oldest first. */
function reachedFrom(state: ManifestHeader, epochs: readonly LineageEpoch[]): number {
  let reachedLsn = Math.max(state.checkpointLsn, state.walEpoch > 0 ? state.walEndLsn : 0);
  for (const { shipped } of epochs) {
    if (shipped === undefined) continue;
    if (shipped.firstLsn > reachedLsn) break;
    reachedLsn = Math.max(reachedLsn, shipped.endLsn);
  }
  return reachedLsn;
}

interface OneLog {
  readonly epoch: number;
  readonly number: number;
  readonly signal: AbortSignal | undefined;
}

/** An index object may stand behind the last one. */
async function lastLog(
  bucket: Bucket,
  { walEnd, ...of }: Omit<OneLog, "number"> & { readonly walEnd: number },
) {
  if (walEnd === 0) return undefined;
  const place = { kind: "wal", epoch: of.epoch, number: walEnd - 1 } as const;
  const header = await bucket.header(place, of);
  if (header.kind === "log") return header;
  return logHeader(bucket, { ...of, number: walEnd - 2 });
}

async function logHeader(bucket: Bucket, { epoch, number, signal }: OneLog) {
  const header = await bucket.header({ kind: "wal", epoch, number }, { signal });
  if (header.kind !== "log") throw misplaced(bucket, { epoch, number, what: header.kind });
  return header;
}

function publishedState(header: ManifestHeader): PublishedState {
  const { epoch, number, generation, checkpointLsn, maxLsn, wallMs, baseNumber } = header;
  const { walEpoch, walNumber, walEndLsn } = header;
  const marks = { generation, checkpointLsn, maxLsn, wallMs };
  return { epoch, number, ...marks, walEpoch, walNumber, walEndLsn, baseNumber };
}

function misplaced(
  { store }: Bucket,
  {
    epoch,
    number,
    what,
  }: { readonly epoch: number; readonly number: number; readonly what: string },
): StorageError {
  const key = `object ${number} of epoch ${epoch}`;
  const why = `a ${what} where none belongs`;
  const details = { store: store.location, key, why };
  return new StorageError("BOP_SINK_CORRUPT", `${key} in ${store.location}: ${why}`, { details });
}
