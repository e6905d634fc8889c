/**
 * A CHUNK THAT WAS FETCHED BECOMES A FILE OF THE STORE.
 *
 *   tmp/<part> ── whole ──► checked from end to end ──► synced ──► renamed ──► folder synced
 *
 * (1) What does not pass the check stays where it is: nothing in chunks/ is ever worse for it.
 * (2) While it is renamed nothing is written to it. What is written while it is checked makes it
 *     another file: it is checked again another time.
 * (3) A crash leaves the file that was there before, damaged or missing, or the new one.
 */
import { dirname } from "node:path";
import type { Clock, File, Storage } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";
import { checkChunk } from "../../chunk/index.ts";
import { Slices } from "../checkpoint/slices.ts";
import type { FetchedChunk } from "./fetched-chunk.ts";

export interface PromotionGround {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly storeId: Uint8Array;
  readonly isClosing: () => boolean;
}

/** Rejects with BOP_IO, BOP_DISK_FULL or BOP_CLOSED. */
export async function promote(
  fetched: FetchedChunk,
  path: string,
  ground: PromotionGround,
): Promise<"promoted" | "damaged" | "changed"> {
  const { storage, isClosing } = ground;
  const folder = dirname(path);
  const { partPath, writes } = fetched;
  try {
    const file = await storage.open(partPath, "write");
    try {
      if ((await problemOf(file, fetched, ground)) !== undefined) return "damaged";
      await file.sync();
    } finally {
      await file.close().catch(() => undefined); // What counts is that it was synced.
    }
    await storage.mkdir(folder);
    const isSame = fetched.writes === writes && fetched.blocks.isWhole;
    if (!isSame || isClosing()) return "changed";
    fetched.isSealed = true;
    await storage.rename(partPath, path);
  } catch (cause) {
    fetched.isSealed = false;
    if (cause instanceof StorageError) throw cause;
    throw ioError("promote", partPath, cause);
  }
  // If a crash takes its name or its folder, the chunk is as it was before.
  await storage.syncDirectory(folder).catch(() => undefined);
  return "promoted";
}

async function problemOf(
  file: File,
  { chunk, blocks }: FetchedChunk,
  { clock, storeId, isClosing }: PromotionGround,
): Promise<string | undefined> {
  const bytes = new Uint8Array(blocks.fileBytes);
  const count = await file.read(bytes, 0);
  const pieces = checkChunk(bytes.subarray(0, count), { storeId, chunk });
  const slices = new Slices(clock, isClosing);
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
    const pause = slices.pause();
    if (pause !== undefined) await pause;
  }
}
