/**
 * DISK AND BUCKET COMPARE THEIR HISTORIES before anything is uploaded: a disk that is older, or that
 * went another way, never writes over what the bucket holds.
 *
 *     same       Both hold the same log.
 *     ahead      The disk holds what the bucket holds, and more: it goes on.
 *     older      The bucket holds what the disk holds, and more (an older copy of a disk, an empty
 *                one, or another machine has taken over and this one had nothing of its own).
 *     diverged   Both went on from a common moment in different ways; or the bucket lacks what it
 *                has confirmed to this disk.
 *
 * (1) What the bucket has confirmed to this disk is shared. So is all below the start of its newest
 *     epoch: the row is in the disk's manifest before the first object of the epoch is put, and names
 *     the LSN up to which it had compared itself then.
 * (2) What lies behind is shared as far as its batches are equal, whoever has shipped them. Rows prove
 *     nothing about a disk that was copied, and of which one copy or the other went on without
 *     telling; what cannot be compared any more is not called shared.
 * (3) A state of the manifest that this disk does not know makes it older, even with the same log:
 *     what that state gives up may be deleted at any moment. It knows those before the place at which it
 *     would put its next one: of older epochs there is none that it was not compared with, and of its own
 *     the place moves on before a state is put. So an older copy of a disk is told from a disk whose
 *     process died before it could note what it had put.
 */
import { StorageError } from "../../base/errors.ts";
import type { Lineage } from "./lineage.ts";

/** This disk ships as `epoch` from `startLsn` on: there, its log met the bucket's end. */
export interface EpochRow {
  readonly epoch: number;
  readonly startLsn: number;
}

export interface DiskHistory {
  /** By epoch. */
  readonly epochs: readonly EpochRow[];
  readonly durableLsn: number;
  /** Up to which LSN the bucket has confirmed the log, and by which object; undefined: nothing. */
  readonly shipped:
    | { readonly lsn: number; readonly epoch: number; readonly number: number }
    | undefined;
  /** See (3): states from here on are not known here. Undefined: none is. */
  readonly nextState: { readonly epoch: number; readonly number: number } | undefined;
}

export interface Comparison {
  readonly type: "same" | "ahead" | "older" | "diverged";
  /** 0 for a bucket that holds no log. */
  readonly bucketLsn: number;
  readonly diskLsn: number;
  /** Up to here both hold the same, as far as is known. */
  readonly sharedLsn: number;
}

/** Up to where the log of the bucket is the disk's, between two LSNs. */
export type SharedContent = (fromLsn: number, toLsn: number) => Promise<number>;

export async function compareHistories(
  disk: DiskHistory,
  lineage: Lineage,
  content: SharedContent,
): Promise<Comparison> {
  const { durableLsn: diskLsn } = disk;
  const bucketLsn = lineage.endLsn ?? 0;
  const certainLsn = certain(disk, diskLsn);
  const knowsState = isStateKnown(disk, lineage);
  // The bucket has lost what it confirmed: nobody can say what else is missing.
  if (bucketLsn < (disk.shipped?.lsn ?? 0)) {
    return { type: "diverged", bucketLsn, diskLsn, sharedLsn: Math.min(bucketLsn, diskLsn) };
  }
  if (lineage.endLsn === undefined) {
    const type = !knowsState ? "older" : diskLsn > 0 ? "ahead" : "same";
    return { type, bucketLsn, diskLsn, sharedLsn: 0 };
  }
  const limitLsn = Math.min(bucketLsn, diskLsn);
  const sharedLsn = limitLsn > certainLsn ? await content(certainLsn, limitLsn) : limitLsn;
  return {
    type: verdict({ bucketLsn, diskLsn, sharedLsn, knowsState }),
    ...{ bucketLsn, diskLsn, sharedLsn },
  };
}

/** Throws what keeps this disk from going on, if anything does. */
export function assertGoesOn(comparison: Comparison, location: string): void {
  const { type, bucketLsn, diskLsn, sharedLsn } = comparison;
  if (type === "older") {
    const more =
      bucketLsn > diskLsn
        ? `its log ends at LSN ${bucketLsn}, the one here at ${diskLsn}`
        : "it has a state of the store that is not known here";
    const message = `${location} is ahead of this disk: ${more}`;
    throw new StorageError("BOP_SINK_AHEAD", message, { details: { bucketLsn, diskLsn } });
  }
  if (type === "diverged") {
    const message = `${location} and this disk have nothing in common behind ${sharedLsn}`;
    const details = { bucketLsn, diskLsn, sharedLsn };
    throw new StorageError("BOP_DIVERGED", message, { details });
  }
}

function verdict({
  bucketLsn,
  diskLsn,
  sharedLsn,
  knowsState,
}: Omit<Comparison, "type"> & { readonly knowsState: boolean }): Comparison["type"] {
  if (sharedLsn === diskLsn && diskLsn < bucketLsn) return "older";
  if (sharedLsn < bucketLsn) return "diverged";
  if (!knowsState) return diskLsn > bucketLsn ? "diverged" : "older";
  return diskLsn > bucketLsn ? "ahead" : "same";
}

/** See (1). */
function certain({ epochs, shipped }: DiskHistory, diskLsn: number): number {
  const lsn = Math.max(shipped?.lsn ?? 0, epochs.at(-1)?.startLsn ?? 0);
  return Math.min(lsn, diskLsn);
}

/** See (3). */
function isStateKnown({ nextState }: DiskHistory, { newestState }: Lineage): boolean {
  if (newestState === undefined) return true;
  if (nextState === undefined) return false;
  const { epoch, number } = newestState;
  return epoch < nextState.epoch || (epoch === nextState.epoch && number < nextState.number);
}
