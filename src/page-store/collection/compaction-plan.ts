/**
 * WHICH CHUNKS ARE REWRITTEN: those of which little is used, so that what their dead pages take comes
 * back. Pure.
 *
 *   amplification = bytes of all chunks ÷ bytes of their pages that a row of a page map names
 *
 * (1) A chunk is sparse if less than SPARSE_SHARE of it is used: it goes at once, for a fraction of
 *     what it gives back. Small ones count as sparse for their size: many small become a large one.
 * (2) While the amplification is above AMPLIFICATION_MAX the emptiest go beyond that. Then some chunk
 *     is used by less than 1 in AMPLIFICATION_MAX, so that each byte carried gives at least one back,
 *     and the bound can always be reached.
 * (3) How much is used is not always known. `usedMax` is never less than the truth, so what is
 *     planned is worth it; `suspects` are those that a count may show to be emptier.
 */
import type { ChunkId } from "../../base/units.ts";

export interface ChunkUse {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
  readonly pageCount: number;
  /** Pages that some row names, at most. */
  readonly usedMax: number;
  /** At least, or not far below it: `usedMax` if that is known well enough. */
  readonly usedMin: number;
  /** `usedMax` is the number itself. */
  readonly isCertain: boolean;
  /** A guess, which says what is to be looked into first. */
  readonly usedGuess: number;
  /** It could not be read: it stays where it is. */
  readonly isDamaged?: boolean;
}

export interface CompactionLimits {
  /** Of pages that are carried. */
  readonly carryBytesMax: number;
  /** Pages are written anyway, which a single small chunk can join. */
  readonly isWriting: boolean;
  /** Every chunk of which it is not certain how much is used is a suspect. */
  readonly isExact?: boolean;
}

export interface CompactionPlan {
  /** The emptiest first. */
  readonly chunks: readonly ChunkId[];
  /** Worth a count, the likeliest first: see (3). */
  readonly suspects: readonly ChunkId[];
  /** Something was left out for `carryBytesMax`. */
  readonly isCut: boolean;
  /** When it is carried out. */
  readonly after: Space;
}

/** Of chunks: their files, and what of these is used, as far as is known. */
export interface Space {
  readonly fileBytes: number;
  readonly usedBytes: number;
}

export const AMPLIFICATION_MAX = 2;
const SPARSE_SHARE = 0.3;
const SMALL_BYTES = 256 * 1024;

interface Candidate {
  readonly use: ChunkUse;
  readonly usedBytes: number;
}

export function planCompaction(
  uses: Iterable<ChunkUse>,
  { carryBytesMax, isWriting, isExact = false }: CompactionLimits,
): CompactionPlan {
  const sparse: Candidate[] = [];
  const others: Candidate[] = [];
  const suspects: ChunkUse[] = [];
  const total = { fileBytes: 0, usedBytes: 0 };
  for (const use of uses) {
    const usedBytes = bytesOf(use, use.usedMax);
    total.fileBytes += use.fileBytes;
    total.usedBytes += usedBytes;
    if (use.isDamaged === true) continue;
    (isSparse(use, usedBytes) ? sparse : others).push({ use, usedBytes });
    if (isExact ? !use.isCertain : isSuspect(use, usedBytes)) suspects.push(use);
  }
  sparse.sort(emptiestFirst);
  others.sort(emptiestFirst);
  const taken = new Taken(carryBytesMax);
  for (const candidate of sparse) taken.take(candidate, total);
  for (const candidate of others) {
    if (amplification(total) <= AMPLIFICATION_MAX) break;
    if (candidate.usedBytes * AMPLIFICATION_MAX >= candidate.use.fileBytes) break;
    taken.take(candidate, total);
  }
  // One small chunk alone, and nothing to put with it, would be written again and again.
  const [only] = taken.chunks;
  const isPointless = taken.chunks.length === 1 && !isWriting && isOnlySmall(sparse, only);
  suspects.sort((a, b) => share(a) - share(b) || a.chunk - b.chunk);
  return {
    chunks: isPointless ? [] : taken.chunks,
    suspects: suspects.map(({ chunk }) => chunk),
    isCut: taken.isCut,
    after: total,
  };
}

export function spaceOf(uses: Iterable<ChunkUse>): Space {
  const total = { fileBytes: 0, usedBytes: 0 };
  for (const use of uses) {
    total.fileBytes += use.fileBytes;
    total.usedBytes += bytesOf(use, use.usedMax);
  }
  return total;
}

/** 1 if there is nothing. */
export function amplification({ fileBytes, usedBytes }: Space): number {
  return fileBytes === 0 ? 1 : fileBytes / Math.max(1, usedBytes);
}

/** What `pages` of the chunk take, headers and directory included. */
function bytesOf({ fileBytes, pageCount }: ChunkUse, pages: number): number {
  return pageCount === 0 ? 0 : (fileBytes * pages) / pageCount;
}

class Taken {
  readonly chunks: ChunkId[] = [];
  isCut = false;
  #bytesLeft: number;

  constructor(bytes: number) {
    this.#bytesLeft = bytes;
  }

  /** The total is as it will be when the chunk is rewritten. */
  take({ use, usedBytes }: Candidate, total: { fileBytes: number }): void {
    if (usedBytes > this.#bytesLeft) {
      this.isCut = true;
      return;
    }
    this.#bytesLeft -= usedBytes;
    this.chunks.push(use.chunk);
    total.fileBytes -= use.fileBytes - usedBytes;
  }
}

function isSparse({ fileBytes }: ChunkUse, usedBytes: number): boolean {
  return usedBytes < SPARSE_SHARE * Math.max(fileBytes, SMALL_BYTES);
}

function isSuspect(use: ChunkUse, usedBytes: number): boolean {
  if (use.usedMin >= use.usedMax || isSparse(use, usedBytes)) return false;
  return use.usedMin * AMPLIFICATION_MAX < use.pageCount;
}

/** It is sparse for its size alone. */
function isOnlySmall(sparse: readonly Candidate[], chunk: ChunkId | undefined): boolean {
  const found = sparse.find(({ use }) => use.chunk === chunk);
  return found !== undefined && found.usedBytes * AMPLIFICATION_MAX >= found.use.fileBytes;
}

function share({ usedGuess, pageCount }: ChunkUse): number {
  return usedGuess / Math.max(1, pageCount);
}

function emptiestFirst(a: Candidate, b: Candidate): number {
  return a.usedBytes / a.use.fileBytes - b.usedBytes / b.use.fileBytes || a.use.chunk - b.use.chunk;
}
