/**
 * HOW AN EPOCH BEGINS: whose bucket is it, which number is ours, has this disk what the bucket has,
 * and who wrote before us.
 *
 * (1) Nothing is put but `store.json` and the claim before it is known that this disk may go on; no
 *     older writer is ended for a disk that may not.
 * (2) The manifest of this disk has the epoch's row before the first object of the epoch is put.
 * (3) The log goes on where it ends in the bucket. Where the disk has not kept what follows there, or
 *     an operator gave it up, there is a gap: then no older state leads to the new log, and the
 *     bucket restores only what a new base leads to. What was given up is a lost window, which is
 *     known in the commit that makes the decision final: it stays given up, whatever comes then. Of two
 *     that begin at one place the longer one counts. It ends with the newest batch that has frames: what
 *     has none may be cut off by the next start, which writes there anew.
 * (4) It may fail anywhere, and is then begun again: with the same number until that has a row, so that
 *     a bucket that does not get further gathers no claims. To whoever has claimed a higher one
 *     meanwhile this process looks like one that slept between two steps.
 * (5) A disk that has let go of chunks cannot go to another bucket: they are in the one that it
 *     remembers, and nothing of that is forgotten here.
 * (6) A disk that was made of the bucket a moment ago, to take it over, ends the writer before it is
 *     compared: what that one had put meanwhile makes this disk older, and it is made once more, of a
 *     bucket that is quiet now.
 */
import { isStorageError } from "../../base/errors.ts";
import { LSN_ZERO, type Lsn, laterLsn, lsn } from "../../base/units.ts";
import { wallMsOf } from "../../base/wall-ms.ts";
import type {
  DeadLetterRow,
  EpochRow,
  LostWindowRow,
  Manifest,
  ShippingRow,
} from "../../manifest/index.ts";
import { batchBytes } from "../../wal/index.ts";
import { foreignBucket } from "../fetch/chunk-fetcher.ts";
import { Bucket, readBucketIdentity } from "../lineage/bucket.ts";
import { type ClaimOptions, claimEpoch } from "../lineage/claim-epoch.ts";
import { assertGoesOn, compareHistories, type DiskHistory } from "../lineage/compare.ts";
import type { Lineage } from "../lineage/lineage.ts";
import { sharedContent } from "../lineage/shared-content.ts";
import { surveyLineage, takeOver } from "../lineage/take-over.ts";
import { bucketName } from "./bucket-name.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { FlushState } from "./flush-state.ts";
import type { FlushControllerOptions, LogToShip, WalPosition } from "./ports.ts";

/** What this process knows of the epochs before. */
export interface EpochsSoFar {
  /** Of this process: it has shipped up to there. */
  readonly shipped: WalPosition | undefined;
  /** It has published a state. */
  readonly hasState: boolean;
  /** Rows of this process that are in the manifest. */
  readonly rows: readonly EpochRow[];
  /** Of this process, in this bucket. */
  readonly lost: readonly LostWindowRow[];
}

export interface BegunEpoch {
  readonly bucket: Bucket;
  readonly epoch: number;
  readonly lineage: Lineage;
  /** Where the log in the bucket ends; undefined if there is none. */
  readonly bucketLsn: Lsn | undefined;
  readonly fromLsn: Lsn;
  readonly isAnchored: boolean;
  /** If not: a state needs its checkpoint here or above, where the log in the bucket begins. */
  readonly anchorLsn: Lsn;
  readonly row: EpochRow;
  /** What was given up; undefined if nothing was. */
  readonly lost: LostWindowRow | undefined;
}

/** A number that is ours, and that nothing was done with. */
export interface Claim {
  epoch: number | undefined;
}

interface Beginning {
  readonly options: FlushControllerOptions;
  /** Those that were discarded take effect here. */
  readonly letters: Pick<DeadLetters, "discarded" | "struck">;
  readonly soFar: EpochsSoFar;
  /** See (4). */
  readonly claim: Claim;
  readonly moveTo: (state: FlushState) => void;
  readonly signal: AbortSignal;
}

export async function beginEpoch(beginning: Beginning): Promise<BegunEpoch> {
  const { options, moveTo, signal } = beginning;
  const { store, storeId, clock, random } = options;
  moveTo("claiming");
  const bucket = new Bucket(store, storeId);
  const dice = { random, wallMs: wallMsOf(clock), signal };
  await assertWhole(beginning);
  await bucket.identify(dice);
  const { rows, windows } = await knownRows(beginning);
  const known = rows.at(-1)?.epoch ?? 0;
  const epoch = await claimed(beginning, { bucket, dice, known });
  moveTo("comparing");
  const survey = await surveyLineage(bucket, { epoch, signal });
  const takesOver = options.takesOver === true && beginning.soFar.rows.length === 0; // (6)
  if (!takesOver) await compare({ ...beginning, bucket, rows, windows }, survey);
  moveTo("taking-over");
  const lineage = await takeOver(bucket, { ...dice, epoch });
  moveTo("comparing");
  await compare({ ...beginning, bucket, rows, windows }, lineage);
  const place = await beginningOf(beginning, { lineage, windows });
  const row = { epoch, startLsn: place.startLsn, claimedAtMs: dice.wallMs };
  const { discarded, struck } = beginning.letters;
  const lost = discarded && lostWindow({ ...place, letter: discarded, row, epochBefore: known });
  beginning.claim.epoch = undefined;
  await options.manifest.publish({
    putEpochs: [row], // See (2).
    ...(struck.length > 0 && { removeDeadLetters: struck }),
    ...(lost && { putLostWindows: [lost] }),
  });
  return { bucket, epoch, lineage, row, lost, ...place };
}

