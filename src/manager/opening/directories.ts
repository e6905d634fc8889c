/** THE DIRECTORY OF A STORE: is one there, and what one begins with. */
import { dirname } from "node:path";
import type { Env } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";

export const hasSuperblock = (env: Pick<Env, "storage">, directory: string): Promise<boolean> =>
  isThere(env, `${directory}/superblock`);

/** Something of a store is there, whole or not. */
export async function hasStore(env: Env, directory: string): Promise<boolean> {
  return (await hasSuperblock(env, directory)) || (await isThere(env, `${directory}/manifest`));
}

/** Throws BOP_IO if that cannot be told. */
export async function isThere({ storage }: Pick<Env, "storage">, path: string): Promise<boolean> {
  try {
    return (await storage.stat(path)) !== undefined;
  } catch (cause) {
    throw ioError("open", path, cause);
  }
}

export async function makeDirectories({ storage }: Env, directory: string): Promise<void> {
  try {
    const found = await storage.stat(directory);
    if (found?.kind === "file") {
      throw new StorageError("BOP_IO", `${directory} is a file; a store is a directory`, {
        details: { operation: "open", file: directory },
      });
    }
    await storage.mkdir(directory);
    // Not only by the one who made it: that one may have died before its name was on the device.
    const isOpenedBefore = await hasSuperblock({ storage }, directory);
    if (!isOpenedBefore) await storage.syncDirectory(dirname(directory));
    for (const name of ["manifest", "wal", "chunks", "tmp"]) {
      await storage.mkdir(`${directory}/${name}`);
    }
    await storage.syncDirectory(directory);
  } catch (error) {
    throw error instanceof StorageError ? error : ioError("open", directory, error);
  }
}
