/**
 * HOW AN EPOCH BEGINS: whose bucket is it, which number is ours, has this disk what the bucket has,
 * and who wrote before us.
 *
 * (1) Nothing is put but `store.json` and the claim before it is known that this disk may go on; no
 *     older writer is ended for a disk that may not.
 * (2) The manifest of this disk has the epoch's row before the first object of the epoch is put.
 * (3) The log goes on where it ends in the bucket. Where the disk has not kept what follows there, or
 *     an operator gave it up, there is a gap: then no older state leads to the new log, and the
 *     bucket restores only what a new base leads to.
 * (4) It may fail anywhere, and is then begun again with another number.
 */
import { LSN_ZERO, type Lsn, lsn } from "../../base/units.ts";
import type { EpochRow, Manifest } from "../../manifest/index.ts";
import { Bucket, readBucketIdentity } from "../lineage/bucket.ts";
import { claimEpoch } from "../lineage/claim-epoch.ts";
import { assertGoesOn, compareHistories, type DiskHistory } from "../lineage/compare.ts";
import type { Lineage } from "../lineage/lineage.ts";
import { sharedContent } from "../lineage/shared-content.ts";
import { surveyLineage, takeOver } from "../lineage/take-over.ts";
import { bucketName } from "./bucket-name.ts";
import type { FlushState } from "./flush-state.ts";
import type { FlushControllerOptions, WalPosition } from "./ports.ts";

/** What this process knows of the epochs before. */
export interface EpochsSoFar {
  /** Of this process: it has shipped up to there. */
  readonly shipped: WalPosition | undefined;
  /** Is there a state from which the log in the bucket is reached? Undefined: not known here. */
  readonly isAnchored: boolean | undefined;
  /** It has published a state. */
  readonly hasState: boolean;
  /** Rows of this process that are in the manifest. */
  readonly rows: readonly EpochRow[];
  /** What lies between the bucket's log and the newest of this disk was given up. */
  readonly discards: boolean;
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
}

interface Beginning {
  readonly options: FlushControllerOptions;
  readonly soFar: EpochsSoFar;
  readonly moveTo: (state: FlushState) => void;
  readonly signal: AbortSignal;
}

export async function beginEpoch(beginning: Beginning): Promise<BegunEpoch> {
  const { options, moveTo, signal } = beginning;
  const { store, storeId, clock, random } = options;
  moveTo("claiming");
  const bucket = new Bucket(store, storeId);
  const dice = { random, wallMs: Math.max(0, Math.floor(clock.wallMs())), signal };
  await bucket.identify(dice);
  const rows = await knownRows(beginning);
  const known = rows.at(-1)?.epoch ?? 0;
  const epoch = await claimEpoch(bucket, { ...dice, known });
  moveTo("comparing");
  const survey = await surveyLineage(bucket, { epoch, signal });
  await compare({ ...beginning, bucket, rows }, survey);
  moveTo("taking-over");
  const lineage = await takeOver(bucket, { ...dice, epoch });
  moveTo("comparing");
  await compare({ ...beginning, bucket, rows }, lineage);
  const place = await beginningOf(beginning, lineage);
  const row = { epoch, startLsn: place.startLsn, claimedAtMs: dice.wallMs };
  await options.manifest.publish({ putEpochs: [row] }); // See (2).
  return { bucket, epoch, lineage, row, ...place };
}

/** Rows of this bucket, by epoch. Those of another one are struck. */
async function knownRows({ options, soFar, signal }: Beginning): Promise<readonly EpochRow[]> {
  const { manifest, store } = options;
  const { epochs, shipping } = manifest.opened;
  if (await isOther({ manifest, store, signal })) {
    const removeEpochs = epochs.map(({ epoch }) => epoch);
    if (soFar.rows.length === 0) await manifest.publish({ removeEpochs });
    return soFar.rows;
  }
  if (shipping === undefined && epochs.length === 0) return soFar.rows;
  return [...epochs, ...soFar.rows].sort((a, b) => a.epoch - b.epoch);
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

interface Comparing extends Beginning {
  readonly bucket: Bucket;
  readonly rows: readonly EpochRow[];
}

/** Throws BOP_SINK_AHEAD or BOP_DIVERGED. */
async function compare(comparing: Comparing, lineage: Lineage): Promise<void> {
  const { options, soFar, bucket, rows, signal } = comparing;
  const { log, store, flushBytes } = options;
  const restoredFrom = soFar.hasState ? undefined : options.restoredFrom;
  const shipped = await confirmed(comparing);
  const durableLsn = Math.max(log.durableLsn, soFar.shipped?.endLsn ?? 0);
  const disk: DiskHistory = { epochs: rows, durableLsn, shipped, restoredFrom };
  const localBatches = async (fromLsn: number) => {
    const wanted = { fromLsn: lsn(fromLsn), maxBytes: flushBytes, floorLsn: log.durableLsn };
    return (await log.shipping.shippable(wanted))?.range?.batches;
  };
  const content = sharedContent({ bucket, lineage, disk, log: localBatches, signal });
  assertGoesOn(await compareHistories(disk, lineage, content), store.location);
}

/** What the bucket has confirmed to this disk. */
async function confirmed({ options, soFar, signal }: Comparing): Promise<DiskHistory["shipped"]> {
  const { manifest, store } = options;
  if (soFar.shipped !== undefined) {
    const { endLsn, epoch, number } = soFar.shipped;
    return { lsn: endLsn, epoch, number };
  }
  const { shipping } = manifest.opened;
  if (shipping === undefined || (await isOther({ manifest, store, signal }))) return undefined;
  const { shippedLsn, epoch, walNumber } = shipping;
  return { lsn: shippedLsn, epoch, number: Math.max(0, walNumber - 1) };
}

/** See (3). */
async function beginningOf({ options, soFar }: Beginning, lineage: Lineage) {
  const { log, checkpointLsn } = options;
  const { endLsn } = lineage;
  const bucketLsn = endLsn === undefined ? undefined : lsn(endLsn);
  const wantedLsn = soFar.discards ? log.durableLsn : (bucketLsn ?? checkpointLsn());
  const { durableLsn } = log;
  const wanted = { fromLsn: wantedLsn, maxBytes: 1, floorLsn: LSN_ZERO };
  const found = await log.shipping.shippable(wanted);
  const nextLsn = found?.range?.firstLsn ?? wantedLsn;
  const isBehind = found === undefined && durableLsn > wantedLsn;
  const fromLsn = isBehind ? durableLsn : nextLsn;
  const hasGap = bucketLsn === undefined || fromLsn > bucketLsn;
  const isAnchored = !hasGap && (soFar.isAnchored ?? lineage.newestState !== undefined);
  const startLsn = hasGap ? fromLsn : (bucketLsn as Lsn);
  const anchorLsn = hasGap ? startLsn : lsn(lineage.unbrokenLsn ?? startLsn);
  return { bucketLsn, fromLsn: startLsn, isAnchored, anchorLsn, startLsn };
}
