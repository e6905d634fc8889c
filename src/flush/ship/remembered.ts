/**
 * WHAT THE MANIFEST REMEMBERS OF A BUCKET when an epoch begins, held against what the bucket has. Pure.
 *
 * (1) What is remembered of another bucket counts for nothing. What is remembered of this one is so,
 *     also before it has any state: a disk that a state is ahead of begins no epoch (compare.ts, 3).
 * (2) A chain whose first state is not in the bucket never came to be: its row was written before the
 *     object was, and the object is not there.
 */
import { LSN_ZERO, type Lsn, laterLsn, lsn } from "../../base/units.ts";
import type { ManifestChange, ManifestState, ShippingRow } from "../../manifest/index.ts";
import type { Lineage } from "../lineage/lineage.ts";
import type { NumberedWriter } from "../lineage/numbered-writer.ts";
import type { PumpStart } from "./ports.ts";

/** An epoch in which states are put. */
export interface Begun extends PumpStart {
  readonly writer: NumberedWriter;
  readonly bucketName: string;
}

/** Takes out of the manifest what is not so. */
export function stale(
  opened: ManifestState,
  bucketName: string,
  { newestState }: Lineage,
): ManifestChange {
  if (opened.shipping?.bucket !== bucketName) {
    return {
      removeRemoteChunks: opened.remoteChunks.map(({ chunk }) => chunk),
      removeRemoteGarbage: opened.remoteGarbage.map(({ key }) => key),
      removeRemoteChains: opened.remoteChains,
    };
  }
  const { epoch, number } = newestState ?? { epoch: 0, number: 0 };
  const removeRemoteChains = opened.remoteChains.filter((chain) => {
    return chain.epoch > epoch || (chain.epoch === epoch && chain.wholeNumber > number);
  });
  return { removeRemoteChains };
}

/**
 * Log from here on waits for the sink, as far as this disk knows: neither what an epoch has begun
 * behind, which was shipped or given up, nor what was checkpointed before there was a sink.
 */
export function waitsFrom(
  opened: Pick<ManifestState, "shipping" | "epochs" | "checkpointLsn">,
): Lsn {
  const { shipping, epochs, checkpointLsn } = opened;
  return laterLsn(shipping?.shippedLsn ?? checkpointLsn, epochs.at(-1)?.startLsn ?? LSN_ZERO);
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
