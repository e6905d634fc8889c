/**
 * WHAT A CHANGE MEANS for a log as it is: the operations that make it, or the error that refuses it.
 *
 * (1) A change is refused as a whole, before anything of it happened.
 * (2) The parts of a change apply in one order: clear, truncate, compact, append, state. Each is
 *     judged by what the log would be after those before it.
 */
import { StorageError } from "../base/errors.ts";
import type { HardState, LogBoundary, LogChange, NewLogEntry } from "./api.ts";
import { copied, U64_MAX } from "./bytes.ts";
import type { RecordLogCore } from "./core.ts";
import {
  FIELD_BYTES_MAX,
  KEY_BYTES_MAX,
  NO_BYTES,
  type Operation,
  type StoredEntry,
  VALUE_BYTES_MAX,
} from "./operations.ts";

export interface PlanFor {
  /** Name of the log, for errors. */
  readonly log: string;
  readonly maxEntryBytes: number;
}

/**
 * A log as the parts of a change before this one would leave it. At first it is the log itself, which
 * cannot be spread into another.
 */
interface Outlook {
  readonly boundary: LogBoundary | undefined;
  readonly firstIndex: bigint | undefined;
  readonly lastIndex: bigint | undefined;
  readonly lastTerm: bigint | undefined;
  readonly nextIndex: bigint | undefined;
}

const KNOWN = [
  "clear",
  "truncateAfter",
  "compact",
  "entries",
  "onConflict",
  "hardState",
  "stable",
  "snapshotMeta",
];

const NOTHING: Outlook = Object.freeze({
  boundary: undefined,
  firstIndex: undefined,
  lastIndex: undefined,
  lastTerm: undefined,
  nextIndex: undefined,
});

/** Throws TypeError or RangeError for nonsense, and BOP_LOG_… for what does not fit the log. */
export function plan(core: RecordLogCore, change: LogChange, what: PlanFor): Operation[] {
  const { compact, entries } = change;
  const cut = planCut(core, change, what);
  const { operations } = cut;
  let { outlook } = cut;
  if (compact !== undefined) {
    const to = planCompact({ core, outlook, what }, compact);
    if (to !== undefined) {
      operations.push({ kind: "compact", to });
      outlook = compacted(outlook, to);
    }
  }
  if (entries !== undefined && entries.length > 0) {
    const append = planAppend({ core, outlook, what }, entries, change.onConflict);
    operations.push(...append);
  }
  planState(operations, change);
  return operations;
}

/**
 * The entry whose field the boundary is to keep, as the parts before it leave the log: undefined if
 * there is none, or the change has the field. Throws what refuses those parts.
 */
export function keptFieldOf(
  core: RecordLogCore,
  change: LogChange,
  what: PlanFor,
): bigint | undefined {
  const { compact } = change;
  if (compact === undefined || compact.field !== undefined) return undefined;
  const { upToIndex } = compact;
  const { firstIndex, lastIndex } = planCut(core, change, what).outlook;
  if (firstIndex === undefined || lastIndex === undefined) return undefined;
  return upToIndex >= firstIndex && upToIndex <= lastIndex ? upToIndex : undefined;
}

/** Throws a TypeError for a name that is none of a change's. */
export function assertChange(change: LogChange): void {
  if (typeof change !== "object" || change === null) {
    throw new TypeError("record log: a change must be an object");
  }
  for (const name of Object.keys(change)) {
    if (!KNOWN.includes(name)) {
      throw new TypeError(`record log: unknown option "${name}"; known are ${KNOWN.join(", ")}`);
    }
  }
  const { onConflict } = change;
  if (onConflict !== undefined && onConflict !== "refuse" && onConflict !== "replace") {
    throw new TypeError(`record log: onConflict is ${onConflict}; want "refuse" or "replace"`);
  }
}

/** What of the log is removed first of all. */
function planCut(
  core: RecordLogCore,
  { clear = false, truncateAfter }: LogChange,
  what: PlanFor,
): { readonly operations: Operation[]; readonly outlook: Outlook } {
  const operations: Operation[] = clear ? [{ kind: "clear" }] : [];
  const outlook = clear ? NOTHING : core;
  if (truncateAfter === undefined) return { operations, outlook };
  const after = planTruncate(outlook, truncateAfter, what);
  if (after === undefined) return { operations, outlook };
  operations.push({ kind: "truncate", after });
  return { operations, outlook: truncated(core, outlook, after) };
}

