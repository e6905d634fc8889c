/**
 * CHUNK: the archive format, bytes ↔ pages. Pure; knows no file.
 *
 *   file-header      the first bytes of every file: of segments, page chunks, record chunks
 *   chunk-header     what they say of a page chunk
 *   page-record      one page, which proves itself
 *   packing          the image of a page made smaller, and back
 *   chunk-directory  every page of a chunk, and the footer that ends the file
 *   chunk-parts      whether header, footer, directory and records tell one story
 *   chunk-encoder    pages → the bytes of a chunk, piece by piece
 *   slotted-chunk    pages that are written more than once before a chunk is finished
 *   chunk-decoder    a whole chunk, checked from end to end
 *   chunk-check      the same, in pieces, without the pages
 *   inspect          a chunk taken apart, damage and all
 *   record-chunk     entries of record logs → the bytes of a chunk, and back
 */
export { checkChunk, type ExpectedChunk } from "./chunk-check.ts";
export { decodeChunk, type WholeChunk } from "./chunk-decoder.ts";
export {
  type ChunkEntry,
  DIRECTORY_ENTRY,
  decodeEntries,
  decodeFooter,
  directoryProblem,
  FOOTER,
} from "./chunk-directory.ts";
export {
  CHUNK_BYTES_MAX,
  ChunkEncoder,
  type ChunkStart,
  type PageToStore,
} from "./chunk-encoder.ts";
export { type ChunkHeader, decodeHeader, type HeaderAnswer } from "./chunk-header.ts";
export {
  decodeFileHeader,
  encodeFileHeader,
  FILE_HEADER,
  FILE_VERSION,
  type FileHeader,
  type FileKind,
  type ImageCodec,
  STORE_ID_BYTES,
} from "./file-header.ts";
export { inspectChunk, inspectRecordChunk } from "./inspect.ts";
export { type PackedImage, unpackImage } from "./packing.ts";
export {
  imageOffset,
  PACKING,
  packedImage,
  pageSeed,
  RECORD,
  recordBytes,
  recordClaims,
  recordImage,
} from "./page-record.ts";
export {
  decodeRecordChunk,
  decodeRecordDirectory,
  decodeRecordHeader,
  RECORD_BLOCK,
  RECORD_DIRECTORY_ENTRY,
  type RecordBlockEntry,
  RecordChunkEncoder,
  type RecordChunkHeader,
  recordBlockBody,
} from "./record-chunk.ts";
export { SlottedChunk, slotOffset, slotsIn } from "./slotted-chunk.ts";
