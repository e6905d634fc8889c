/**
 * A CHUNK AS COMPACTION READS IT: its directory, and the records of some of its pages in runs, past
 * the page cache and without holding up the event loop.
 *
 * (1) `undefined` is a chunk that cannot be read: its damage is reported to who reads a page, and
 *     does not keep other databases from being checkpointed.
 * (2) Every page that is given out passed its checksum.
 * (3) What is not here is fetched. If it cannot be, that is a StorageError.
 */
import type { File } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { type ChunkId, MIB } from "../../base/units.ts";
import {
  type ChunkEntry,
  DIRECTORY_ENTRY,
  decodeEntries,
  decodeFooter,
  decodeHeader,
  directoryProblem,
  FILE_HEADER,
  FOOTER,
  type ImageCodec,
  type PackedImage,
  packedImage,
  pageSeed,
  recordBytes,
  recordClaims,
  recordImage,
  unpackImage,
} from "../../chunk/index.ts";
import type { Slices } from "../checkpoint/slices.ts";
import type { Residency } from "../residency/residency.ts";

/** Where chunks are read from. */
export interface ScanSource {
  readonly storeId: Uint8Array;
  readonly residency: Residency;
  /** Ends the waiting for what is not here. */
  readonly signal?: AbortSignal;
}

export interface ChunkToScan {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
}

export interface ScannedPage {
  readonly entry: ChunkEntry;
  /** A view, good until the next page is asked for. */
  readonly image: Uint8Array;
  /** The same as it was stored, if its chunk has a codec. */
  readonly packed?: PackedImage;
}

const SPAN_BYTES_MAX = MIB;
/** Of a directory, decoded in one go. */
const PART_BYTES = 2048 * DIRECTORY_ENTRY.sizeBytes;

export class ChunkScan {
  readonly entries: readonly ChunkEntry[];
  readonly #file: File;
  readonly #codec: ImageCodec;
  readonly #seed: number;

  private constructor(
    file: File,
    found: { readonly codec: ImageCodec; readonly entries: readonly ChunkEntry[] },
    seed: number,
  ) {
    this.#file = file;
    this.#codec = found.codec;
    this.#seed = seed;
    this.entries = found.entries;
  }

  /** See (1). To be closed. */
  static async open(
    source: ScanSource,
    of: ChunkToScan,
    slices: Slices,
  ): Promise<ChunkScan | undefined> {
    const { residency, signal } = source;
    const options = { hold: true, ...(signal && { signal }) };
    const file = await residency.open(of.chunk, options).catch(unlessAway);
    if (file === undefined) return undefined;
    let scan: ChunkScan | undefined;
    try {
      const codec = await readCodec(file);
      const entries = await readDirectory(file, of.fileBytes, slices);
      if (codec !== undefined && entries !== undefined) {
        scan = new ChunkScan(file, { codec, entries }, pageSeed(source.storeId, of.chunk));
      }
      return scan;
    } finally {
      if (scan === undefined) await file.close().catch(() => undefined);
    }
  }

  /** The pages of these entries, which are in order. Ends with undefined at one that is damaged. */
  async *pages(wanted: readonly ChunkEntry[]): AsyncGenerator<ScannedPage | undefined> {
    for (const span of spansOf(wanted)) {
      const begin = span[0]?.offset ?? 0;
      const size = span.reduce((sum, entry) => sum + entry.recordBytes, 0);
      const bytes = await readExactly(this.#file, begin, size);
      for (const entry of span) {
        const at = entry.offset - begin;
        const page = bytes && this.#pageIn(bytes.subarray(at, at + entry.recordBytes), entry);
        yield page;
        if (page === undefined) return;
      }
    }
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined); // Nothing was written through it.
  }

  /** Undefined if the record is not what its entry says. */
  #pageIn(record: Uint8Array, entry: ChunkEntry): ScannedPage | undefined {
    const codec = this.#codec;
    const claims = recordClaims(record, codec);
    if (claims === undefined) return undefined;
    const { imageBytes, storedBytes } = claims;
    if (recordBytes(storedBytes, codec) !== entry.recordBytes) return undefined;
    const { stream, pageNumber } = entry;
    const expected = { stream, pageNumber, imageBytes, seed: this.#seed };
    if (codec === "none") {
      const image = recordImage(record, expected);
      return typeof image === "string" ? undefined : { entry, image };
    }
    const packed = packedImage(record, expected);
    if (typeof packed === "string") return undefined;
    const image = unpackImage(packed);
    return typeof image === "string" ? undefined : { entry, image, packed };
  }
}

async function readCodec(file: File): Promise<ImageCodec | undefined> {
  const bytes = await readExactly(file, 0, FILE_HEADER.sizeBytes);
  const answer = bytes && decodeHeader(bytes);
  return answer?.type === "header" ? answer.header.codec : undefined;
}

async function readDirectory(
  file: File,
  fileBytes: number,
  slices: Slices,
): Promise<ChunkEntry[] | undefined> {
  const end = await readExactly(file, fileBytes - FOOTER.sizeBytes, FOOTER.sizeBytes);
  const footer = end === undefined ? "unreadable" : decodeFooter(end);
  if (typeof footer === "string" || footer.fileBytes !== fileBytes) return undefined;
  const directoryBytes = footer.pageCount * DIRECTORY_ENTRY.sizeBytes;
  if (directoryBytes > fileBytes) return undefined;
  const bytes = await readExactly(file, footer.directoryOffset, directoryBytes);
  if (bytes === undefined || directoryProblem(bytes, footer) !== undefined) return undefined;
  const entries: ChunkEntry[] = [];
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    const part = decodeEntries(bytes.subarray(at, at + PART_BYTES));
    if (typeof part === "string") return undefined;
    for (const entry of part) entries.push(entry);
    await slices.pause();
  }
  return entries;
}

/** Runs of records that lie one behind the other, so that each is one read. */
function* spansOf(wanted: readonly ChunkEntry[]): Generator<ChunkEntry[]> {
  let span: ChunkEntry[] = [];
  let begin = 0;
  let end = 0;
  for (const entry of wanted) {
    const after = entry.offset + entry.recordBytes;
    if (span.length > 0 && (entry.offset !== end || after - begin > SPAN_BYTES_MAX)) {
      yield span;
      span = [];
    }
    if (span.length === 0) begin = entry.offset;
    span.push(entry);
    end = after;
  }
  if (span.length > 0) yield span;
}

/** Undefined if the device or the file does not have them. */
async function readExactly(file: File, at: number, bytes: number): Promise<Uint8Array | undefined> {
  if (at < 0) return undefined;
  const into = new Uint8Array(bytes);
  const count = await file.read(into, at).catch(unlessAway);
  return count === bytes ? into : undefined;
}

/** See (1) and (3). */
function unlessAway(error: unknown): undefined {
  if (error instanceof StorageError) throw error;
}
