/**
 * A STORE THAT WAS NEVER MADE: a power cut in its first opening may leave files of its key-value stores
 * that have their length, and nothing of what was written to them. They are made anew.
 *
 * (1) Nothing was acknowledged yet: neither superblock nor mirror is there, nor log, nor a chunk. Where
 *     any of these is, damage is damage, and nothing is removed.
 * (2) Somebody else may be making the file just now: it is looked at again after a while.
 */
import type { Env } from "../../base/env.ts";
import { ioError, isStorageError } from "../../base/errors.ts";
import { mirrorPath, type OpenKeyValueStore } from "../../manifest/index.ts";
import { hasSuperblock, isThere } from "./directories.ts";

const LOOK_AGAIN_MS = 200;
/** Looked at once more, then made anew: what is refused after that stays. */
const REFUSALS_MAX = 2;
/** What a store has by the time that anything is acknowledged. */
const FOLDERS = ["wal", "chunks"];

/** Opens as `open` does; what that finds damaged in a store that was never made is made anew. */
export function overNeverMade(
  open: OpenKeyValueStore,
  { env, directory }: { readonly env: Env; readonly directory: string },
): OpenKeyValueStore {
  return async (place) => {
    for (let refusals = 0; ; refusals += 1) {
      try {
        return await open(place);
      } catch (error) {
        const isFinal = !isStorageError(error, "BOP_CORRUPT") || refusals === REFUSALS_MAX;
        if (isFinal || (await wasMade(env, directory))) throw error;
        if (refusals === 0) await env.clock.sleep(LOOK_AGAIN_MS);
        else await remove(env, { file: error.details.file, place });
      }
    }
  };
}

/** See (1). */
async function wasMade(env: Env, directory: string): Promise<boolean> {
  if (await hasSuperblock(env, directory)) return true;
  if (await isThere(env, mirrorPath(directory))) return true;
  for (const folder of FOLDERS) {
    const path = `${directory}/${folder}`;
    const names = await env.storage.list(path).catch((cause) => {
      throw ioError("list", path, cause);
    });
    if (names.length > 0) return true;
  }
  return false;
}

async function remove(
  { storage }: Env,
  { file, place }: { readonly file: string; readonly place: string },
): Promise<void> {
  try {
    await storage.unlink(file);
    await storage.syncDirectory(place);
  } catch (cause) {
    throw ioError("unlink", file, cause);
  }
}
