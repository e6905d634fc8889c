/**
 * TABLE OF REMOTE CHAINS: the states of the manifest that lie in the bucket, told as chains: a base,
 * and the batches of changes that follow it. The restore points are these states, and all moments
 * that the log continues them to.
 *
 *   key    epoch u64, number u64 (of the first part of the base)
 *   value  whole number u64, last number u64, bytes u64, then of its first and of its last state:
 *          generation u64, checkpoint lsn u64, max lsn u64, wall ms u64, wal epoch u64,
 *          wal number u64, wal lsn u64
 *
 * (1) The first state is that of the batch that completes the base (the whole number).
 * (2) Objects of the log before (wal epoch, wal number) end at or below the wal LSN.
 * (3) A row is there before the object of its first state is. What the row says of the last state may
 *     be behind what the bucket holds.
 */
import { type Lsn, lsn } from "../../base/units.ts";
import type { ByteReader, ByteWriter } from "../rows/bytes.ts";
import { defineTable } from "../rows/table.ts";

export interface RemoteChainKey {
  readonly epoch: number;
  readonly number: number;
}

/** A state of the manifest that lies in the bucket. */
export interface RemoteState {
  readonly generation: number;
  readonly checkpointLsn: Lsn;
  /** No row of it names a higher LSN. */
  readonly maxLsn: Lsn;
  readonly wallMs: number;
  /** Objects of the log before this one end at or below `walLsn`. */
  readonly walEpoch: number;
  readonly walNumber: number;
  readonly walLsn: Lsn;
}

/** A base and its batches. */
export interface RemoteChainRow extends RemoteChainKey {
  readonly wholeNumber: number;
  readonly lastNumber: number;
  readonly bytes: number;
  readonly first: RemoteState;
  readonly last: RemoteState;
}

export const remoteChains = defineTable({
  name: "remoteChains",
  version: 1,
  keyOf: ({ epoch, number }: RemoteChainRow): RemoteChainKey => ({ epoch, number }),
  writeKey: ({ epoch, number }, into) => into.u64(epoch).u64(number),
  readKey: (from) => ({ epoch: from.u64(), number: from.u64() }),
  write(row, into) {
    into.u64(row.wholeNumber).u64(row.lastNumber).u64(row.bytes);
    writeState(row.first, into);
    writeState(row.last, into);
  },
  read: (from, key): RemoteChainRow => ({
    ...key,
    wholeNumber: from.u64(),
    lastNumber: from.u64(),
    bytes: from.u64(),
    first: readState(from),
    last: readState(from),
  }),
});

function writeState(state: RemoteState, into: ByteWriter): void {
  into.u64(state.generation).u64(state.checkpointLsn).u64(state.maxLsn).u64(state.wallMs);
  into.u64(state.walEpoch).u64(state.walNumber).u64(state.walLsn);
}

function readState(from: ByteReader): RemoteState {
  return {
    generation: from.u64(),
    checkpointLsn: lsn(from.u64()),
    maxLsn: lsn(from.u64()),
    wallMs: from.u64(),
    walEpoch: from.u64(),
    walNumber: from.u64(),
    walLsn: lsn(from.u64()),
  };
}
