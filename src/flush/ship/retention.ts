/**
 * RETENTION: which restore points stay, and what of the bucket they need. Pure.
 *
 *   chain    A base of the manifest and its batches: states, all of which stay or go together.
 *   window   The newest chain that began before `keepForMs` ago, and all behind it, with the whole
 *            log from the first of them on: every moment of the window has a state before it, and the
 *            log from there.
 *   island   An older chain that is kept for its day or its week, with the log of its own states. The
 *            first of these days is the one in which the window begins.
 *
 * (1) Every state whose object stays can be restored: its chunks stay, and the log from its
 *     checkpoint up to the highest LSN that its rows name.
 * (2) Nothing of the newest epoch goes, whatever its age, and nothing at all before that epoch has a
 *     state: the numbers of whoever may still be writing are dense (docs/fencing.md).
 * (3) What is not known is needed: bounds of the log are taken from the samples that there are.
 * (4) A clock that goes back keeps more. One that jumps ahead lets go of what is older than it says:
 *     time is what retention is about.
 */
import type { EpochRow, RemoteChainRow } from "../../manifest/index.ts";

export interface RetentionPolicy {
  /** Every moment of so long a time can be restored. */
  readonly keepForMs: number;
  /** Of so many days before that, and of so many weeks, the newest state that there is. */
  readonly daily: number;
  readonly weekly: number;
}

export interface RetentionFacts {
  readonly chains: Iterable<RemoteChainRow>;
  readonly epochs: Iterable<EpochRow>;
  /** Of the one who asks: the newest. */
  readonly ownEpoch: number;
  readonly nowMs: number;
  /** At most about so many objects of chains go at a time, the oldest first. */
  readonly objectsMax: number;
}

export interface Numbered {
  readonly epoch: number;
  readonly number: number;
}

export interface RetentionPlan {
  readonly kept: readonly RemoteChainRow[];
  readonly dropped: readonly RemoteChainRow[];
  needsManifest(object: Numbered): boolean;
  needsLog(object: Numbered): boolean;
  /** A chunk that states from the one generation on, and below the other, may name. */
  needsChunk(life: { readonly bornGeneration: number; readonly goneGeneration: number }): boolean;
}

/** Objects of the log up to this one end at or below the LSN. */
interface Sample extends Numbered {
  readonly lsn: number;
}