/** See (4). */
async function claimed(
  { claim, signal }: Beginning,
  {
    bucket,
    dice,
    known,
  }: {
    readonly bucket: Bucket;
    readonly dice: Omit<ClaimOptions, "known">;
    readonly known: number;
  },
): Promise<number> {
  const { epoch } = claim;
  const isStillOurs =
    epoch !== undefined && epoch > known && (await bucket.hasClaim(epoch, { signal }));
  if (isStillOurs) return epoch;
  claim.epoch = await claimEpoch(bucket, { ...dice, known });
  return claim.epoch;
}

/** Undefined if all was shipped in spite of it, or nothing ever. */
function lostWindow(of: {
  readonly letter: DeadLetterRow;
  readonly row: EpochRow;
  readonly epochBefore: number;
  readonly bucketLsn: Lsn | undefined;
}): LostWindowRow | undefined {
  const { letter, row, epochBefore, bucketLsn: fromLsn } = of;
  const { epoch, startLsn: toLsn, claimedAtMs: discardedAtMs } = row;
  if (fromLsn === undefined || fromLsn >= toLsn) return undefined;
  const { sequence, reason } = letter;
  return { epoch, epochBefore, fromLsn, toLsn, discardedAtMs, letter: sequence, reason };
}

interface Known {
  readonly rows: readonly EpochRow[];
  readonly windows: readonly LostWindowRow[];
}

/** Rows of this bucket, by epoch. Those of another one are struck. */
async function knownRows({ options, soFar, signal }: Beginning): Promise<Known> {
  const { manifest, store } = options;
  const { epochs, shipping, lostWindows } = manifest.opened;
  const own = { rows: soFar.rows, windows: soFar.lost };
  if (await isOther({ manifest, store, signal })) {
    const removeEpochs = epochs.map(({ epoch }) => epoch);
    const removeLostWindows = lostWindows.map(({ epoch }) => epoch);
    if (own.rows.length === 0) await manifest.publish({ removeEpochs, removeLostWindows });
    return own;
  }
  if (shipping === undefined && epochs.length === 0) return own;
  const rows = [...epochs, ...own.rows].sort((a, b) => a.epoch - b.epoch);
  return { rows, windows: [...lostWindows, ...own.windows] };
}

