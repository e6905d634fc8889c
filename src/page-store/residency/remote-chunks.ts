/**
 * THE BUCKET AS A PAGE STORE SEES IT, and the words that the two have in common. Whoever ships
 * implements it; the manager introduces them.
 *
 * (1) A chunk never changes. So what the bucket has of an id is what was here, or it is damaged: its
 *     checksums tell.
 */
import type { ChunkId } from "../../base/units.ts";

export interface RemoteChunks {
  /** Length in bytes if the bucket has it; undefined if not. */
  find(chunk: ChunkId): { readonly fileBytes: number } | undefined;
  /**
   * Its file may go here: it is in the bucket, was checked before it was put there, and a state that
   * names it was shipped in the epoch of this process.
   */
  isSafe(chunk: ChunkId): boolean;
  /**
   * Exactly these bytes. Repeats by itself. Rejects with BOP_SINK_…: BOP_SINK_CORRUPT for what is
   * missing or cut short; or with the signal's reason.
   */
  fetch(chunk: ChunkId, range: ByteRange, signal?: AbortSignal): Promise<Uint8Array>;
}

export interface ByteRange {
  readonly offset: number;
  readonly bytes: number;
}

/** One statement with all of its runs: what was brought for it stays until it ends. */
export interface RemoteVisit {
  /** How often it had to wait. */
  readonly misses: number;
  /** Idempotent. */
  end(): void;
}

/**
 * How the healing of a chunk ended:
 *
 *   healed       the file here is whole, and was checked
 *   no copy      the bucket does not have it
 *   bad copy     the copy in the bucket is damaged too
 *   unavailable  the bucket, or this disk, did not let it be done now: it is tried again
 */
export type HealOutcome = "healed" | "no copy" | "bad copy" | "unavailable";

/** A chunk here was damaged, and is whole again. */
export interface HealedChunk {
  readonly chunk: ChunkId;
  readonly file: string;
  /** What was wrong with it. */
  readonly why: string;
}

export interface ResidencyStats {
  /** Files of chunks that are here and not in the bucket. */
  readonly localBytes: number;
  /** Here and in the bucket. */
  readonly bothBytes: number;
  /** In the bucket, and not here as a whole. */
  readonly remoteBytes: number;
  /** Of chunks that are not here, what was fetched and is kept. */
  readonly partBytes: number;
  /** Requests, and the bytes that they brought, since the store was opened. */
  readonly fetches: number;
  readonly fetchedBytes: number;
  /** How often a statement had to wait for pages. */
  readonly misses: number;
  readonly evictedChunks: number;
  readonly healedChunks: number;
  /** Requests that are under way. */
  readonly inFlight: number;
}
