/**
 * BEFORE LMDB OPENS A FILE: what it would end the process for is refused with an error.
 *
 * (1) A damaged file: lmdb-check.ts. Somebody may be writing to it while it is looked at (another
 *     owner, who is about to refuse us), so a finding is believed only if it does not go away.
 * (2) A new file on a full disk: LMDB maps its table of readers, and a mapped page that the disk
 *     cannot back is SIGBUS.
 * (3) A file that cannot be opened now: when LMDB fails to open one, the package frees twice, and
 *     that is SIGSEGV. So the opening is rehearsed, with as many descriptors. What is refused only
 *     between the rehearsal and the opening still ends the process.
 * (4) lock.mdb takes no part in that: who closes any descriptor of it gives up the locks that this
 *     process has on it, and somebody may just have opened the store.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError, StorageError, systemCode } from "../../base/errors.ts";
import { checkLmdb } from "./lmdb-check.ts";

/** Less than that is left of a disk that is full. */
const FREE_BYTES_MIN = 512 * 1024;
/** See (1). */
const LOOKS = 5;
/** lock.mdb, and data.mdb twice. */
const DESCRIPTORS = 3;

/** Of the store that lies in the directory. */
export const fileOf = (directory: string): string => `${directory}/data.mdb`;

/** Throws BOP_CORRUPT, BOP_DISK_FULL or BOP_IO. */
export async function refuseUnreadable(storage: Storage, directory: string): Promise<void> {
  const path = fileOf(directory);
  const bytes = (await storage.stat(path).catch(refused("look at", path)))?.bytes ?? 0;
  if (bytes === 0) await refuseFullDisk(storage, directory);
  else await refuseDamaged(storage, path);
}

/** Throws BOP_IO or BOP_DISK_FULL if LMDB could not open its files: see (3). */
export async function rehearseOpening(storage: Storage, directory: string): Promise<void> {
  const path = fileOf(directory);
  const files: File[] = [];
  try {
    while (files.length < DESCRIPTORS) files.push(await openOrCreate(storage, path));
  } catch (error) {
    throw ioError("open", path, error);
  } finally {
    for (const file of files) await file.close();
  }
}

/** Somebody else may make it meanwhile. */
async function openOrCreate(storage: Storage, path: string): Promise<File> {
  const open = () => storage.open(path, "write");
  return open().catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
    return storage.open(path, "create").catch(open);
  });
}

async function refuseDamaged(storage: Storage, path: string): Promise<void> {
  const file = await storage.open(path, "read").catch(refused("open", path));
  try {
    for (let look = 1; ; look++) {
      const read = (into: Uint8Array, at: number): void => {
        file.readSync(into, at);
      };
      const verdict = checkLmdb({ bytes: await file.size(), read });
      if (verdict.type !== "damaged") return;
      if (look === LOOKS) throw damagedFile(path, verdict);
    }
  } catch (error) {
    throw error instanceof StorageError ? error : ioError("read", path, error);
  } finally {
    await file.close();
  }
}

export function damagedFile(
  file: string,
  { why, offset }: { readonly why: string; readonly offset: number },
): StorageError {
  const remedy = "`bop rebuild --replace` makes a manifest again, and an owner/ can be removed";
  const message = `${file} is damaged at byte ${offset}: ${why} (${remedy})`;
  return new StorageError("BOP_CORRUPT", message, { details: { file, offset, why } });
}

async function refuseFullDisk(storage: Storage, directory: string): Promise<void> {
  await storage.mkdir(directory).catch(refused("make", directory));
  const free = await storage.freeBytes(directory).catch(refused("look at", directory));
  if (free >= FREE_BYTES_MIN) return;
  throw new StorageError("BOP_DISK_FULL", `there is no room to make ${directory}`, {
    details: { operation: "create", file: directory },
  });
}

function refused(operation: string, file: string): (cause: unknown) => never {
  return (cause) => {
    throw ioError(operation, file, cause);
  };
}