/** Whether what the disk remembers is of another bucket. */
async function isOther(of: {
  readonly manifest: Pick<Manifest, "opened">;
  readonly store: FlushControllerOptions["store"];
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { shipping } = of.manifest.opened;
  if (shipping === undefined) return false;
  const identity = await readBucketIdentity(of.store, { signal: of.signal });
  return identity === undefined || bucketName(identity) !== shipping.bucket;
}

/** See (5). Before anything is put there. */
async function assertWhole({ options, soFar, signal }: Beginning): Promise<void> {
  const { pump, manifest, store } = options;
  const { shipping } = manifest.opened;
  const mayHaveLetGo = soFar.rows.length === 0 && manifest.opened.remoteChunks.length > 0;
  if (!mayHaveLetGo || shipping === undefined) return;
  const identity = await readBucketIdentity(store, { signal });
  const found = identity === undefined ? "nobody's" : bucketName(identity);
  if (found === shipping.bucket || (await pump.onlyRemote()) === undefined) return;
  throw foreignBucket(store, { found, expected: shipping.bucket });
}

interface Comparing extends Beginning {
  readonly bucket: Bucket;
  readonly rows: readonly EpochRow[];
  readonly windows: Known["windows"];
}

/** Throws BOP_SINK_AHEAD or BOP_DIVERGED. */
async function compare(comparing: Comparing, lineage: Lineage): Promise<void> {
  const { options, soFar, bucket, rows, signal } = comparing;
  const { log, store, flushBytes } = options;
  const shipping = await shippingHere(comparing);
  const shipped = beforeWindow(confirmed(soFar, shipping), comparing.windows);
  const durableLsn = Math.max(log.durableLsn, soFar.shipped?.endLsn ?? 0);
  const nextState = nextStateOf(soFar, shipping);
  const disk: DiskHistory = { epochs: rows, durableLsn, shipped, nextState };
  const localBatches = async (fromLsn: number) => {
    const wanted = { fromLsn: lsn(fromLsn), maxBytes: flushBytes, floorLsn: log.durableLsn };
    return (await log.shipping.shippable(wanted))?.range?.batches;
  };
  const content = sharedContent({ bucket, lineage, disk, log: localBatches, signal });
  assertGoesOn(await compareHistories(disk, lineage, content), store.location);
}

/** What the disk remembers of this bucket. */
async function shippingHere({ options, signal }: Comparing): Promise<ShippingRow | undefined> {
  const { manifest, store } = options;
  return (await isOther({ manifest, store, signal })) ? undefined : manifest.opened.shipping;
}

/** What the bucket has confirmed to this disk. */
function confirmed(
  { shipped }: EpochsSoFar,
  shipping: ShippingRow | undefined,
): DiskHistory["shipped"] {
  if (shipped !== undefined) {
    const { endLsn, epoch, number } = shipped;
    return { lsn: endLsn, epoch, number };
  }
  if (shipping === undefined) return undefined;
  const { shippedLsn, epoch, walNumber } = shipping;
  return { lsn: shippedLsn, epoch, number: Math.max(0, walNumber - 1) };
}

/** Nobody but this process has put states of its epochs. */
function nextStateOf(
  { rows }: EpochsSoFar,
  shipping: ShippingRow | undefined,
): DiskHistory["nextState"] {
  const own = rows.at(-1);
  if (own !== undefined) return { epoch: own.epoch + 1, number: 0 };
  return shipping && { epoch: shipping.epoch, number: shipping.manifestNumber };
}

/** See (3). */
async function beginningOf(
  { options, letters }: Beginning,
  { lineage, windows }: { readonly lineage: Lineage; readonly windows: Known["windows"] },
) {
  const { log, checkpointLsn } = options;
  const { endLsn } = lineage;
  const bucketLsn = endLsn === undefined ? undefined : lsn(endLsn);
  const behind = behindWindow(windows, bucketLsn) ?? bucketLsn ?? checkpointLsn();
  const isGivenUp = letters.discarded !== undefined;
  const wantedLsn = isGivenUp ? laterLsn(behind, await endOfFrames(log)) : behind;
  const { durableLsn } = log;
  const wanted = { fromLsn: wantedLsn, maxBytes: 1, floorLsn: LSN_ZERO };
  const found = await log.shipping.shippable(wanted);
  const nextLsn = found?.range?.firstLsn ?? wantedLsn;
  const isBehind = found === undefined && durableLsn > wantedLsn;
  const fromLsn = isBehind ? durableLsn : nextLsn;
  const hasGap = bucketLsn === undefined || fromLsn > bucketLsn;
  const isAnchored = !hasGap && lineage.reachedLsn !== undefined && lineage.reachedLsn >= bucketLsn;
  const startLsn = hasGap ? fromLsn : (bucketLsn as Lsn);
  const anchorLsn = hasGap ? startLsn : lsn(lineage.unbrokenLsn ?? startLsn);
  return { bucketLsn, fromLsn: startLsn, isAnchored, anchorLsn, startLsn };
}

/** A state was confirmed behind a window, and no log yet: of that, what lies before it was. */
function beforeWindow(
  shipped: DiskHistory["shipped"],
  windows: Known["windows"],
): DiskHistory["shipped"] {
  const window = windows.find(({ toLsn }) => toLsn === shipped?.lsn);
  return shipped && window ? { ...shipped, lsn: window.fromLsn } : shipped;
}

/** Of the newest batch that has frames; of all that is durable where that cannot be told. See (3). */
async function endOfFrames({ durableLsn, shipping }: LogToShip): Promise<Lsn> {
  const emptyBytes = batchBytes(0);
  for (let endLsn = durableLsn; endLsn >= emptyBytes; endLsn = lsn(endLsn - emptyBytes)) {
    const wanted = { fromLsn: lsn(endLsn - 1), maxBytes: 1, floorLsn: LSN_ZERO };
    const found = await shipping.shippable(wanted).catch((error: unknown) => {
      if (!isStorageError(error, "BOP_CORRUPT")) throw error;
      return undefined; // What is given up may be what is damaged.
    });
    if (found === undefined) break;
    if (found.range !== undefined) return found.range.endLsn;
  }
  return durableLsn;
}

/**
 * The end of what was given up, where the log in the bucket has not come behind it yet. Windows share
 * their beginning if nothing was put behind one before more was given up: the farthest counts.
 */
function behindWindow(windows: Known["windows"], bucketLsn: Lsn | undefined): Lsn | undefined {
  if (bucketLsn === undefined) return undefined;
  const ends = windows
    .filter(({ fromLsn, toLsn }) => fromLsn <= bucketLsn && bucketLsn < toLsn)
    .map(({ toLsn }) => toLsn);
  return ends.length === 0 ? undefined : ends.reduce(laterLsn);
}
