/**
 * ROOM FOR ONE BATCH on a disk that has none: a small file beside the segments, `reserve`, which
 * nothing uses but a start that finds the disk full and the newest batch unproven (recover.ts (3)).
 *
 *   reserve ──► <sequence>.wal ──► sealed as soon as the batch is in it
 *
 * (1) It is made when there is room, behind the first spare, and made anew after it was used. A
 *     crash while it is made leaves one that is too small, or has no blocks: it is made again where
 *     that is seen, and where it is not, the start is refused as it would be without a reserve.
 * (2) Where it was moved to it stays, though the move was not synced or the registration refused: it
 *     may have been made all the same, and then the file would be missing. If it was not, the next
 *     start makes a reserve anew, in the room of what it finds there.
 */
import type { Storage } from "../../base/env.ts";
import { BLOCK_BYTES } from "../../wal/index.ts";

export interface ReserveFile {
  readonly storage: Storage;
  /** Where the segments lie. */
  readonly directory: string;
}

export const RESERVE_FILE = "reserve";

const reservePath = ({ directory }: ReserveFile): string => `${directory}/${RESERVE_FILE}`;

/** A header, and the largest batch that is written in one go. */
export const reserveBytes = (bufferBytes: number): number => BLOCK_BYTES + bufferBytes;

/** There is one of this size when it resolves. Rejects with what the system says. */
export async function keepReserve(where: ReserveFile, bytes: number): Promise<void> {
  const { storage, directory } = where;
  const path = reservePath(where);
  const found = await storage.stat(path);
  if (found !== undefined && found.bytes >= bytes) return;
  if (found !== undefined) await storage.unlink(path);
  const file = await storage.open(path, "create");
  try {
    await file.preallocate(bytes);
    await file.sync();
  } catch (cause) {
    await storage.unlink(path).catch(() => undefined);
    throw cause;
  } finally {
    await file.close().catch(() => undefined);
  }
  await storage.syncDirectory(directory);
}

/** It lies at `path` when it resolves; false if there is none, or none that holds so much. */
export async function moveReserve(
  where: ReserveFile,
  { path, bytes }: { readonly path: string; readonly bytes: number },
): Promise<boolean> {
  const { storage, directory } = where;
  const found = await storage.stat(reservePath(where));
  if (found === undefined || found.bytes < bytes) return false;
  await storage.rename(reservePath(where), path);
  await storage.syncDirectory(directory);
  return true;
}
