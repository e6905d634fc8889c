/** WHAT A TRANSACTION WAS ASKED TO BE, and for how long it may go on: checked here, once. */
import { StorageError } from "../../base/errors.ts";
import type { TransactionOptions } from "../api/connection.ts";
import { type Durability, durabilityOf } from "../gates/durability.ts";
import { shown, signalOf, timeoutOf } from "../option-values.ts";
import { refuseUnknown } from "../refuse-unknown.ts";

const DEFAULT_TIMEOUT_MS = 5000;
const MODES = ["immediate", "deferred", "read"] as const;
const REVEALS = ["durable", "committed"] as const;

export interface TransactionLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

export interface ResolvedTransaction extends TransactionLimits {
  readonly mode: (typeof MODES)[number];
  readonly reveal: (typeof REVEALS)[number];
  /** Undefined: that of the database. */
  readonly durability: Durability | undefined;
}

/** Throws TypeError and RangeError. */
export function resolveTransaction(options: TransactionOptions): ResolvedTransaction {
  refuseUnknown("transaction", options, ["mode", "signal", "timeoutMs", "reveal", "durability"]);
  const { mode = "immediate", reveal = "durable" } = options;
  const timeoutMs = timeoutOf("transaction", options.timeoutMs) ?? DEFAULT_TIMEOUT_MS;
  const signal = signalOf("transaction", options.signal);
  if (!REVEALS.includes(reveal)) {
    throw new TypeError(`transaction: reveal is ${shown(reveal)}; want ${REVEALS.join(", ")}`);
  }
  if (!MODES.includes(mode)) {
    throw new TypeError(`transaction: mode is ${shown(mode)}; want ${MODES.join(", ")}`);
  }
  const durability = options.durability && durabilityOf("transaction", options.durability);
  return { mode, timeoutMs, signal, reveal, durability };
}

/** The error of one that has used up its time, or that waited for the writer for so long. */
export function timedOut(timeoutMs: number): StorageError {
  const advice = "inside of it, use the handle that its function was given";
  const message = `the transaction took longer than ${timeoutMs} ms (${advice})`;
  return new StorageError("BOP_TIMEOUT", message, {
    details: { operation: "transaction", timeoutMs },
  });
}
