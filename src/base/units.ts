/**
 * QUANTITIES: numbers that carry their unit in their type, so that a length cannot be taken for a
 * position. They are made where plain numbers enter (codecs, options) and nowhere else.
 *
 * Numbers, not bigints: 2^53 bytes of log is 8 PiB, and a bigint is an allocation on the append
 * path. On disk an LSN is a u64, and the decoder refuses what does not fit.
 */
import { AssertionError } from "./assert.ts";

declare const unit: unique symbol;
type Quantity<Unit extends string> = number & { readonly [unit]: Unit };

/** A position in the store's logical log: the number of batch bytes before it. */
export type Lsn = Quantity<"lsn">;
/** The id under which something appends to the log. A database is a stream. 0 is the catalogue. */
export type StreamId = Quantity<"stream id">;
/** The number of a WAL segment in the order of their use; names its file. */
export type SegmentSequence = Quantity<"segment sequence">;
/** The id of a chunk; names its file. Never reused. */
export type ChunkId = Quantity<"chunk id">;
/** SQLite's page number: the first page of a database is 1. */
export type PageNumber = Quantity<"page number">;

export const lsn = (n: number): Lsn => natural(n) as Lsn;
export const streamId = (n: number): StreamId => natural(n) as StreamId;
export const segmentSequence = (n: number): SegmentSequence => natural(n) as SegmentSequence;
export const chunkId = (n: number): ChunkId => natural(n) as ChunkId;
export const pageNumber = (n: number): PageNumber => natural(n) as PageNumber;

/** The only arithmetic that an LSN has: `a + b` is a plain number again and will not type-check. */
export const lsnAfter = (from: Lsn, bytes: number): Lsn => lsn(from + bytes);
export const bytesBetween = (from: Lsn, to: Lsn): number => natural(to - from);

export const earlierLsn = (a: Lsn, b: Lsn): Lsn => Math.min(a, b) as Lsn;
export const laterLsn = (a: Lsn, b: Lsn): Lsn => Math.max(a, b) as Lsn;

export const LSN_ZERO = lsn(0);
/** The stream of the catalogue: create, drop, rename (design: stream 0). */
export const CATALOGUE_STREAM = streamId(0);

function natural(n: number): number {
  if (!Number.isSafeInteger(n) || n < 0) throw new AssertionError(`${n} is not a natural number`);
  return n;
}

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** The smallest multiple of `step` that is not below `n`. */
export const roundUp = (n: number, step: number): number => Math.ceil(n / step) * step;
