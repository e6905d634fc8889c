/**
 * THE HEADER OF A SQLITE FILE: the first 100 bytes of its first page, as described on
 * https://www.sqlite.org/fileformat2.html. Integers are big-endian, unlike in formats of our own.
 *
 *   offset  size  field                meaning
 *        0    16  magic                "SQLite format 3" and a zero
 *       16     2  pageBytes            512 to 32768, a power of two; 1 stands for 65536
 *       18     1  writeVersion         1 rollback journal, 2 write-ahead log
 *       19     1  readVersion          1 rollback journal, 2 write-ahead log
 *       20     1  reservedBytes        unused bytes at the end of each page
 *       21     1  maxPayloadFraction   64
 *       22     1  minPayloadFraction   32
 *       23     1  leafPayloadFraction  32
 *       24     4  changeCounter        counts transactions in rollback mode
 *       28     4  pageCount            size of the database, if validFor equals changeCounter
 *       32     4  freeTrunk            first trunk of the free list; 0 for none
 *       36     4  freePages            how many pages are in the free list
 *       40     4  schemaCookie         counts changes of the schema
 *       44     4  schemaFormat         1 to 4; 0 before the first table
 *       48     4  cacheSize            suggested cache size
 *       52     4  largestRoot          largest root page, if there is a pointer map; else 0
 *       56     4  textEncoding         1 UTF-8, 2 and 3 UTF-16; 0 before the first table
 *       60     4  userVersion          the program's own
 *       64     4  incremental          1 if the pointer map is for incremental vacuum
 *       68     4  applicationId        the program's own
 *       72    20  expansion            zeros
 *       92     4  validFor             changeCounter when pageCount was written
 *       96     4  libraryVersion       the SQLite that wrote it
 *
 * (1) `decodeHeader` believes nothing: bytes that the engine would not read are an answer that says
 *     why, in words for the person who asked for the import.
 * (2) A header that passes has a page size and reserved bytes that leave at least 480 bytes a page.
 */
import { layout } from "../base/layout.ts";

export const SQLITE_HEADER = layout(100, [
  ["magic", "bytes[16]", '"SQLite format 3" and a zero'],
  ["pageBytes", "bytes[2]", "512 to 32768, a power of two; 1 stands for 65536"],
  ["writeVersion", "u8", "1 rollback journal, 2 write-ahead log"],
  ["readVersion", "u8", "1 rollback journal, 2 write-ahead log"],
  ["reservedBytes", "u8", "unused bytes at the end of each page"],
  ["maxPayloadFraction", "u8", "64"],
  ["minPayloadFraction", "u8", "32"],
  ["leafPayloadFraction", "u8", "32"],
  ["changeCounter", "u32", "counts transactions in rollback mode"],
  ["pageCount", "u32", "size of the database, if validFor equals changeCounter"],
  ["freeTrunk", "u32", "first trunk of the free list; 0 for none"],
  ["freePages", "u32", "how many pages are in the free list"],
  ["schemaCookie", "u32", "counts changes of the schema"],
  ["schemaFormat", "u32", "1 to 4; 0 before the first table"],
  ["cacheSize", "u32", "suggested cache size"],
  ["largestRoot", "u32", "largest root page, if there is a pointer map; else 0"],
  ["textEncoding", "u32", "1 UTF-8, 2 and 3 UTF-16; 0 before the first table"],
  ["userVersion", "u32", "the program's own"],
  ["incremental", "u32", "1 if the pointer map is for incremental vacuum"],
  ["applicationId", "u32", "the program's own"],
  ["expansion", "bytes[20]", "zeros"],
  ["validFor", "u32", "changeCounter when pageCount was written"],
  ["libraryVersion", "u32", "the SQLite that wrote it"],
]);

export interface SqliteHeader {
  readonly pageBytes: number;
  readonly reservedBytes: number;
  readonly changeCounter: number;
  /** What the header says of the size; undefined if a writer too old to keep it wrote last. */
  readonly pageCount: number | undefined;
  readonly freeTrunk: number;
  readonly freePages: number;
  /** 0 if the file has no pointer map. */
  readonly largestRoot: number;
  readonly incremental: number;
}

