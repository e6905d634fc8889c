/**
 * THE PARTS OF A CHUNK OF PAGES AGAINST EACH OTHER: header, footer, directory and records must tell one
 * story. Who looks at all of them goes by these: `decodeChunk` in one go, `checkChunk` in pieces.
 *
 * (1) Header and footer are compared before anything that they tell of is looked at.
 * (2) Records lie one behind the other from `CHUNK_BODY_OFFSET` to the directory, without a gap, each
 *     as its entry says, with zeros for padding.
 */
import {
  type ChunkEntry,
  decodeFooter,
  directoryProblem,
  FOOTER,
  type Footer,
} from "./chunk-directory.ts";
import { CHUNK_BODY_OFFSET, type ChunkHeader, decodeHeader } from "./chunk-header.ts";
import {
  imageOffset,
  pageSeed,
  type RecordExpected,
  recordBytes,
  recordClaims,
  recordLsn,
} from "./page-record.ts";

export interface ChunkEnds {
  readonly header: ChunkHeader;
  /** As the footer tells of it, byte for byte; what its entries say is still to be looked at. */
  readonly directory: Uint8Array;
}

/** What a whole chunk says at either end; a string says why that cannot be believed. See (1). */
export function readEnds(bytes: Uint8Array): ChunkEnds | string {
  const answer = decodeHeader(bytes);
  if (answer.type === "newer") return `${answer.found}; ${answer.supported} is supported`;
  if (answer.type === "bad") return answer.why;
  const { header } = answer;
  if (bytes.length < CHUNK_BODY_OFFSET + FOOTER.sizeBytes) return "shorter than a chunk";
  const footerAt = bytes.length - FOOTER.sizeBytes;
  const footer = decodeFooter(bytes.subarray(footerAt));
  if (typeof footer === "string") return footer;
  if (!agree(header, footer, bytes.length)) return "header and footer disagree";
  const directory = bytes.subarray(Math.min(header.directoryOffset, footerAt), footerAt);
  return directoryProblem(directory, footer) ?? { header, directory };
}

function agree(header: ChunkHeader, footer: Footer, fileBytes: number): boolean {
  return (
    footer.chunk === header.chunk &&
    footer.pageCount === header.pageCount &&
    footer.directoryOffset === header.directoryOffset &&
    footer.fileBytes === fileBytes
  );
}

/** The stored image of a record; a string says why there is none. See page-record.ts. */
export type ReadStored = (record: Uint8Array, expected: RecordExpected) => object | string;

/** Takes the entries of a chunk in the order of its directory, and says what is wrong. See (2). */
export class RecordsInOrder {
  readonly #bytes: Uint8Array;
  readonly #header: ChunkHeader;
  readonly #seed: number;
  readonly #readStored: ReadStored;
  readonly #families = new Set<number>();
  #end: number = CHUNK_BODY_OFFSET;

  constructor(bytes: Uint8Array, header: ChunkHeader, readStored: ReadStored) {
    this.#bytes = bytes;
    this.#header = header;
    this.#seed = pageSeed(header.storeId, header.chunk);
    this.#readStored = readStored;
  }

  /** What is wrong with the next record; undefined if nothing is. */
  next(entry: ChunkEntry): string | undefined {
    const { directoryOffset, firstLsn, lastLsn } = this.#header;
    if (entry.offset !== this.#end) return "records do not lie one behind the other";
    this.#end += entry.recordBytes;
    if (entry.lsn < firstLsn || entry.lsn > lastLsn) return "range of lsns";
    if (this.#end > directoryOffset) return "a record reaches into the directory";
    this.#families.add(entry.stream);
    return this.#recordProblem(this.#bytes.subarray(entry.offset, this.#end), entry);
  }

  /** What is wrong with all of them together, behind the last. */
  finish(): string | undefined {
    if (this.#families.size !== this.#header.streamCount) return "number of families";
    return this.#end === this.#header.directoryOffset ? undefined : "a gap before the directory";
  }

  #recordProblem(record: Uint8Array, entry: ChunkEntry): string | undefined {
    const { codec, pageBytes } = this.#header;
    const claims = recordClaims(record, codec);
    if (claims === undefined) return "length of a record";
    const { imageBytes, storedBytes, crc } = claims;
    if (pageBytes !== 0 && imageBytes !== pageBytes) return "size of a page";
    const { stream, pageNumber } = entry;
    const expected = { stream, pageNumber, imageBytes, seed: this.#seed, codec };
    const stored = this.#readStored(record, expected);
    if (typeof stored === "string") return stored;
    if (recordBytes(storedBytes, codec) !== entry.recordBytes) return "length of a record";
    if (recordLsn(record) !== entry.lsn) return "lsn of a record";
    if (crc !== entry.crc || entry.isPacked !== storedBytes < imageBytes) {
      return "a record and its entry disagree";
    }
    const padding = record.subarray(imageOffset(codec) + storedBytes);
    return padding.some((byte) => byte !== 0) ? "padding" : undefined;
  }
}
