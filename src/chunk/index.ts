/**
 * CHUNK: the archive format, bytes ↔ pages. Pure; knows no file.
 *
 *   chunk-header     the first bytes of a chunk: whose it is, what it covers
 *   page-record      one page, which proves itself
 *   chunk-directory  every page of a chunk, and the footer that ends the file
 *   chunk-encoder    pages → the bytes of a chunk, piece by piece
 *   chunk-decoder    a whole chunk, checked from end to end
 */
export { decodeChunk, type WholeChunk } from "./chunk-decoder.ts";
export {
  type ChunkEntry,
  DIRECTORY_ENTRY,
  decodeDirectory,
  decodeFooter,
  FOOTER,
  type Footer,
} from "./chunk-directory.ts";
export {
  CHUNK_BYTES_MAX,
  ChunkEncoder,
  type ChunkStart,
  type PageToStore,
} from "./chunk-encoder.ts";
export { type ChunkHeader, decodeHeader, HEADER, type HeaderAnswer } from "./chunk-header.ts";
export { type PageAddress, pageSeed, RECORD, recordBytes, recordImage } from "./page-record.ts";
