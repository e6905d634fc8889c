/**
 * HOW A STORE TURNS READ-ONLY: its log failed, or its bucket is no longer its own.
 *
 * (1) After the log failed, nothing above the durable LSN is shown or acknowledged, at any level.
 * (2) After the bucket was lost, nothing more is acknowledged as `remote` (G35). What is durable here
 *     stays readable, also what was never shipped: the error counts it.
 * (3) What was being written when the bucket was lost is acknowledged as `local` when it is durable.
 * (4) A log that fails while the store closes refuses who waits, as ever. Nobody is served any more, and
 *     closing closes the connections, so that is all.
 */
import { isStorageError, StorageError } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { bytesBetween } from "../../base/units.ts";
import type { PageStore } from "../../page-store/index.ts";
import type { Log } from "../../write/index.ts";
import type { StoreGround } from "../store-ground.ts";

/** See (1). What is not durable may not be read any more, and nothing more can be written. */
export function logFailed(
  store: StoreGround,
  { log, pages }: { readonly log: Log; readonly pages: PageStore },
  error: StorageError,
): void {
  const { lifecycle, levels, faults, fleet, logs } = store;
  if (lifecycle.state === "closed") return;
  faults.record("log", error);
  const { newestLsn, durableLsn } = log;
  const why = new StorageError("BOP_READ_ONLY", "the log failed; reopen the store to recover", {
    details: { durableLsn, why: error.message },
    cause: error,
  });
  if (lifecycle.state === "open") lifecycle.moveTo("read-only", why);
  // For those whose commits were sealed: they may be there when the store is opened again.
  const message = "the commit may or may not survive: the log failed before it was durable";
  const details = { lsn: newestLsn, durableLsn };
  const unknown = new StorageError("BOP_OUTCOME_UNKNOWN", message, { details, cause: error });
  levels.local.fail(unknown);
  levels.remote?.endAt(durableLsn, unknown);
  if (lifecycle.state === "closing") return; // See (4).
  void closeBeside(store, fleet.turnReadOnly(why));
  pages.dropAbove(durableLsn);
  logs.dropAbove(durableLsn);
}

/** See (2). `error` says who has the bucket, or how it differs from this disk. */
export function bucketLost(
  store: StoreGround,
  log: Pick<Log, "durableLsn">,
  error: StorageError,
): void {
  const { lifecycle, levels, faults, fleet } = store;
  if (levels.remote === undefined || levels.remote.hasFailed) return;
  const why = counted(error, bytesBetween(levels.remote.durableLsn, log.durableLsn));
  faults.record("sink", why);
  if (lifecycle.state === "open") {
    lifecycle.moveTo("read-only", why);
    void closeBeside(store, fleet.turnReadOnly(why));
  }
  levels.remote.fail(why);
}

/** For those who wait for the sink when the store is closed: what they did is durable here. */
export function notShipped(store: StoreGround, log: Pick<Log, "durableLsn">): void {
  const { remote } = store.levels;
  if (remote === undefined || remote.hasFailed) return;
  const message =
    "the commit is durable on this machine, and not in the sink: the store was closed before; " +
    "it is shipped when the store is opened again";
  const details = { lsn: log.durableLsn, durableLsn: remote.durableLsn };
  remote.fail(new StorageError("BOP_OUTCOME_UNKNOWN", message, { details }));
}

/** Closes connections that nobody uses any more, a few in each turn of the event loop. */
async function closeBeside({ env, faults }: StoreGround, closing: Generator<void>): Promise<void> {
  try {
    for (const _ of closing) await nextTurn(env.clock);
  } catch (error) {
    faults.record("connections", error);
  }
}

/** What the sink lacks is lost to everybody but who reads it here. */
function counted(error: StorageError, unshippedBytes: number): StorageError {
  if (!isStorageError(error, "BOP_FENCED")) return error;
  const { epoch, byEpoch } = error.details;
  const details = {
    epoch,
    byEpoch,
    unshippedBytes: error.details.unshippedBytes ?? unshippedBytes,
  };
  return new StorageError("BOP_FENCED", error.message, { details, cause: error });
}
