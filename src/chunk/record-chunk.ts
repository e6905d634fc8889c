/**
 * RECORD CHUNK: entries of record logs, archived by a checkpoint. Little-endian.
 *
 *   chunk = header, block × itemCount, directory entry × itemCount, footer
 *
 * Header and footer are those of every chunk (file-header.ts, chunk-directory.ts); what the footer
 * calls `pageCount` are the blocks. A block is a run of entries of one record log:
 *
 *   offset  size  field       meaning
 *        0     4  crc         CRC-32, seeded, of the header behind this field and of the body
 *        4     4  bodyBytes   length of the body that follows
 *        8     4  stream      record log that the entries belong to
 *       12     4  entryCount  entries in the body
 *       16     8  firstIndex  index of the first of them; the others follow without gaps
 *       24     8  lsn         newest commit of the record log when the block was written
 *
 * Directory entry, one for each block, in the order of the blocks:
 *
 *   offset  size  field       meaning
 *        0     4  stream      record log that the entries belong to
 *        4     4  entryCount  entries in the block
 *        8     8  firstIndex  index of the first of them
 *       16     8  lsn         as it stands in the block
 *       24     4  offset      where the block begins, in bytes from the file's beginning
 *       28     4  blockBytes  length of the block
 *       32     4  flags       zero in version 1
 *       36     4  crc         as it stands in the block
 *
 * (1) A block proves itself: its checksum is seeded with store and chunk (page-record.ts), and covers
 *     stream and index. The right bytes in the wrong place are refused like wrong bytes.
 * (2) The entries of one record log stand in order of index, over all blocks of the chunk.
 * (3) What the body of a block holds is the record log's own (record-log/operations.ts: entries).
 * (4) An index takes all 64 bits; it is the only number here that may be beyond 2^53.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { layout, readU64, writeU64 } from "../base/layout.ts";
import { type ChunkId, type Lsn, lsn } from "../base/units.ts";
import { decodeFooter, FOOTER } from "./chunk-directory.ts";
import { decodeFileHeader, encodeFileHeader, FILE_HEADER } from "./file-header.ts";
import { pageSeed } from "./page-record.ts";

export const RECORD_BLOCK = layout(32, [
  ["crc", "u32", "CRC-32, seeded, of the header behind this field and of the body"],
  ["bodyBytes", "u32", "length of the body that follows"],
  ["stream", "u32", "record log that the entries belong to"],
  ["entryCount", "u32", "entries in the body"],
  ["firstIndex", "u64", "index of the first of them; the others follow without gaps"],
  ["lsn", "u64", "newest commit of the record log when the block was written"],
]);

export const RECORD_DIRECTORY_ENTRY = layout(40, [
  ["stream", "u32", "record log that the entries belong to"],
  ["entryCount", "u32", "entries in the block"],
  ["firstIndex", "u64", "index of the first of them"],
  ["lsn", "u64", "as it stands in the block"],
  ["offset", "u32", "where the block begins, in bytes from the file's beginning"],
  ["blockBytes", "u32", "length of the block"],
  ["flags", "u32", "zero in version 1"],
  ["crc", "u32", "as it stands in the block"],
]);

const FOOTER_MAGIC = Buffer.from("CPOB");

export interface RecordBlock {
  readonly stream: number;
  readonly firstIndex: bigint;
  readonly entryCount: number;
  readonly lsn: Lsn;
  readonly body: Uint8Array;
}

export interface RecordBlockEntry extends Omit<RecordBlock, "body"> {
  readonly offset: number;
  readonly blockBytes: number;
  readonly crc: number;
}

export interface RecordChunkStart {
  readonly chunk: ChunkId;
  readonly generation: number;
  /** 16 bytes. */
  readonly storeId: Uint8Array;
}

/** Gives the bytes of a chunk piece by piece; whoever asks writes each where the one before ends. */
export class RecordChunkEncoder {
  readonly #start: RecordChunkStart;
  readonly #seed: number;
  readonly #entries: RecordBlockEntry[] = [];
  #end: number = FILE_HEADER.sizeBytes;

  constructor(start: RecordChunkStart) {
    this.#start = start;
    this.#seed = pageSeed(start.storeId, start.chunk);
  }

  /** Where the next block goes. */
  get endAt(): number {
    return this.#end;
  }

  get blockCount(): number {
    return this.#entries.length;
  }

