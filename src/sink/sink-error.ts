/**
 * WHAT A SERVICE'S ANSWER MEANS TO WHO ASKED, decided in one place for all stores.
 *
 *   answer                              reading               changing
 *   400, 405, 411, 413, 501 …           refused (request)     refused (request)
 *   401, 403                            refused (permission)  refused (permission)
 *   404 that names the bucket, 301      refused (bucket)      refused (bucket)
 *   408, 429                            unavailable           unavailable
 *   409, 500, 503 and other 5xx         unavailable           unknown
 *   a body damaged on the way (400)     unavailable           unavailable
 *   our clock is wrong (403)            unavailable           unavailable
 *   the connection did not come about   unavailable           unavailable
 *   cut off, timed out, unreadable      unavailable           unknown
 *
 * (1) "Unavailable" is said of a change only if it certainly was not made. 503 does not prove that:
 *     a proxy sends it for what the service behind it has done.
 * (2) 409 on a conditional put means that it ran beside another one, not that it lost.
 * (3) 412 is no error: the caller of `putIfAbsent` is told what is there.
 */
import { StorageError } from "../base/errors.ts";

export type SinkOperation = "put" | "putIfAbsent" | "get" | "head" | "list" | "delete";

/** Where it happened. */
export interface SinkCall {
  readonly store: string;
  readonly operation: SinkOperation;
  readonly key: string;
}

export interface ServiceAnswer {
  /** HTTP's; undefined if no answer came. */
  readonly status: number | undefined;
  /** The service's own word, or the system's: "NoSuchBucket", "ECONNREFUSED". */
  readonly word: string;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

const CHANGES: ReadonlySet<SinkOperation> = new Set(["put", "putIfAbsent", "delete"]);
/** A connection that fails so has carried nothing. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);
/** Said in place of doing anything, and not for good. The SDK corrects its clock by the last one. */
const NOT_DONE: ReadonlySet<string> = new Set([
  "BadDigest",
  "XAmzContentSHA256Mismatch",
  "XAmzContentChecksumMismatch",
  "IncompleteBody",
  "RequestTimeout",
  "RequestTimeTooSkewed",
]);
const EXPIRED: ReadonlySet<string> = new Set([
  "ExpiredToken",
  "InvalidToken",
  "TokenRefreshRequired",
]);
const BUSY: ReadonlySet<number> = new Set([408, 429]);

export function sinkError(call: SinkCall, answer: ServiceAnswer): StorageError {
  const { status, word, cause } = answer;
  const said = `${call.operation} of ${call.key || "objects"} in ${call.store}: ${word}`;
  const message = status === undefined ? said : `${said} (${status})`;
  switch (meaning(call, answer)) {
    case "unavailable": {
      const details = { ...call, retryAfterMs: answer.retryAfterMs };
      return new StorageError("BOP_SINK_UNAVAILABLE", message, { details, cause });
    }
    case "unknown": {
      const details = { ...call, retryAfterMs: answer.retryAfterMs };
      return new StorageError("BOP_SINK_UNKNOWN", message, { details, cause });
    }
    default: {
      const details = { ...call, reason: refusalReason(answer) };
      return new StorageError("BOP_SINK_REFUSED", message, { details, cause });
    }
  }
}

export function corruptObject(
  { store, key }: Pick<SinkCall, "store" | "key">,
  why: string,
): StorageError {
  const details = { store, key, why };
  return new StorageError("BOP_SINK_CORRUPT", `${key} in ${store}: ${why}`, { details });
}

function meaning(
  { operation }: SinkCall,
  { status, word }: ServiceAnswer,
): "unavailable" | "unknown" | "refused" {
  const open = CHANGES.has(operation) ? "unknown" : "unavailable";
  if (NOT_DONE.has(word)) return "unavailable";
  if (status === undefined) return NOT_CONNECTED.has(word) ? "unavailable" : open;
  if (BUSY.has(status)) return "unavailable";
  if (status === 409 || (status >= 500 && status !== 501) || status < 300) return open;
  return "refused";
}

function refusalReason({ status, word }: ServiceAnswer): "bucket" | "permission" | "request" {
  if (status === 404 || status === 301 || word === "NoSuchBucket") return "bucket";
  return status === 401 || status === 403 || EXPIRED.has(word) ? "permission" : "request";
}