/** SQLite's locks lie at this offset of the file; the page there holds nothing. */
export const LOCK_OFFSET = 2 ** 30;

/** A file that cannot be read is an answer, not a failure: random bytes are a normal input. */
export type DecodedHeader =
  | { readonly type: "header"; readonly header: SqliteHeader }
  | { readonly type: "unreadable"; readonly why: string };

const MAGIC = "SQLite format 3\0";
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65536;
/** The format demands this much of every page after its reserved bytes. */
const USABLE_BYTES_MIN = 480;
const UTF8 = 1;
const ROLLBACK_MODE = 1;

export function decodeHeader(bytes: Uint8Array): DecodedHeader {
  const { offset, sizeBytes } = SQLITE_HEADER;
  const magic = Buffer.from(MAGIC, "latin1");
  if (bytes.length < sizeBytes || magic.compare(bytes, 0, magic.length) !== 0) {
    return unreadable("it is not a SQLite database (or it is encrypted)");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, sizeBytes);
  const pageBytes = decodePageBytes(view.getUint16(offset.pageBytes));
  if (pageBytes === undefined) return unreadable("its header names an impossible page size");
  const reservedBytes = view.getUint8(offset.reservedBytes);
  if (pageBytes - reservedBytes < USABLE_BYTES_MIN) {
    return unreadable(`its header reserves ${reservedBytes} bytes of each page, more than allowed`);
  }
  const why = whyNotSupported(view);
  if (why !== undefined) return unreadable(why);
  const changeCounter = view.getUint32(offset.changeCounter);
  const pageCount = view.getUint32(offset.pageCount);
  const isCurrent = pageCount > 0 && view.getUint32(offset.validFor) === changeCounter;
  return {
    type: "header",
    header: {
      pageBytes,
      reservedBytes,
      changeCounter,
      pageCount: isCurrent ? pageCount : undefined,
      freeTrunk: view.getUint32(offset.freeTrunk),
      freePages: view.getUint32(offset.freePages),
      largestRoot: view.getUint32(offset.largestRoot),
      incremental: view.getUint32(offset.incremental),
    },
  };
}

/** Page 1 as a rollback-mode database has it: the engine keeps no -wal file beside its pages. */
export function pageOneForRollback(image: Uint8Array): Uint8Array {
  const copy = new Uint8Array(image);
  copy[SQLITE_HEADER.offset.writeVersion] = ROLLBACK_MODE;
  copy[SQLITE_HEADER.offset.readVersion] = ROLLBACK_MODE;
  return copy;
}

/** A size of a page that SQLite knows. */
export function isPageBytes(n: number): boolean {
  return n >= PAGE_BYTES_MIN && n <= PAGE_BYTES_MAX && (n & (n - 1)) === 0;
}

function decodePageBytes(stored: number): number | undefined {
  const pageBytes = stored === 1 ? PAGE_BYTES_MAX : stored;
  return isPageBytes(pageBytes) ? pageBytes : undefined;
}

function whyNotSupported(view: DataView): string | undefined {
  const { offset } = SQLITE_HEADER;
  const versions = [view.getUint8(offset.writeVersion), view.getUint8(offset.readVersion)];
  if (versions.some((version) => version !== 1 && version !== 2)) {
    return `its header names file format version ${versions.join("/")}; 1 and 2 are known`;
  }
  const fractions = [
    view.getUint8(offset.maxPayloadFraction),
    view.getUint8(offset.minPayloadFraction),
    view.getUint8(offset.leafPayloadFraction),
  ];
  if (fractions.join() !== "64,32,32") return "its header is damaged (payload fractions)";
  const schemaFormat = view.getUint32(offset.schemaFormat);
  if (schemaFormat > 4) return `its header names schema format ${schemaFormat}; 1 to 4 are known`;
  const encoding = view.getUint32(offset.textEncoding);
  if (encoding === 2 || encoding === 3) {
    return (
      "its text is UTF-16, which the engine does not read; " +
      "make a UTF-8 copy first: sqlite3 old.db .dump | sqlite3 new.db"
    );
  }
  if (encoding > UTF8) return `its header names text encoding ${encoding}; 1 to 3 exist`;
  return undefined;
}

function unreadable(why: string): DecodedHeader {
  return { type: "unreadable", why };
}