  add({ stream, firstIndex, entryCount, lsn: version, body }: RecordBlock): Uint8Array {
    const { offset, sizeBytes } = RECORD_BLOCK;
    const bytes = new Uint8Array(sizeBytes + body.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(offset.bodyBytes, body.length, true);
    view.setUint32(offset.stream, stream, true);
    view.setUint32(offset.entryCount, entryCount, true);
    view.setBigUint64(offset.firstIndex, firstIndex, true);
    writeU64(view, offset.lsn, version);
    bytes.set(body, sizeBytes);
    const crc = crc32(bytes.subarray(offset.bodyBytes), this.#seed);
    view.setUint32(offset.crc, crc, true);
    const blockBytes = bytes.length;
    const place = { offset: this.#end, blockBytes, crc };
    this.#entries.push({ stream, firstIndex, entryCount, lsn: version, ...place });
    this.#end += blockBytes;
    assert(this.#end < 2 ** 32, "a record chunk larger than its offsets can say");
    return bytes;
  }

  /** Both ends of the file, when every block was written. */
  finish(): { readonly header: Uint8Array; readonly end: Uint8Array } {
    const { chunk, generation, storeId } = this.#start;
    const directory = this.#directory();
    const lsns = this.#entries.map((entry) => entry.lsn);
    const header = encodeFileHeader({
      kind: "records",
      storeId,
      generation,
      sequence: chunk,
      bodyOffset: FILE_HEADER.sizeBytes,
      firstLsn: lsns.reduce((a, b) => Math.min(a, b), lsns[0] ?? 0),
      lastLsn: lsns.reduce((a, b) => Math.max(a, b), 0),
      itemCount: this.#entries.length,
      streamCount: new Set(this.#entries.map(({ stream }) => stream)).size,
      directoryOffset: this.#end,
      directoryBytes: directory.length,
    });
    const end = new Uint8Array(directory.length + FOOTER.sizeBytes);
    end.set(directory);
    this.#footer(end.subarray(directory.length), directory);
    return { header, end };
  }

  #directory(): Uint8Array {
    const { offset, sizeBytes } = RECORD_DIRECTORY_ENTRY;
    const bytes = new Uint8Array(this.#entries.length * sizeBytes);
    const view = new DataView(bytes.buffer);
    for (const [n, entry] of this.#entries.entries()) {
      const at = n * sizeBytes;
      view.setUint32(at + offset.stream, entry.stream, true);
      view.setUint32(at + offset.entryCount, entry.entryCount, true);
      view.setBigUint64(at + offset.firstIndex, entry.firstIndex, true);
      writeU64(view, at + offset.lsn, entry.lsn);
      view.setUint32(at + offset.offset, entry.offset, true);
      view.setUint32(at + offset.blockBytes, entry.blockBytes, true);
      view.setUint32(at + offset.crc, entry.crc, true);
    }
    return bytes;
  }

  #footer(into: Uint8Array, directory: Uint8Array): void {
    const { offset, sizeBytes } = FOOTER;
    const view = new DataView(into.buffer, into.byteOffset, sizeBytes);
    writeU64(view, offset.chunk, this.#start.chunk);
    view.setUint32(offset.pageCount, this.#entries.length, true);
    view.setUint32(offset.directoryOffset, this.#end, true);
    view.setUint32(offset.directoryCrc, crc32(directory), true);
    view.setUint32(offset.fileBytes, this.#end + directory.length + sizeBytes, true);
    into.set(FOOTER_MAGIC, offset.magic);
    view.setUint32(offset.checksum, crc32(into.subarray(0, offset.checksum)), true);
  }
}

export interface RecordChunkHeader {
  readonly chunk: number;
  readonly storeId: Uint8Array;
  readonly blockCount: number;
  /** Directory and footer begin here and end the file. */
  readonly directoryOffset: number;
  readonly endBytes: number;
}

/** The header in the first bytes of a file; a string says why there is none. */
export function decodeRecordHeader(bytes: Uint8Array): RecordChunkHeader | string {
  const answer = decodeFileHeader(bytes);
  if (answer.type === "newer") return `${answer.found}; ${answer.supported} is supported`;
  if (answer.type === "zero") return "zeros: the chunk was never finished";
  if (answer.type === "bad") return answer.why;
  const { kind, sequence, storeId, itemCount, bodyOffset } = answer.header;
  if (kind !== "records") return `a file of ${kind}, not of records`;
  const { directoryOffset, directoryBytes } = answer.header;
  const expected = itemCount * RECORD_DIRECTORY_ENTRY.sizeBytes;
  if (bodyOffset !== FILE_HEADER.sizeBytes || directoryBytes !== expected) {
    return "the sections do not fit each other";
  }
  const endBytes = directoryBytes + FOOTER.sizeBytes;
  return { chunk: sequence, storeId, blockCount: itemCount, directoryOffset, endBytes };
}

/** The blocks that directory and footer tell of; a string says why there are none. */
export function decodeRecordDirectory(
  end: Uint8Array,
  header: RecordChunkHeader,
): RecordBlockEntry[] | string {
  if (end.length !== header.endBytes) return "the file ends within its directory";
  const directory = end.subarray(0, end.length - FOOTER.sizeBytes);
  const footer = decodeFooter(end.subarray(directory.length));
  if (typeof footer === "string") return footer;
  if (
    footer.chunk !== header.chunk ||
    footer.pageCount !== header.blockCount ||
    footer.directoryOffset !== header.directoryOffset ||
    footer.fileBytes !== header.directoryOffset + header.endBytes
  ) {
    return "header and footer disagree";
  }
  if (crc32(directory) !== footer.directoryCrc) return "checksum of the directory";
  return entriesOf(directory, header);
}

/** See (2). */
function entriesOf(
  directory: Uint8Array,
  { directoryOffset }: RecordChunkHeader,
): RecordBlockEntry[] | string {
  const { offset, sizeBytes } = RECORD_DIRECTORY_ENTRY;
  const view = new DataView(directory.buffer, directory.byteOffset, directory.length);
  const entries: RecordBlockEntry[] = [];
  const ends = new Map<number, bigint>();
  let expected: number = FILE_HEADER.sizeBytes;
  for (let at = 0; at < directory.length; at += sizeBytes) {
    const version = readU64(view, at + offset.lsn);
    if (version === undefined) return "a number beyond 2^53";
    if (view.getUint32(at + offset.flags, true) !== 0) return "flags of a later version";
    const entry = {
      stream: view.getUint32(at + offset.stream, true),
      entryCount: view.getUint32(at + offset.entryCount, true),
      firstIndex: view.getBigUint64(at + offset.firstIndex, true),
      lsn: lsn(version),
      offset: view.getUint32(at + offset.offset, true),
      blockBytes: view.getUint32(at + offset.blockBytes, true),
      crc: view.getUint32(at + offset.crc, true),
    };
    if (entry.offset !== expected) return "blocks do not lie one behind the other";
    if (entry.firstIndex < (ends.get(entry.stream) ?? 0n)) return "entries out of order";
    expected += entry.blockBytes;
    ends.set(entry.stream, entry.firstIndex + BigInt(entry.entryCount));
    entries.push(entry);
  }
  return expected === directoryOffset ? entries : "a gap before the directory";
}

/** The body of a block: a view. A string says why there is none. */
export function recordBlockBody(
  bytes: Uint8Array,
  { entry, seed }: { readonly entry: RecordBlockEntry; readonly seed: number },
): Uint8Array | string {
  const { offset, sizeBytes } = RECORD_BLOCK;
  if (bytes.length < entry.blockBytes || entry.blockBytes < sizeBytes) {
    return "the file ends within the block";
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, sizeBytes);
  const block = bytes.subarray(0, entry.blockBytes);
  const crc = crc32(block.subarray(offset.bodyBytes), seed);
  if (view.getUint32(offset.crc, true) !== crc || crc !== entry.crc) return "checksum of the block";
  if (
    view.getUint32(offset.bodyBytes, true) !== entry.blockBytes - sizeBytes ||
    view.getUint32(offset.stream, true) !== entry.stream ||
    view.getUint32(offset.entryCount, true) !== entry.entryCount ||
    view.getBigUint64(offset.firstIndex, true) !== entry.firstIndex ||
    readU64(view, offset.lsn) !== entry.lsn
  ) {
    return "a block and its entry in the directory disagree";
  }
  return block.subarray(sizeBytes);
}

/** A whole record chunk, checked from end to end; a string says what is wrong with it. */
export function decodeRecordChunk(
  bytes: Uint8Array,
): { readonly header: RecordChunkHeader; readonly blocks: readonly RecordBlock[] } | string {
  const header = decodeRecordHeader(bytes);
  if (typeof header === "string") return header;
  if (bytes.length < header.directoryOffset) return "the file ends before its directory";
  const entries = decodeRecordDirectory(bytes.subarray(header.directoryOffset), header);
  if (typeof entries === "string") return entries;
  const seed = pageSeed(header.storeId, header.chunk as ChunkId);
  const blocks: RecordBlock[] = [];
  for (const entry of entries) {
    const body = recordBlockBody(bytes.subarray(entry.offset), { entry, seed });
    if (typeof body === "string") return body;
    const { stream, firstIndex, entryCount, lsn: version } = entry;
    blocks.push({ stream, firstIndex, entryCount, lsn: version, body });
  }
  return { header, blocks };
}