function planTruncate(
  { boundary, firstIndex, lastIndex }: Outlook,
  after: bigint | "all",
  { log }: PlanFor,
): bigint | "all" | undefined {
  if (firstIndex === undefined || lastIndex === undefined) {
    if (after !== "all") assertU64(after, "index");
    return undefined;
  }
  if (after === "all") return after;
  assertU64(after, "index");
  if (after >= lastIndex) return undefined;
  if (boundary !== undefined && after < boundary.index) {
    throw logCompacted({ log, index: after, firstIndex });
  }
  return after < firstIndex ? "all" : after;
}

function truncated(core: RecordLogCore, outlook: Outlook, after: bigint | "all"): Outlook {
  const { boundary, firstIndex } = outlook;
  if (after === "all") {
    return {
      boundary,
      firstIndex: undefined,
      lastIndex: boundary?.index,
      lastTerm: boundary?.term,
      nextIndex: boundary && boundary.index + 1n,
    };
  }
  const lastTerm = core.termAt(after);
  return { boundary, firstIndex, lastIndex: after, lastTerm, nextIndex: after + 1n };
}

interface Planning {
  readonly core: RecordLogCore;
  readonly outlook: Outlook;
  readonly what: PlanFor;
}

function planCompact(
  { core, outlook, what: { log } }: Planning,
  { upToIndex, term, field }: NonNullable<LogChange["compact"]>,
): LogBoundary | undefined {
  assertU64(upToIndex, "index");
  if (term !== undefined) assertU64(term, "term");
  assertField(field);
  const { boundary, firstIndex, lastIndex, lastTerm } = outlook;
  if (boundary !== undefined && upToIndex <= boundary.index) return undefined;
  const isInside = firstIndex !== undefined && lastIndex !== undefined && upToIndex <= lastIndex;
  if (isInside && upToIndex < firstIndex) throw logCompacted({ log, index: upToIndex, firstIndex });
  const known = isInside ? core.termAt(upToIndex) : undefined;
  const chosen = term ?? known;
  if (chosen === undefined) throw logUnavailable({ log, index: upToIndex, lastIndex });
  if (known !== undefined ? chosen !== known : chosen < (lastTerm ?? 0n)) {
    throw wrongTerm({ log, term: chosen, previousTerm: known ?? lastTerm ?? 0n });
  }
  const stored = isInside ? core.inMemory(upToIndex)?.field : undefined;
  return { index: upToIndex, term: chosen, field: copied(field ?? stored ?? NO_BYTES) };
}

function compacted(outlook: Outlook, boundary: LogBoundary): Outlook {
  const { firstIndex, lastIndex, lastTerm, nextIndex } = outlook;
  const { index, term } = boundary;
  if (firstIndex !== undefined && lastIndex !== undefined && index < lastIndex) {
    return { boundary, firstIndex: index + 1n, lastIndex, lastTerm, nextIndex };
  }
  return {
    boundary,
    firstIndex: undefined,
    lastIndex: index,
    lastTerm: term,
    nextIndex: index + 1n,
  };
}

function planAppend(
  { core, outlook, what }: Planning,
  given: readonly NewLogEntry[],
  onConflict: LogChange["onConflict"],
): Operation[] {
  checkEntries(given, what);
  const { boundary, lastIndex } = outlook;
  const isReplacing = onConflict === "replace";
  const entries =
    isReplacing && boundary !== undefined
      ? given.filter(({ index }) => index > boundary.index)
      : given;
  const first = entries[0];
  if (first === undefined) return [];
  const operations: Operation[] = [];
  let { lastTerm } = outlook;
  const { nextIndex } = outlook;
  const { log } = what;
  const { index: firstIndex, term } = first;
  if (nextIndex !== undefined && firstIndex !== nextIndex) {
    if (firstIndex > nextIndex) {
      const details = { log, index: firstIndex, expectedIndex: nextIndex };
      const message = `record log "${log}": entry ${firstIndex} does not follow ${nextIndex - 1n}`;
      throw new StorageError("BOP_LOG_GAP", message, { details });
    }
    if (!isReplacing || lastIndex === undefined) {
      throw conflict({ log, index: firstIndex, lastIndex: lastIndex ?? 0n });
    }
    const isAll = firstIndex <= (outlook.firstIndex ?? 0n);
    operations.push({ kind: "truncate", after: isAll ? "all" : firstIndex - 1n });
    lastTerm = isAll ? boundary?.term : core.termAt(firstIndex - 1n);
  }
  if (lastTerm !== undefined && term < lastTerm) {
    throw wrongTerm({ log, term, previousTerm: lastTerm });
  }
  operations.push({ kind: "append", firstIndex, entries: entries.map(asStored) });
  return operations;
}

function asStored({ term, field = NO_BYTES, payload }: NewLogEntry): StoredEntry {
  return { term, field, payload };
}

