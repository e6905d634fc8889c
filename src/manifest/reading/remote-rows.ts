/**
 * WHAT ROWS SAY OF A BUCKET, for whoever ships them: which chunks there are, which of them lie in the
 * bucket, what is garbage there, which states can be restored. Taken from rows as they pass.
 */
import type { ChunkId } from "../../base/units.ts";
import { TABLE } from "../rows/keys.ts";
import type { KeyValueOperation, KeyValuePair } from "../stores/key-value.ts";
import { type ChunkRow, chunks } from "../tables/chunks.ts";
import { type EpochRow, epochs } from "../tables/epochs.ts";
import { type RemoteChainKey, type RemoteChainRow, remoteChains } from "../tables/remote-chains.ts";
import { type RemoteChunkRow, remoteChunks } from "../tables/remote-chunks.ts";
import { type RemoteGarbageRow, remoteGarbage } from "../tables/remote-garbage.ts";
import { SHIPPING, type ShippingKey, type ShippingRow, shipping } from "../tables/shipping.ts";

/** Without `row` there is none any more. */
export type RemoteFact =
  | { readonly of: "chunk"; readonly key: ChunkId; readonly row: ChunkRow | undefined }
  | { readonly of: "remote chunk"; readonly key: ChunkId; readonly row: RemoteChunkRow | undefined }
  | { readonly of: "garbage"; readonly key: string; readonly row: RemoteGarbageRow | undefined }
  | { readonly of: "chain"; readonly key: RemoteChainKey; readonly row: RemoteChainRow | undefined }
  | { readonly of: "epoch"; readonly key: number; readonly row: EpochRow | undefined }
  | { readonly of: "shipping"; readonly key: ShippingKey; readonly row: ShippingRow | undefined };

const PLACES: ReadonlySet<number> = new Set([
  TABLE.shipping,
  TABLE.remoteChunks,
  TABLE.remoteGarbage,
]);

/** Whether a row tells where a chunk lies there, or which bucket it is. Cheap. */
export function isRemotePlace({ key }: Pick<KeyValueOperation, "key">): boolean {
  return PLACES.has(key[0] ?? 0);
}

/** Undefined for a row that says nothing of it. `file` is where the rows come from. */
export function remoteFactOf(
  { key, value }: KeyValueOperation,
  file: string,
): RemoteFact | undefined {
  const found = value && { key, value, file };
  switch (key[0]) {
    case TABLE.chunks:
      return { of: "chunk", key: chunks.decodeKey(key), row: found && chunks.decode(found) };
    case TABLE.remoteChunks: {
      const row = found && remoteChunks.decode(found);
      return { of: "remote chunk", key: remoteChunks.decodeKey(key), row };
    }
    case TABLE.remoteGarbage: {
      const row = found && remoteGarbage.decode(found);
      return { of: "garbage", key: remoteGarbage.decodeKey(key), row };
    }
    case TABLE.remoteChains: {
      const row = found && remoteChains.decode(found);
      return { of: "chain", key: remoteChains.decodeKey(key), row };
    }
    case TABLE.epochs:
      return { of: "epoch", key: epochs.decodeKey(key), row: found && epochs.decode(found) };
    case TABLE.shipping:
      return { of: "shipping", key: SHIPPING, row: found && shipping.decode(found) };
    default:
      return undefined;
  }
}

/** As a commit of that generation writes them. */
export function encodeRemoteRows(
  rows: {
    readonly chunks: readonly RemoteChunkRow[];
    readonly chains: readonly RemoteChainRow[];
  },
  generation: number,
): KeyValuePair[] {
  return [
    ...rows.chunks.map((row) => remoteChunks.encode(row, generation)),
    ...rows.chains.map((row) => remoteChains.encode(row, generation)),
  ];
}
