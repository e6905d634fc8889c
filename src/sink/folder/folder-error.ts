/**
 * WHAT A FILE SYSTEM'S REFUSAL MEANS TO A SINK.
 *
 * (1) Whatever fails before a name appears has changed nothing: only the sync of a directory leaves
 *     an unclear outcome, and file-system-store.ts says that itself. A failed rename, link or unlink
 *     did nothing, or it is repeated with the same put id and does no harm.
 * (2) A full disk is waited for, like a service that is too busy.
 */
import { StorageError, systemCode } from "../../base/errors.ts";
import type { SinkCall } from "../sink-error.ts";

const PERMISSION: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);
/** A key that is the folder of another, or a name that the file system does not take. */
const REQUEST: ReadonlySet<string> = new Set([
  "EEXIST",
  "EISDIR",
  "ENOTDIR",
  "ENAMETOOLONG",
  "EINVAL",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
  "EXDEV",
]);

/** What is no system error (a signal's reason, what was decided already) passes as it is. */
export function folderError(call: SinkCall, cause: unknown): unknown {
  const code = systemCode(cause);
  if (cause instanceof StorageError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) {
    return cause;
  }
  if (code === "EOWNERDEAD") return cause; // The simulated process is dead; nobody is to be told.
  const why = cause instanceof Error ? cause.message : code;
  const message = `${call.operation} of ${call.key} in ${call.store}: ${why}`;
  const refused = PERMISSION.has(code) ? "permission" : REQUEST.has(code) ? "request" : undefined;
  if (refused !== undefined) {
    const details = { ...call, reason: refused } as const;
    return new StorageError("BOP_SINK_REFUSED", message, { details, cause });
  }
  const details = { ...call, retryAfterMs: undefined };
  return new StorageError("BOP_SINK_UNAVAILABLE", message, { details, cause });
}
