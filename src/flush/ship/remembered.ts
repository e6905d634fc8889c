/**
 * WHAT THE MANIFEST REMEMBERS OF A BUCKET when an epoch begins, held against what the bucket has. Pure.
 *
 * (1) What is remembered of another bucket counts for nothing. What is remembered of this one is so,
 *     also before it has any state: a disk that a state is ahead of begins no epoch (compare.ts, 3).
 *     Until the bucket is asked, what is remembered of another place is of another bucket: one that
 *     has moved is known again by its name.
 * (2) A chain whose first state is not in the bucket never came to be: its row was written before the
 *     object was, and the object is not there.
 * (3) The row of the chain of the newest state ends with that one. A row is told of a state when that
 *     is there: so the rows in a state end with the one before it, and so does what a process has left
 *     that died in between. It is corrected when an epoch begins, and not written before the put: by
 *     then the older epochs are ended, the newest state is final and says all of itself, however its
 *     put came out. What is written before is wrong wherever the put never came to be. No state of the
 *     new epoch is without the corrected row, and before there is one nothing goes for want of it.
 */
import { LSN_ZERO, type Lsn, laterLsn, lsn } from "../../base/units.ts";
import type {
  ManifestChange,
  ManifestState,
  RemoteChainKey,
  RemoteChainRow,
  ShippingRow,
} from "../../manifest/index.ts";
import type { Lineage } from "../lineage/lineage.ts";
import type { NumberedWriter } from "../lineage/numbered-writer.ts";
import type { PumpStart } from "./ports.ts";

/** Of a URL: as much of it as is remembered. */
const LOCATION_MAX = 1024;

/** An epoch in which states are put. */
export interface Begun extends PumpStart {
  readonly writer: NumberedWriter;
  readonly bucketName: string;
  readonly location: string;
}

/** What is not so goes out of the manifest that was opened, or is corrected. */
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
  return { removeRemoteChains, putRemoteChains: upToNewest(opened.remoteChains, newestState) };
}

/** The same, of the chain that this process was making in the epoch before. */
export function leftOver(
  chain: { readonly key: RemoteChainKey; readonly row: RemoteChainRow | undefined } | undefined,
  { newestState }: Lineage,
): Required<Pick<ManifestChange, "putRemoteChains" | "removeRemoteChains">> {
  const { key, row } = chain ?? {};
  if (row !== undefined) {
    return { removeRemoteChains: [], putRemoteChains: upToNewest([row], newestState) };
  }
  const isThere = newestState?.epoch === key?.epoch && newestState?.baseNumber === key?.number;
  const removeRemoteChains = key === undefined || isThere ? [] : [key];
  return { removeRemoteChains, putRemoteChains: [] };
}

/** See (3). How many bytes the state has is not told: `bytes` stays. */
function upToNewest(
  chains: readonly RemoteChainRow[],
  state: Lineage["newestState"],
): RemoteChainRow[] {
  if (state === undefined) return [];
  const { epoch, number: lastNumber, baseNumber, generation, wallMs, walEpoch, walNumber } = state;
  const row = chains.find((chain) => chain.epoch === epoch && chain.number === baseNumber);
  if (row === undefined || row.lastNumber > lastNumber) return []; // What says more keeps more.
  const [checkpointLsn, maxLsn] = [lsn(state.checkpointLsn), lsn(state.maxLsn)];
  const wal = { walEpoch, walNumber, walLsn: lsn(state.walEndLsn) };
  const last = { generation, checkpointLsn, maxLsn, wallMs, ...wal };
  return [{ ...row, lastNumber, last }];
}

type Remembered = Pick<ManifestState, "shipping" | "epochs" | "checkpointLsn">;

/**
 * What is remembered of whatever lies at a location, before anybody has asked there: see (1). Without a
 * location, of whatever bucket it is.
 */
export function rememberedOf(opened: Remembered, location: string | undefined): Remembered {
  const known = opened.shipping?.location;
  const isElsewhere = location !== undefined && known !== undefined && known !== keptOf(location);
  return isElsewhere ? { ...opened, shipping: undefined, epochs: [] } : opened;
}

/** The log that can be restored from the bucket that a row is about: a state has to lead to it. */
export function restorableLsn(shipping: ShippingRow | undefined): Lsn {
  return shipping === undefined || shipping.shippedGeneration === 0
    ? LSN_ZERO
    : shipping.shippedLsn;
}

/** A location as rows have it. */
export function keptOf(location: string): string {
  return location.slice(0, LOCATION_MAX);
}

/**
 * Log from here on waits for the sink, as far as this disk knows: neither what an epoch has begun
 * behind, which was shipped or given up, nor what was checkpointed before there was a sink.
 */
export function waitsFrom({ shipping, epochs, checkpointLsn }: Remembered): Lsn {
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
  const { epoch, writer, bucketName: bucket, location } = begun;
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
    location: keptOf(location),
  };
}