/** Among themselves. */
function checkEntries(entries: readonly NewLogEntry[], { log, maxEntryBytes }: PlanFor): void {
  let previous: NewLogEntry | undefined;
  for (const entry of entries) {
    const { term, index, field, payload } = entry;
    assertU64(index, "index");
    assertU64(term, "term");
    if (field !== undefined) assertField(field);
    assertBytes(payload, "payload");
    if (payload.length > maxEntryBytes) {
      throw new RangeError(
        `record log: a payload of ${payload.length} bytes; at most ${maxEntryBytes} (maxEntryBytes)`,
      );
    }
    if (previous !== undefined && index !== previous.index + 1n) {
      const expectedIndex = previous.index + 1n;
      const message = `record log "${log}": entry ${index} stands where ${expectedIndex} should`;
      throw new StorageError("BOP_LOG_GAP", message, { details: { log, index, expectedIndex } });
    }
    if (previous !== undefined && term < previous.term) {
      throw wrongTerm({ log, term, previousTerm: previous.term });
    }
    previous = entry;
  }
}

function planState(operations: Operation[], change: LogChange): void {
  const { hardState, stable, snapshotMeta } = change;
  if (hardState !== undefined) {
    operations.push({ kind: "hardState", state: checkedHardState(hardState) });
  }
  for (const [key, value] of Object.entries(stable ?? {})) {
    const bytes = Buffer.byteLength(key, "utf8");
    if (bytes === 0 || bytes > KEY_BYTES_MAX || !key.isWellFormed()) {
      throw new RangeError(`record log: a stable key takes 1 to ${KEY_BYTES_MAX} bytes of UTF-8`);
    }
    if (value !== undefined) assertBytes(value, "stable value", VALUE_BYTES_MAX);
    operations.push({ kind: "stable", key, value: value && copied(value) });
  }
  if (snapshotMeta === undefined) return;
  assertBytes(snapshotMeta, "snapshotMeta", VALUE_BYTES_MAX);
  operations.push({ kind: "snapshot", meta: copied(snapshotMeta) });
}

function checkedHardState({ term, vote = NO_BYTES, commit }: HardState): HardState {
  assertU64(term, "term");
  assertBytes(vote, "vote", FIELD_BYTES_MAX);
  if (commit === undefined) return { term, vote: copied(vote) };
  assertU64(commit, "commit");
  return { term, vote: copied(vote), commit };
}

export function assertU64(value: unknown, what: string): void {
  if (typeof value !== "bigint") {
    throw new TypeError(`record log: ${what} is ${String(value)}; want a bigint, as in 1n`);
  }
  if (value < 0n || value > U64_MAX) {
    throw new RangeError(`record log: ${what} ${value} is not an unsigned 64-bit number`);
  }
}

function assertField(field: unknown): void {
  if (field !== undefined) assertBytes(field, "field", FIELD_BYTES_MAX);
}

function assertBytes(value: unknown, what: string, max?: number): void {
  if (!(value instanceof Uint8Array)) {
    throw new TypeError(`record log: ${what} must be a Uint8Array`);
  }
  if (max !== undefined && value.length > max) {
    throw new RangeError(`record log: a ${what} of ${value.length} bytes; at most ${max}`);
  }
}

export function logCompacted(details: {
  readonly log: string;
  readonly index: bigint;
  readonly firstIndex: bigint | undefined;
}): StorageError {
  const { log, index, firstIndex = "none" } = details;
  const message = `record log "${log}": entry ${index} is gone; the first is ${firstIndex}`;
  return new StorageError("BOP_LOG_COMPACTED", message, { details });
}

export function logUnavailable(details: {
  readonly log: string;
  readonly index: bigint;
  readonly lastIndex: bigint | undefined;
}): StorageError {
  const { log, index, lastIndex = "none" } = details;
  const message = `record log "${log}": entry ${index} is not there yet; the last is ${lastIndex}`;
  return new StorageError("BOP_LOG_UNAVAILABLE", message, { details });
}

function conflict(details: {
  readonly log: string;
  readonly index: bigint;
  readonly lastIndex: bigint;
}): StorageError {
  const { log, index, lastIndex } = details;
  const message = `record log "${log}": entry ${index} is there; the last is ${lastIndex}`;
  return new StorageError("BOP_LOG_CONFLICT", message, { details });
}

function wrongTerm(details: {
  readonly log: string;
  readonly term: bigint;
  readonly previousTerm: bigint;
}): StorageError {
  const { log, term, previousTerm } = details;
  const message = `record log "${log}": term ${term} does not fit term ${previousTerm}`;
  return new StorageError("BOP_LOG_TERM", message, { details });
}
