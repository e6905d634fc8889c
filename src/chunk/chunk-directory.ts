/**
 * CHUNK DIRECTORY AND FOOTER: every page of a chunk, so that a chunk can be read without the
 * manifest, and what ends the file. Little-endian.
 *
 * Directory entry, one for each record, in the order of the records:
 *
 *   offset  size  field        meaning
 *        0     4  family       of databases that the page belongs to: the stream of its first
 *        4     4  pageNumber   1 is the first page of a database
 *        8     8  lsn          the commit that wrote this version
 *       16     4  offset       where the record begins, in bytes from the file's beginning
 *       20     4  recordBytes  length of the record, padding included
 *       24     4  flags        1: the image is packed, see the record; 0: it is as it is
 *       28     4  crc          as it stands in the record
 *
 * Footer, the last bytes of the file:
 *
 *   offset  size  field            meaning
 *        0     8  chunk            id of this chunk, as in the header
 *        8     4  pageCount        entries in the directory
 *       12     4  directoryOffset  where the directory begins, in bytes from the file's beginning
 *       16     4  directoryCrc     CRC-32 of the directory
 *       20     4  fileBytes        length of the whole file
 *       24     4  magic            "CPOB"
 *       28     4  checksum         CRC-32 of the bytes of the footer before this field
 *
 * (1) A file without its footer is cut short, whatever else is right with it.
 */
import { crc32 } from "node:zlib";
import { layout, readU64, writeU64 } from "../base/layout.ts";
import type { ChunkId, Lsn } from "../base/units.ts";
import { chunkId, lsn } from "../base/units.ts";

export const DIRECTORY_ENTRY = layout(32, [
  ["family", "u32", "of databases that the page belongs to: the stream of its first"],
  ["pageNumber", "u32", "1 is the first page of a database"],
  ["lsn", "u64", "the commit that wrote this version"],
  ["offset", "u32", "where the record begins, in bytes from the file's beginning"],
  ["recordBytes", "u32", "length of the record, padding included"],
  ["flags", "u32", "1: the image is packed, see the record; 0: it is as it is"],
  ["crc", "u32", "as it stands in the record"],
]);

export const FOOTER = layout(32, [
  ["chunk", "u64", "id of this chunk, as in the header"],
  ["pageCount", "u32", "entries in the directory"],
  ["directoryOffset", "u32", "where the directory begins, in bytes from the file's beginning"],
  ["directoryCrc", "u32", "CRC-32 of the directory"],
  ["fileBytes", "u32", "length of the whole file"],
  ["magic", "bytes[4]", '"CPOB"'],
  ["checksum", "u32", "CRC-32 of the bytes of the footer before this field"],
]);

const MAGIC = Buffer.from("CPOB");

const PACKED = 1;

export interface ChunkEntry {
  /** Of the family. */
  readonly stream: number;
  readonly pageNumber: number;
  readonly lsn: Lsn;
  readonly offset: number;
  readonly recordBytes: number;
  readonly isPacked: boolean;
  readonly crc: number;
}

export interface Footer {
  readonly chunk: ChunkId;
  readonly pageCount: number;
  readonly directoryOffset: number;
  readonly directoryCrc: number;
  readonly fileBytes: number;
}

