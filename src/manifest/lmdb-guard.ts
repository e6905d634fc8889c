/**
 * BEFORE LMDB OPENS A FILE: what it would end the process for is refused with an error.
 *
 * (1) A damaged file: lmdb-check.ts. Somebody may be writing to it while it is looked at (another
 *     owner, who is about to refuse us), so a finding is believed only if it does not go away.
 * (2) A new file on a full disk: LMDB maps its table of readers, and a mapped page that the disk
 *     cannot back is SIGBUS.
 */
import type { Storage } from "../base/env.ts";
import { ioError, StorageError } from "../base/errors.ts";
import { checkLmdb } from "./lmdb-check.ts";

/** Less than that is left of a disk that is full. */
const FREE_BYTES_MIN = 512 * 1024;
/** See (1). */
const LOOKS = 5;

/** Throws BOP_CORRUPT, BOP_DISK_FULL or BOP_IO. */
export async function refuseUnreadable(storage: Storage, directory: string): Promise<void> {
  const path = `${directory}/data.mdb`;
  const bytes = (await storage.stat(path).catch(refused("look at", path)))?.bytes ?? 0;
  if (bytes === 0) {
    await refuseFullDisk(storage, directory);
    return;
  }
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
