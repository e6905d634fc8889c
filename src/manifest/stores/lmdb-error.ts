/**
 * WHAT LMDB'S ERRORS ARE to those who use the manifest: numbers of the system, its own numbers of damage,
 * and its own refusals, each as the typed error that says what to do.
 */
import { ioError, systemCode } from "../../base/errors.ts";
import { damagedFile, fileOf } from "./lmdb-guard.ts";

/** System error numbers that LMDB passes on, and LMDB's own for a map that cannot grow. */
const SYSTEM_CODES: Readonly<Record<number, string>> = {
  5: "EIO",
  13: "EACCES",
  27: "EFBIG",
  28: "ENOSPC",
  122: "EDQUOT",
  [-30792]: "ENOSPC",
};

/** LMDB's own errors of a file that is not what it was. */
const DAMAGE: readonly unknown[] = [-30_797, -30_796, -30_793];
/**
 * LMDB's own refusals, and what to do about them; both stand in the message of the BOP_IO that they
 * are. Its map that cannot grow is a full disk: see SYSTEM_CODES.
 */
const REFUSALS: Readonly<Record<number, readonly [name: string, remedy: string]>> = {
  [-30_795]: ["MDB_PANIC", "an earlier commit failed half way; open the store again"],
  [-30_794]: ["MDB_VERSION_MISMATCH", "another version of LMDB has this file open; stop it"],
  [-30_790]: ["MDB_READERS_FULL", "too many processes read it; stop some that look at the store"],
  [-30_789]: ["MDB_TLS_FULL", "too many LMDB files are open in this process; close some stores"],
  [-30_788]: ["MDB_TXN_FULL", "the change is too large for one transaction; make smaller ones"],
  [-30_785]: ["MDB_MAP_RESIZED", "another process has made the file larger; try again"],
  [-30_783]: ["MDB_BAD_RSLOT", "another process took the reader's slot; open the store again"],
  [-30_782]: ["MDB_BAD_TXN", "the transaction has failed before; try again"],
};

/** What the system said, of an error that a commit was rejected with. It may come a moment later. */
export async function systemErrorOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: unknown };
  if (commitError === undefined) return error;
  try {
    await commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** The typed error of what LMDB refused: BOP_CORRUPT, BOP_DISK_FULL or BOP_IO. */
export function lmdbError(
  operation: string,
  { directory, error }: { readonly directory: string; readonly error: unknown },
): Error {
  const { code } = error as { code?: unknown };
  if (DAMAGE.includes(code)) {
    const why = error instanceof Error ? error.message : String(error);
    return damagedFile(fileOf(directory), { why, offset: 0 });
  }
  const refusal = typeof code === "number" ? REFUSALS[code] : undefined;
  if (refusal !== undefined) {
    const [named, remedy] = refusal;
    return ioError(operation, directory, Object.assign(new Error(`${named}: ${remedy}`), { code }));
  }
  const name = typeof code === "number" ? SYSTEM_CODES[code] : systemCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const cause = name === undefined ? error : Object.assign(new Error(message), { code: name });
  return ioError(operation, directory, cause);
}
