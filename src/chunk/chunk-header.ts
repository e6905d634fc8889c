/**
 * CHUNK HEADER: what the header of a file (file-header.ts) says of a page chunk.
 *
 *   chunk = header, record × itemCount, entry × itemCount, footer
 *
 * (1) `sequence` is the chunk's id. `bodyOffset` is the end of the header, and the directory ends
 *     where the footer begins.
 * (2) A chunk is written once, under a temporary name, and never changed.
 * (3) One that a transaction wrote (kind 4) has the same sections. Its LSNs lie above the commit before
 *     and below its own, which was not known yet.
 */
import { assert } from "../base/assert.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { chunkId, lsn } from "../base/units.ts";
import { DIRECTORY_ENTRY } from "./chunk-directory.ts";
import { decodeFileHeader, encodeFileHeader, FILE_HEADER, type ImageCodec } from "./file-header.ts";

/** Where the first record of a chunk begins. */
export const CHUNK_BODY_OFFSET = FILE_HEADER.sizeBytes;

export interface ChunkHeader {
  readonly chunk: ChunkId;
  readonly generation: number;
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  readonly epoch: number;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  /** Size that all its pages have; 0 if they differ. */
  readonly pageBytes: number;
  readonly pageCount: number;
  /** Families of databases that have a page in it. */
  readonly streamCount: number;
  readonly directoryOffset: number;
  /** What its images may have been made smaller with. */
  readonly codec: ImageCodec;
  /** Written by a transaction before it committed: see (3). Absent is no. */
  readonly spilled?: boolean;
}

/** Bytes from a disk may be anything, so that they are not a header is an answer. */
export type HeaderAnswer =
  | { readonly type: "header"; readonly header: ChunkHeader }
  | { readonly type: "newer"; readonly found: string; readonly supported: string }
  | { readonly type: "bad"; readonly why: string };

export function encodeHeader(header: ChunkHeader): Uint8Array {
  assert(header.spilled !== true || header.codec === "none", "spilled pages lie as they are");
  const { chunk, pageCount, spilled, ...shared } = header;
  return encodeFileHeader({
    ...shared,
    kind: spilled === true ? "spill" : "pages",
    sequence: chunk,
    bodyOffset: CHUNK_BODY_OFFSET,
    itemCount: pageCount,
    directoryBytes: pageCount * DIRECTORY_ENTRY.sizeBytes,
  });
}

/** Reads the header of a page chunk at the beginning of `bytes`. */
export function decodeHeader(bytes: Uint8Array): HeaderAnswer {
  const answer = decodeFileHeader(bytes);
  if (answer.type === "zero") return bad("zeros: the chunk was never finished");
  if (answer.type !== "header") return answer;
  const { header } = answer;
  const spilled = header.kind === "spill";
  if (header.kind !== "pages" && !spilled) return bad(`a file of ${header.kind}, not of pages`);
  const { itemCount: pageCount, directoryOffset } = header;
  const directoryBytes = pageCount * DIRECTORY_ENTRY.sizeBytes;
  if (header.bodyOffset !== CHUNK_BODY_OFFSET || header.directoryBytes !== directoryBytes) {
    return bad("the sections do not fit each other");
  }
  const { generation, storeId, epoch, pageBytes, streamCount, codec } = header;
  return {
    type: "header",
    header: {
      chunk: chunkId(header.sequence),
      generation,
      storeId,
      epoch,
      firstLsn: lsn(header.firstLsn),
      lastLsn: lsn(header.lastLsn),
      pageBytes,
      pageCount,
      streamCount,
      directoryOffset,
      codec,
      ...(spilled ? { spilled } : {}),
    },
  };
}

function bad(why: string): HeaderAnswer {
  return { type: "bad", why };
}