/** A directory that grows with the chunk: at its end there is nothing left to do but the footer. */
export class DirectoryEncoder {
  #bytes = new Uint8Array(DIRECTORY_ENTRY.sizeBytes * 64);
  #view = new DataView(this.#bytes.buffer);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Of the directory with one more entry, and of the footer. */
  get endBytesAfterNext(): number {
    return (this.#count + 1) * DIRECTORY_ENTRY.sizeBytes + FOOTER.sizeBytes;
  }

  add(entry: ChunkEntry): void {
    const { offset, sizeBytes } = DIRECTORY_ENTRY;
    const at = this.#count * sizeBytes;
    if (at + sizeBytes > this.#bytes.length) this.#grow();
    const view = this.#view;
    view.setUint32(at + offset.family, entry.stream, true);
    view.setUint32(at + offset.pageNumber, entry.pageNumber, true);
    writeU64(view, at + offset.lsn, entry.lsn);
    view.setUint32(at + offset.offset, entry.offset, true);
    view.setUint32(at + offset.recordBytes, entry.recordBytes, true);
    view.setUint32(at + offset.flags, entry.isPacked ? PACKED : 0, true);
    view.setUint32(at + offset.crc, entry.crc, true);
    this.#count += 1;
  }

  /** Directory and footer: everything that follows the last record. */
  finish(place: { readonly chunk: ChunkId; readonly directoryOffset: number }): Uint8Array {
    const { offset } = FOOTER;
    const directory = this.#bytes.subarray(0, this.#count * DIRECTORY_ENTRY.sizeBytes);
    const bytes = new Uint8Array(directory.length + FOOTER.sizeBytes);
    bytes.set(directory);
    const footer = new DataView(bytes.buffer, directory.length);
    writeU64(footer, offset.chunk, place.chunk);
    footer.setUint32(offset.pageCount, this.#count, true);
    footer.setUint32(offset.directoryOffset, place.directoryOffset, true);
    footer.setUint32(offset.directoryCrc, crc32(directory), true);
    footer.setUint32(offset.fileBytes, place.directoryOffset + bytes.length, true);
    bytes.set(MAGIC, directory.length + offset.magic);
    const covered = bytes.subarray(directory.length, directory.length + offset.checksum);
    footer.setUint32(offset.checksum, crc32(covered), true);
    return bytes;
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.length);
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** The footer in the last bytes of a file; a string says why there is none. */
export function decodeFooter(bytes: Uint8Array): Footer | string {
  const { offset, sizeBytes } = FOOTER;
  if (bytes.length !== sizeBytes) return "shorter than a footer";
  if (!MAGIC.equals(bytes.subarray(offset.magic, offset.checksum))) return "no footer";
  const view = new DataView(bytes.buffer, bytes.byteOffset, sizeBytes);
  if (view.getUint32(offset.checksum, true) !== crc32(bytes.subarray(0, offset.checksum))) {
    return "checksum of the footer";
  }
  const id = readU64(view, offset.chunk);
  if (id === undefined) return "a number beyond 2^53";
  return {
    chunk: chunkId(id),
    pageCount: view.getUint32(offset.pageCount, true),
    directoryOffset: view.getUint32(offset.directoryOffset, true),
    directoryCrc: view.getUint32(offset.directoryCrc, true),
    fileBytes: view.getUint32(offset.fileBytes, true),
  };
}

/** Every entry of the directory that the footer tells of; a string says why there are none. */
export function decodeDirectory(bytes: Uint8Array, footer: Footer): ChunkEntry[] | string {
  return directoryProblem(bytes, footer) ?? decodeEntries(bytes);
}

/** Why it is not the directory that the footer tells of; undefined if it is. */
export function directoryProblem(bytes: Uint8Array, footer: Footer): string | undefined {
  const directoryBytes = footer.pageCount * DIRECTORY_ENTRY.sizeBytes;
  if (bytes.length !== directoryBytes) return "length of the directory";
  return crc32(bytes) === footer.directoryCrc ? undefined : "checksum of the directory";
}

/** Entries of a part of a directory that has no problem: a large one takes its time. */
export function decodeEntries(bytes: Uint8Array): ChunkEntry[] | string {
  const { offset, sizeBytes } = DIRECTORY_ENTRY;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: ChunkEntry[] = [];
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    const version = readU64(view, at + offset.lsn);
    if (version === undefined) return "a number beyond 2^53";
    const flags = view.getUint32(at + offset.flags, true);
    if (flags > PACKED) return "flags of a later version";
    entries.push({
      stream: view.getUint32(at + offset.family, true),
      pageNumber: view.getUint32(at + offset.pageNumber, true),
      lsn: lsn(version),
      offset: view.getUint32(at + offset.offset, true),
      recordBytes: view.getUint32(at + offset.recordBytes, true),
      isPacked: flags === PACKED,
      crc: view.getUint32(at + offset.crc, true),
    });
  }
  return entries;
}
