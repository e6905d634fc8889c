/**
 * ROOM ON THE DISK, looked at before a checkpoint writes its first byte: one that would run out of it
 * half way does not begin.
 *
 *   free ── reserve ── pages and their map ── what is left goes to compaction
 *
 * (1) What is needed is an upper bound: every version in memory, though a checkpoint writes fewer.
 * (2) Compaction can wait: it takes what is left, or nothing. It gives more than it takes, but only
 *     when it is published.
 * (3) A file system that cannot say how much is free is tried.
 */
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { KIB, MIB } from "../../base/units.ts";
import { DIRECTORY_ENTRY, RECORD } from "../../chunk/index.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";

/** A database with changed pages in memory. */
export interface ChangedDatabase {
  /** Pages that changed. */
  readonly changedPages: number;
  /** Pages that it has. */
  readonly pageCount: number;
}

const PAGE_OVERHEAD_BYTES = RECORD.sizeBytes + DIRECTORY_ENTRY.sizeBytes;
/** 512 locations of 8 bytes: in the manifest, in pages that it copies on the way, in the mirror. */
const ROW_BYTES = 3 * (MAP_ROW_PAGES * 8 + KIB);
/** Headers, the superblock, rows of databases and chunks. */
const FIXED_BYTES = MIB;

/** See (1). `imageBytes`: of all versions in memory. */
export function bytesNeeded(imageBytes: number, databases: Iterable<ChangedDatabase>): number {
  let bytes = FIXED_BYTES + imageBytes;
  for (const { changedPages, pageCount } of databases) {
    const rows = Math.min(changedPages, Math.ceil(pageCount / MAP_ROW_PAGES));
    bytes += changedPages * PAGE_OVERHEAD_BYTES + rows * ROW_BYTES;
  }
  return bytes;
}

export interface Room {
  readonly freeBytes: number;
  readonly neededBytes: number;
  readonly reserveBytes: number;
}

/** Bytes left for what can wait; negative if there is no room for what cannot. */
export function roomLeft({ freeBytes, neededBytes, reserveBytes }: Room): number {
  return freeBytes - reserveBytes - neededBytes;
}

/** Resolves with what is left, for compaction. Rejects with BOP_DISK_FULL if there is no room. */
export async function findRoom(
  { env, directory }: { readonly env: Env; readonly directory: string },
  { neededBytes, reserveBytes }: Omit<Room, "freeBytes">,
): Promise<number> {
  const freeBytes = await env.storage.freeBytes(directory).catch(() => Number.POSITIVE_INFINITY); // See (3).
  const left = roomLeft({ freeBytes, neededBytes, reserveBytes });
  if (left >= 0) return left;
  const message =
    `a checkpoint may take ${neededBytes} bytes, and ${freeBytes} are free in ${directory}, of ` +
    `which ${reserveBytes} are kept back (limits.reserveBytes)`;
  throw new StorageError("BOP_DISK_FULL", message, {
    details: { operation: "checkpoint", file: directory },
  });
}
