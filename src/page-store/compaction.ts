/**
 * COMPACTION: the pages of a sparse chunk that are still named are carried into the chunk that a
 * checkpoint writes anyway, and the sparse one is let go.
 *
 * (1) A page is carried only if the newest map names exactly this record, and only after its
 *     checksum was right. It keeps its LSN.
 * (2) A chunk that cannot be read stays as it is: its damage is reported to who reads the page, and
 *     does not keep other databases from being checkpointed.
 */
import type { File, Storage } from "../base/env.ts";
import { type ChunkId, MIB } from "../base/units.ts";
import {
  type ChunkEntry,
  DIRECTORY_ENTRY,
  decodeDirectory,
  decodeFooter,
  FOOTER,
  pageSeed,
  RECORD,
  recordBytes,
  recordImage,
} from "../chunk/index.ts";
import { chunkPath } from "./chunk-files.ts";
import type { Slices } from "./slices.ts";

export interface CompactionSource {
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly chunk: ChunkId;
  readonly fileBytes: number;
}

export interface CarriedPage {
  readonly entry: ChunkEntry;
  /** A view, good until the carrier's promise settles. */
  readonly image: Uint8Array;
}

export interface Carrier {
  /** The newest map names this record. */
  readonly isLive: (entry: ChunkEntry) => boolean;
  readonly carry: (page: CarriedPage) => Promise<void> | undefined;
  readonly slices: Slices;
}

const SPAN_BYTES_MAX = MIB;

/** Carries what is live in a chunk. False if the chunk could not be read to its end. */
export async function carryLivePages(source: CompactionSource, carrier: Carrier): Promise<boolean> {
  const path = chunkPath(source.directory, source.chunk);
  const file = await source.storage.open(path, "read").catch(() => undefined);
  if (file === undefined) return false;
  try {
    const entries = await readDirectory(file, source.fileBytes);
    if (entries === undefined) return false;
    const live: ChunkEntry[] = [];
    for (const entry of entries) {
      if (carrier.isLive(entry)) live.push(entry);
      await carrier.slices.pause();
    }
    for (const span of spansOf(live)) {
      if (!(await carrySpan({ file, source, span }, carrier))) return false;
    }
    return true;
  } finally {
    await file.close().catch(() => undefined);
  }
}

async function readDirectory(file: File, fileBytes: number): Promise<ChunkEntry[] | undefined> {
  const end = await readExactly(file, fileBytes - FOOTER.sizeBytes, FOOTER.sizeBytes);
  const footer = end === undefined ? "unreadable" : decodeFooter(end);
  if (typeof footer === "string" || footer.fileBytes !== fileBytes) return undefined;
  const directoryBytes = footer.pageCount * DIRECTORY_ENTRY.sizeBytes;
  const bytes = await readExactly(file, footer.directoryOffset, directoryBytes);
  const entries = bytes === undefined ? "unreadable" : decodeDirectory(bytes, footer);
  return typeof entries === "string" ? undefined : entries;
}

/** Runs of records that lie one behind the other, so that each is one read. */
function* spansOf(live: readonly ChunkEntry[]): Generator<ChunkEntry[]> {
  let span: ChunkEntry[] = [];
  let begin = 0;
  let end = 0;
  for (const entry of live) {
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

interface Span {
  readonly file: File;
  readonly source: CompactionSource;
  readonly span: readonly ChunkEntry[];
}

async function carrySpan({ file, source, span }: Span, carrier: Carrier): Promise<boolean> {
  const begin = span[0]?.offset ?? 0;
  const size = span.reduce((sum, entry) => sum + entry.recordBytes, 0);
  const bytes = await readExactly(file, begin, size);
  if (bytes === undefined) return false;
  const seed = pageSeed(source.storeId, source.chunk);
  for (const entry of span) {
    const record = bytes.subarray(entry.offset - begin, entry.offset - begin + entry.recordBytes);
    const { stream, pageNumber } = entry;
    const imageBytes = imageBytesOf(record);
    const image = recordImage(record, { stream, pageNumber, imageBytes, seed });
    if (typeof image === "string" || recordBytes(imageBytes) !== entry.recordBytes) return false;
    await carrier.carry({ entry, image });
    await carrier.slices.pause();
  }
  return true;
}

function imageBytesOf(record: Uint8Array): number {
  if (record.length < RECORD.sizeBytes) return 0;
  const view = new DataView(record.buffer, record.byteOffset, RECORD.sizeBytes);
  return view.getUint32(RECORD.offset.imageBytes, true);
}

/** Undefined if the device or the file does not have them. */
async function readExactly(file: File, at: number, bytes: number): Promise<Uint8Array | undefined> {
  if (at < 0) return undefined;
  const into = new Uint8Array(bytes);
  const count = await file.read(into, at).catch(() => 0);
  return count === bytes ? into : undefined;
}
