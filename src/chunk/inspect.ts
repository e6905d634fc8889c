/**
 * A CHUNK TAKEN APART, for people and for verification: what is right with it and every single thing
 * that is not. `decodeChunk` stops at the first; this goes on, as far as the bytes allow.
 *
 * (1) Any bytes give an answer; nothing is thrown.
 * (2) A chunk without a problem here is one that `decodeChunk` accepts, and the other way round.
 */
import type { ChunkId } from "../base/units.ts";
import { decodeChunk } from "./chunk-decoder.ts";
import { type ChunkEntry, decodeDirectory, decodeFooter, FOOTER } from "./chunk-directory.ts";
import { type ChunkHeader, decodeHeader } from "./chunk-header.ts";
import type { ImageCodec } from "./file-header.ts";
import { pageSeed, recordClaims, recordImage } from "./page-record.ts";
import {
  decodeRecordDirectory,
  decodeRecordHeader,
  type RecordBlockEntry,
  type RecordChunkHeader,
  recordBlockBody,
} from "./record-chunk.ts";

const CUT_SHORT = "the file ends within the page";

export interface ChunkProblem {
  /** Bytes from the beginning of the file. */
  readonly offset: number;
  readonly why: string;
  /** The page that cannot be served for it. */
  readonly page?: { readonly stream: number; readonly pageNumber: number };
}

export interface ChunkReport {
  readonly header: ChunkHeader | undefined;
  /** Undefined if the directory cannot be believed. */
  readonly entries: readonly ChunkEntry[] | undefined;
  readonly problems: readonly ChunkProblem[];
  /** Of its pages: what they are, and what they take as they are stored. */
  readonly imageBytes: number;
  readonly storedBytes: number;
}

/** Looks at the whole file. */
export function inspectChunk(bytes: Uint8Array): ChunkReport {
  const problems: ChunkProblem[] = [];
  let imageBytes = 0;
  let storedBytes = 0;
  const header = headerOf(bytes, problems);
  const entries = entriesOf(bytes, problems);
  if (header !== undefined && entries !== undefined) {
    const seed = pageSeed(header.storeId, header.chunk);
    const { codec } = header;
    for (const entry of entries) {
      const found = recordAt(bytes, entry, { seed, codec });
      const why = found.why;
      imageBytes += found.imageBytes;
      storedBytes += found.storedBytes;
      const page = { stream: entry.stream, pageNumber: entry.pageNumber };
      if (why !== undefined) problems.push({ offset: entry.offset, why, page });
    }
  }
  if (problems.length === 0) {
    // The parts are right; do they fit each other?
    const whole = decodeChunk(bytes);
    if (typeof whole === "string") problems.push({ offset: 0, why: whole });
  }
  return { header, entries, problems, imageBytes, storedBytes };
}

export interface RecordChunkReport {
  readonly header: RecordChunkHeader | undefined;
  readonly blocks: readonly RecordBlockEntry[] | undefined;
  readonly problems: readonly ChunkProblem[];
}

/** The same for a chunk of records. */
export function inspectRecordChunk(bytes: Uint8Array): RecordChunkReport {
  const header = decodeRecordHeader(bytes);
  if (typeof header === "string") {
    return { header: undefined, blocks: undefined, problems: [{ offset: 0, why: header }] };
  }
  const { directoryOffset } = header;
  const blocks = decodeRecordDirectory(bytes.subarray(directoryOffset), header);
  if (typeof blocks === "string") {
    return { header, blocks: undefined, problems: [{ offset: directoryOffset, why: blocks }] };
  }
  const seed = pageSeed(header.storeId, header.chunk as ChunkId);
  const problems: ChunkProblem[] = [];
  for (const entry of blocks) {
    const body = recordBlockBody(bytes.subarray(entry.offset), { entry, seed });
    if (typeof body === "string") problems.push({ offset: entry.offset, why: body });
  }
  return { header, blocks, problems };
}

function headerOf(bytes: Uint8Array, problems: ChunkProblem[]): ChunkHeader | undefined {
  const answer = decodeHeader(bytes);
  if (answer.type === "header") return answer.header;
  const why = answer.type === "bad" ? answer.why : `${answer.found}; ${answer.supported} is read`;
  problems.push({ offset: 0, why });
  return undefined;
}

function entriesOf(bytes: Uint8Array, problems: ChunkProblem[]): ChunkEntry[] | undefined {
  const footerAt = Math.max(0, bytes.length - FOOTER.sizeBytes);
  const footer = decodeFooter(bytes.subarray(footerAt));
  if (typeof footer === "string") {
    problems.push({ offset: footerAt, why: footer });
    return undefined;
  }
  const { directoryOffset } = footer;
  const entries = decodeDirectory(
    bytes.subarray(Math.min(directoryOffset, footerAt), footerAt),
    footer,
  );
  if (typeof entries !== "string") return entries;
  problems.push({ offset: directoryOffset, why: entries });
  return undefined;
}

interface RecordFound {
  readonly imageBytes: number;
  readonly storedBytes: number;
  /** Undefined if it is right. */
  readonly why: string | undefined;
}

function recordAt(
  bytes: Uint8Array,
  { offset, stream, pageNumber, recordBytes }: ChunkEntry,
  { seed, codec }: { readonly seed: number; readonly codec: ImageCodec },
): RecordFound {
  const nothing = { imageBytes: 0, storedBytes: 0 };
  if (offset + recordBytes > bytes.length) return { ...nothing, why: CUT_SHORT };
  const record = bytes.subarray(offset, offset + recordBytes);
  const claims = recordClaims(record, codec);
  if (claims === undefined) return { ...nothing, why: "length of the page" };
  const { imageBytes, storedBytes } = claims;
  const image = recordImage(record, { stream, pageNumber, imageBytes, seed, codec });
  if (typeof image === "string") return { ...nothing, why: image };
  return { imageBytes, storedBytes, why: undefined };
}
