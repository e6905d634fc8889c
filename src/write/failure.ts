/** WHAT A LOG SAYS that takes no more, or not now. */
import { StorageError } from "../base/errors.ts";
import type { Lsn } from "../base/units.ts";

/** The failure that ends the log: told once to who listens, and the cause of all that follow. */
export function failedForGood(cause: unknown, durableLsn: Lsn): StorageError<"BOP_READ_ONLY"> {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `the log takes no more writes since it failed: ${why}`;
  return new StorageError("BOP_READ_ONLY", message, { details: { durableLsn, why }, cause });
}

/** For each who comes after it, so that every call has a stack of its own. */
export function readOnly(failure: StorageError, durableLsn: Lsn): StorageError<"BOP_READ_ONLY"> {
  const details = { durableLsn, why: failure.message };
  return new StorageError("BOP_READ_ONLY", failure.message, { details, cause: failure });
}

/** For those whose commit was handed to the device, or was about to be. */
export function outcomeUnknown(
  lsn: Lsn,
  { durableLsn, failure }: { readonly durableLsn: Lsn; readonly failure: StorageError },
): StorageError<"BOP_OUTCOME_UNKNOWN"> {
  const message = `the commit at LSN ${lsn} may or may not survive: ${failure.message}`;
  return new StorageError("BOP_OUTCOME_UNKNOWN", message, {
    details: { lsn, durableLsn },
    cause: failure,
  });
}

export function closedError(): StorageError<"BOP_CLOSED"> {
  return new StorageError("BOP_CLOSED", "the log is closed", { details: { what: "log" } });
}