interface Range {
  readonly fromLsn: number;
  readonly toLsn: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const WEEK_MS = 7 * DAY_MS;
/** 1970 began on a Thursday; weeks begin on Mondays. */
const WEEK_OFFSET_MS = 3 * DAY_MS;

export function planRetention(facts: RetentionFacts, policy: RetentionPolicy): RetentionPlan {
  const { ownEpoch, nowMs } = facts;
  const chains = [...facts.chains].sort(inOrder);
  const anchor = chains.findLastIndex(({ first }) => first.wallMs <= nowMs - policy.keepForMs);
  const window = chains.slice(Math.max(0, anchor));
  const hasOwn = chains.some(({ epoch }) => epoch === ownEpoch);
  const islands = islandsOf(chains.slice(0, Math.max(0, anchor)), { nowMs, policy });
  const stays = (chain: RemoteChainRow, at: number): boolean =>
    !hasOwn || at >= anchor || chain.epoch >= ownEpoch || islands.has(chain);
  const goes = chains.filter((chain, at) => !stays(chain, at));
  const dropped = new Set(firstOf(goes, facts.objectsMax));
  const kept = chains.filter((chain) => !dropped.has(chain));
  const samples = samplesOf(chains, facts.epochs);
  const needed = rangesOf(kept, window);
  return {
    kept,
    dropped: [...dropped],
    needsManifest: (object) =>
      !hasOwn || object.epoch >= ownEpoch || kept.some((chain) => holds(chain, object, chains)),
    needsLog(object) {
      if (!hasOwn || object.epoch >= ownEpoch) return true;
      const { fromLsn, toLsn } = boundsOf(object, samples);
      return needed.some((range) => fromLsn < range.toLsn && range.fromLsn < toLsn);
    },
    needsChunk: ({ bornGeneration, goneGeneration }) =>
      kept.some(
        ({ first, last }) => first.generation < goneGeneration && last.generation >= bornGeneration,
      ),
  };
}

const inOrder = (a: Numbered, b: Numbered): number => a.epoch - b.epoch || a.number - b.number;

/** So many objects a chain has in the bucket, as far as its row knows. */
export const objectsOf = ({ number, lastNumber }: RemoteChainRow): number =>
  lastNumber - number + 1;

function firstOf(chains: readonly RemoteChainRow[], objectsMax: number): RemoteChainRow[] {
  let objects = 0;
  return chains.filter((chain, at) => {
    objects += objectsOf(chain);
    return at === 0 || objects <= objectsMax;
  });
}

/** For each day, and each week, back from the one in which the window begins: its newest chain. */
function islandsOf(
  older: readonly RemoteChainRow[],
  { nowMs, policy }: { readonly nowMs: number; readonly policy: RetentionPolicy },
): Set<RemoteChainRow> {
  const islands = new Set<RemoteChainRow>();
  const keep = (count: number, { lengthMs, offsetMs }: { lengthMs: number; offsetMs: number }) => {
    const newest = Math.floor((nowMs - policy.keepForMs + offsetMs) / lengthMs);
    for (let back = 0; back < count; back++) {
      const fromMs = (newest - back) * lengthMs - offsetMs;
      const chain = older.findLast(
        ({ first, last }) => first.wallMs < fromMs + lengthMs && last.wallMs >= fromMs,
      );
      if (chain !== undefined) islands.add(chain);
    }
  };
  keep(policy.daily, { lengthMs: DAY_MS, offsetMs: 0 });
  keep(policy.weekly, { lengthMs: WEEK_MS, offsetMs: WEEK_OFFSET_MS });
  return islands;
}

/** The log that is needed. */
function rangesOf(kept: readonly RemoteChainRow[], window: readonly RemoteChainRow[]): Range[] {
  const [anchor] = window;
  const ranges = kept.map(({ first, last }) => {
    return { fromLsn: first.checkpointLsn, toLsn: last.maxLsn };
  });
  if (anchor === undefined) return ranges;
  const toLsn = Number.POSITIVE_INFINITY;
  return [...ranges, { fromLsn: anchor.first.checkpointLsn, toLsn }];
}

/** Objects between this chain and the next one of its epoch are of it. */
function holds(
  chain: RemoteChainRow,
  { epoch, number }: Numbered,
  chains: readonly RemoteChainRow[],
): boolean {
  if (chain.epoch !== epoch || number < chain.number) return false;
  return !chains.some((next) => {
    return next.epoch === epoch && next.number > chain.number && next.number <= number;
  });
}

function samplesOf(chains: readonly RemoteChainRow[], epochs: Iterable<EpochRow>): Sample[] {
  const samples: Sample[] = [];
  for (const { first, last } of chains) {
    for (const { walEpoch, walNumber, walLsn } of [first, last]) {
      if (walEpoch > 0) samples.push({ epoch: walEpoch, number: walNumber, lsn: walLsn });
    }
  }
  for (const { epoch, startLsn } of epochs) samples.push({ epoch, number: -1, lsn: startLsn });
  return samples.sort(inOrder);
}

/** See (3): the object lies within, as far as the samples tell. */
function boundsOf(object: Numbered, samples: readonly Sample[]): Range {
  const before = samples.findLast((sample) => inOrder(sample, object) < 0);
  const after = samples.find((sample) => inOrder(sample, object) >= 0);
  return { fromLsn: before?.lsn ?? 0, toLsn: after?.lsn ?? Number.POSITIVE_INFINITY };
}
