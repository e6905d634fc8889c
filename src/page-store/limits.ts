/** LIMITS of a page store, with what holds where nothing else is said. */
import { GIB, MIB } from "../base/units.ts";
import { CHUNK_BYTES_MAX, type ImageCodec } from "../chunk/index.ts";

export interface PageStoreLimits {
  /** Memory of the page cache, its tables included. Bytes. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** Pages that one transaction may change. Bytes. Default 64 GiB. */
  readonly maxTransactionBytes?: number;
  /** Of these, what it keeps in memory; the rest goes to disk. Bytes. Default 64 MiB. */
  readonly transactionMemoryBytes?: number;
  /**
   * Deltas between a version of a page and the full image that it goes back to in the log: what
   * replay has to go through for one page. 0 logs full images only.
   */
  readonly deltasMax?: number;
  /** Chunk files that are open at the same time. Default 64. */
  readonly openChunks?: number;
  /** Size at which a chunk is ended and another begun. Bytes, up to 64 MiB, which is the default. */
  readonly chunkBytes?: number;
  /** What pages are packed with in chunks that are written from now on. Default "none". */
  readonly compression?: ImageCodec;
  /** Pages that one checkpoint carries over from sparse chunks. Bytes. Default 64 MiB. */
  readonly compactionBytes?: number;
  /**
   * Rows of page maps kept in memory: 4 KiB for the places of 512 pages. A row that is not there is
   * read from the manifest when a page of it is. Bytes. Default 32 MiB.
   */
  readonly mapBytes?: number;
  /** Free space that a checkpoint leaves to others: see room.ts. Bytes. Default 4 MiB. */
  readonly reserveBytes?: number;
  /**
   * What files of chunks may take, those that are in the bucket too being the first to go. Undefined
   * keeps all of them. Bytes.
   */
  readonly diskBytes?: number | undefined;
}

export interface ResolvedPageStoreLimits extends Required<Omit<PageStoreLimits, "diskBytes">> {
  readonly diskBytes: number | undefined;
}

/** See docs/decisions/0020-bound-of-delta-chains.md for what others cost. */
const DELTAS_MAX = 32;

export const PAGE_STORE_DEFAULTS: ResolvedPageStoreLimits = Object.freeze({
  cacheBytes: 64 * MIB,
  maxTransactionBytes: 64 * GIB,
  deltasMax: DELTAS_MAX,
  transactionMemoryBytes: 64 * MIB,
  openChunks: 64,
  chunkBytes: CHUNK_BYTES_MAX,
  compression: "none",
  compactionBytes: 64 * MIB,
  mapBytes: 32 * MIB,
  reserveBytes: 4 * MIB,
  diskBytes: undefined,
});
