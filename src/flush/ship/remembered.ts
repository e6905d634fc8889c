/**
 * WHAT THE MANIFEST REMEMBERS OF A BUCKET when an epoch begins, held against what the bucket has. Pure.
 *
 * (1) What is remembered of another bucket, or of one whose newest state is ahead of this disk, counts
 *     for nothing.
 * (2) A chain whose first state is not in the bucket never came to be: its row was written before the
 *     object was, and the object is not there.
 */
import { LSN_ZERO, lsn } from "../../base/units.ts";
import type { Manifest, ManifestChange, ShippingRow } from "../../manifest/index.ts";
import type { Lineage } from "../lineage/lineage.ts";
import type { NumberedWriter } from "../lineage/numbered-writer.ts";
import type { PumpStart } from "./ports.ts";

/** An epoch in which states are put. */
export interface Begun extends PumpStart {
  readonly writer: NumberedWriter;
  readonly bucketName: string;
}

export interface Remembered {
  /** The rows speak of this bucket. */
  readonly isKnown: boolean;
  /** Takes out of the manifest what is not so. */
  readonly change: ManifestChange;
}

export function rememberedOf(
  { opened, generation }: Pick<Manifest, "opened" | "generation">,
  bucketName: string,
  { newestState }: Lineage,
): Remembered {
  const isKnown =
    opened.shipping?.bucket === bucketName &&
    newestState !== undefined &&
    newestState.generation <= generation;
  if (!isKnown) {
    const change = {
      removeRemoteChunks: opened.remoteChunks.map(({ chunk }) => chunk),
      removeRemoteGarbage: opened.remoteGarbage.map(({ key }) => key),
      removeRemoteChains: opened.remoteChains,
    };
    return { isKnown, change };
  }
  const { epoch, number } = newestState;
  const removeRemoteChains = opened.remoteChains.filter((chain) => {
    return chain.epoch > epoch || (chain.epoch === epoch && chain.wholeNumber > number);
  });
  return { isKnown, change: { removeRemoteChains } };
}

/** How far the epoch is: of the log, what `reachedLsn` has of it, which a state leads to. */
export function shippingRowOf(
  begun: Begun,
  at: {
    readonly shippedGeneration: number;
    readonly wallMs: number;
    readonly reachedLsn: number;
  },
): ShippingRow {
  const { epoch, writer, bucketName: bucket } = begun;
  const wal = begun.wal();
  return {
    bucket,
    epoch,
    walNumber: wal?.epoch === epoch ? wal.number + 1 : 0,
    manifestNumber: writer.number,
    shippedLsn: lsn(Math.min(wal?.endLsn ?? LSN_ZERO, at.reachedLsn)),
    shippedGeneration: at.shippedGeneration,
    fencedBelow: epoch,
    atMs: Math.floor(at.wallMs),
    restored: false,
  };
}
