/**
 * THE HEAD OF A SEGMENT that is taken into use: the batches that it takes over, and its header.
 *
 * (1) A header is synced before the first batch is issued, but behind batches that are copied into
 *     the segment: until then the segment that they come from counts.
 */
import type { Driver, LogFile } from "../../base/driver.ts";
import { BLOCK_BYTES, encodeSegmentHeader } from "../../wal/index.ts";
import type { TakeOptions } from "./segment-records.ts";

export interface SegmentHead extends TakeOptions {
  readonly storeId: Uint8Array;
  readonly sequence: number;
}

/** Resolves with the offset behind it, when all of it is durable. Rejects with what the device says. */
export async function writeHead(file: LogFile, driver: Driver, head: SegmentHead): Promise<number> {
  const { storeId, sequence, firstLsn, durableLsn, createdMs, copied } = head;
  const batches = copied?.(sequence);
  const write = (bytes: Uint8Array, at: number) => writeThrough(file, driver, { bytes, at });
  if (batches !== undefined) await write(batches, BLOCK_BYTES);
  await write(encodeSegmentHeader({ storeId, sequence, firstLsn, durableLsn, createdMs }), 0);
  return BLOCK_BYTES + (batches?.length ?? 0);
}

/** By way of the driver's own memory. */
async function writeThrough(
  file: LogFile,
  driver: Driver,
  { bytes, at }: { readonly bytes: Uint8Array; readonly at: number },
): Promise<void> {
  const memory = driver.allocate(bytes.length);
  try {
    memory.set(bytes);
    await file.write(memory, at);
    await file.sync();
  } finally {
    driver.release(memory);
  }
}
