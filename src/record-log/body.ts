/**
 * BODY: what the manifest keeps of a record log as of a checkpoint; opaque to the manifest, which
 * gives it a checksum. `v` is a varint of up to 64 bits.
 *
 *   body = version:u8 = 1  flags:u8  boundary if flags has 1  first:v  count:v
 *          runCount:v  run*   rangeCount:v  range*   hardState if flags has 2
 *          stableCount:v  stable*   metaBytes:v  meta
 *
 *   boundary  = index:v  term:v  fieldBytes:v  field
 *   run       = from:v  term:v                     where each term begins
 *   range     = chunk:v  first:v  count:v          entries in record chunks, in order, no gaps
 *   hardState = term:v  hasCommit:u8  voteBytes:v  vote  commit:v if it has
 *   stable    = keyBytes:v  key (UTF-8)  valueBytes:v  value
 *
 * (1) All entries of the log at that moment lie in the ranges.
 * (2) The decoder takes any bytes and throws nothing but BOP_CORRUPT and BOP_FORMAT.
 * (3) A log that was compacted up to 2^64-1, the last index that there can be, is empty and would go
 *     on at 2^64: `first` alone may be that, and takes one bit more than other numbers.
 */
import { StorageError } from "../base/errors.ts";
import { chunkId, type Lsn } from "../base/units.ts";
import { END_MAX, Malformed, Reader, Writer } from "./bytes.ts";
import type { LogMoment } from "./core.ts";
import type { StoredRange } from "./entry-places.ts";
import {
  decodeBoundary,
  decodeHardState,
  decodeKey,
  decodeValue,
  encodeHardState,
} from "./operations.ts";
import type { TermRun } from "./term-runs.ts";

const VERSION = 1;
const HAS_BOUNDARY = 1;
const HAS_HARD_STATE = 2;

export function encodeBody(moment: Omit<LogMoment, "lsn">): Uint8Array {
  const { boundary, first, next, runs, ranges, hardState, stable, snapshotMeta } = moment;
  const flags =
    (boundary === undefined ? 0 : HAS_BOUNDARY) + (hardState === undefined ? 0 : HAS_HARD_STATE);
  const into = new Writer().u8(VERSION).u8(flags);
  if (boundary !== undefined) {
    into.wide(boundary.index).wide(boundary.term).counted(boundary.field);
  }
  into
    .wide(first)
    .wide(next - first)
    .varint(runs.length);
  for (const run of runs) into.wide(run.from).wide(run.term);
  into.varint(ranges.length);
  for (const range of ranges) {
    into
      .varint(range.chunk)
      .wide(range.first)
      .wide(range.last - range.first + 1n);
  }
  if (hardState !== undefined) encodeHardState(into, hardState);
  into.varint(stable.size);
  for (const [key, value] of stable) into.counted(Buffer.from(key, "utf8")).counted(value);
  return into
    .counted(snapshotMeta ?? new Uint8Array(0))
    .written()
    .slice();
}

/** An empty body is that of a log of which nothing was checkpointed but its name. */
export function decodeBody(body: Uint8Array, { log, lsn }: { log: string; lsn: Lsn }): LogMoment {
  const file = `manifest (record log ${JSON.stringify(log)})`;
  const from = new Reader(body);
  try {
    const version = from.u8();
    if (version > VERSION) throw newer(version, file);
    if (version < VERSION) throw new Malformed(`version ${version}`);
    const moment = { ...decode(from), lsn };
    from.end();
    return moment;
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    const details = { file, offset: from.at, why: cause.message };
    const message = `what the ${file} keeps is damaged: ${cause.message}`;
    throw new StorageError("BOP_CORRUPT", message, { details, cause });
  }
}

function decode(from: Reader): Omit<LogMoment, "lsn"> {
  const flags = from.u8();
  if (flags > HAS_BOUNDARY + HAS_HARD_STATE) throw new Malformed(`flags are ${flags}`);
  const boundary = (flags & HAS_BOUNDARY) === 0 ? undefined : decodeBoundary(from);
  const first = from.wide(END_MAX); // See (3).
  const next = first + from.wide();
  if (next > END_MAX) throw new Malformed("indexes beyond 64 bits");
  if (boundary !== undefined && first !== boundary.index + 1n) throw new Malformed("a gap");
  const runs = decodeRuns(from, { first, next });
  const ranges = decodeRanges(from, { first, next });
  const hardState = (flags & HAS_HARD_STATE) === 0 ? undefined : decodeHardState(from);
  const stable = new Map<string, Uint8Array>();
  for (let count = from.varint(); count > 0; count--) {
    const key = decodeKey(from);
    stable.set(key, decodeValue(from));
  }
  const meta = decodeValue(from);
  const snapshotMeta = meta.length === 0 ? undefined : meta;
  return { boundary, first, next, runs, ranges, hardState, stable, snapshotMeta };
}

interface Span {
  readonly first: bigint;
  readonly next: bigint;
}

function decodeRuns(from: Reader, { first, next }: Span): TermRun[] {
  const runs: TermRun[] = [];
  for (let count = from.varint(); count > 0; count--) {
    const run = { from: from.wide(), term: from.wide() };
    const before = runs.at(-1);
    const follows = before === undefined ? run.from === first : run.from > before.from;
    if (!follows || run.from >= next || run.term <= (before?.term ?? -1n)) {
      throw new Malformed("terms out of order");
    }
    runs.push(run);
  }
  if (runs.length === 0 && first !== next) throw new Malformed("entries without a term");
  return runs;
}

/** See (1). */
function decodeRanges(from: Reader, { first, next }: Span): StoredRange[] {
  const ranges: StoredRange[] = [];
  let expected = first;
  for (let count = from.varint(); count > 0; count--) {
    const chunk = chunkId(from.varint());
    const start = from.wide();
    const entries = from.wide();
    if (start !== expected || entries === 0n) throw new Malformed("a gap between chunks");
    expected = start + entries;
    ranges.push({ chunk, first: start, last: expected - 1n });
  }
  if (expected !== next) throw new Malformed("entries that lie in no chunk");
  return ranges;
}

function newer(version: number, file: string): StorageError {
  return new StorageError("BOP_FORMAT", `the ${file} is of version ${version}`, {
    details: { file, found: `version ${version}`, supported: `version ${VERSION}` },
  });
}
