/**
 * THE -WAL FILE beside a SQLite file: which pages were committed to it and where their newest images
 * lie. See https://www.sqlite.org/fileformat2.html#the_write_ahead_log. Integers are big-endian.
 *
 *   offset  size  field       meaning
 *        0     4  magic       0x377f0682: checksums over little-endian words; …83: big-endian
 *        4     4  version     3007000
 *        8     4  pageBytes   512 to 65536
 *       12     4  checkpoint  counts checkpoints
 *       16     4  salt1       changes with every restart of the file
 *       20     4  salt2       changes with every restart of the file
 *       24     4  checksum1   over the bytes before it
 *       28     4  checksum2   over the bytes before it
 *
 * Frames follow, each a header and the image of a page:
 *
 *   offset  size  field       meaning
 *        0     4  pageNumber  1 or more
 *        4     4  pagesAfter  size of the database after this commit; 0: not the last of one
 *        8     4  frameSalt1  equals salt1
 *       12     4  frameSalt2  equals salt2
 *       16     4  frameSum1   over the first 8 bytes and the image, going on from the one before
 *       20     4  frameSum2   over the first 8 bytes and the image, going on from the one before
 *
 * (1) Salts and cumulative checksums end the file at the first frame that was not written whole or
 *     is left over from before a restart. That is its normal end and no error.
 * (2) A frame counts from the commit frame that ends its transaction, never before.
 * (3) A header that does not check out means a file without frames: SQLite sees it so, too.
 */
import { assert } from "../base/assert.ts";
import { layout } from "../base/layout.ts";
import { isPageBytes } from "./header.ts";

export const WAL_FILE_HEADER = layout(32, [
  ["magic", "u32", "0x377f0682: checksums over little-endian words; …83: big-endian"],
  ["version", "u32", "3007000"],
  ["pageBytes", "u32", "512 to 65536"],
  ["checkpoint", "u32", "counts checkpoints"],
  ["salt1", "u32", "changes with every restart of the file"],
  ["salt2", "u32", "changes with every restart of the file"],
  ["checksum1", "u32", "over the bytes before it"],
  ["checksum2", "u32", "over the bytes before it"],
]);

export const WAL_FRAME_HEADER = layout(24, [
  ["pageNumber", "u32", "1 or more"],
  ["pagesAfter", "u32", "size of the database after this commit; 0: not the last of one"],
  ["frameSalt1", "u32", "equals salt1"],
  ["frameSalt2", "u32", "equals salt2"],
  ["frameSum1", "u32", "over the first 8 bytes and the image, going on from the one before"],
  ["frameSum2", "u32", "over the first 8 bytes and the image, going on from the one before"],
]);

const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;
const VERSION = 3007000;
/** The part of a frame's header that its checksum covers. */
const FRAME_COVERED_BYTES = 8;

interface Checksum {
  readonly one: number;
  readonly two: number;
}

/** Takes the frames of one file in order and knows, after each, what is committed. */
export class WalFileScan {
  readonly pageBytes: number;
  readonly #isLittleEndian: boolean;
  readonly #salts: readonly [number, number];
  readonly #committed = new Map<number, number>();
  #pending = new Map<number, number>();
  #sum: Checksum;
  #nextFrameAt: number = WAL_FILE_HEADER.sizeBytes;
  #committedEndAt: number = WAL_FILE_HEADER.sizeBytes;
  #pageCount: number | undefined;

  /** Undefined if these bytes do not begin a -wal file (3). */
  static open(header: Uint8Array): WalFileScan | undefined {
    const { offset, sizeBytes } = WAL_FILE_HEADER;
    if (header.length < sizeBytes) return undefined;
    const view = new DataView(header.buffer, header.byteOffset, sizeBytes);
    const magic = view.getUint32(offset.magic);
    if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return undefined;
    if (view.getUint32(offset.version) !== VERSION) return undefined;
    if (!isPageBytes(view.getUint32(offset.pageBytes))) return undefined;
    const isLittleEndian = magic === MAGIC_LITTLE_ENDIAN;
    const covered = header.subarray(0, offset.checksum1);
    const sum = checksum({ one: 0, two: 0 }, covered, isLittleEndian);
    const isWhole =
      sum.one === view.getUint32(offset.checksum1) && sum.two === view.getUint32(offset.checksum2);
    return isWhole ? new WalFileScan(view, { isLittleEndian, sum }) : undefined;
  }

  private constructor(view: DataView, start: { isLittleEndian: boolean; sum: Checksum }) {
    const { offset } = WAL_FILE_HEADER;
    this.pageBytes = view.getUint32(offset.pageBytes);
    this.#salts = [view.getUint32(offset.salt1), view.getUint32(offset.salt2)];
    this.#isLittleEndian = start.isLittleEndian;
    this.#sum = start.sum;
  }

  get frameBytes(): number {
    return WAL_FRAME_HEADER.sizeBytes + this.pageBytes;
  }

  /** Offset of the newest committed image of each page, in bytes from the beginning of the file. */
  get images(): ReadonlyMap<number, number> {
    return this.#committed;
  }

  /** Size of the database after the newest commit, in pages; undefined if there is none. */
  get pageCount(): number | undefined {
    return this.#pageCount;
  }

  /** Where the frame behind the newest commit would begin. */
  get committedEndAt(): number {
    return this.#committedEndAt;
  }

  /** Takes the next frame; false if the file ends before it (1). */
  take(frame: Uint8Array): boolean {
    assert(frame.length === this.frameBytes, "a frame is taken whole");
    const { offset, sizeBytes } = WAL_FRAME_HEADER;
    const view = new DataView(frame.buffer, frame.byteOffset, sizeBytes);
    const salts = [view.getUint32(offset.frameSalt1), view.getUint32(offset.frameSalt2)];
    if (salts[0] !== this.#salts[0] || salts[1] !== this.#salts[1]) return false;
    const pageNumber = view.getUint32(offset.pageNumber);
    if (pageNumber === 0) return false;
    const head = frame.subarray(0, FRAME_COVERED_BYTES);
    const image = frame.subarray(sizeBytes);
    const sum = checksum(
      checksum(this.#sum, head, this.#isLittleEndian),
      image,
      this.#isLittleEndian,
    );
    if (sum.one !== view.getUint32(offset.frameSum1)) return false;
    if (sum.two !== view.getUint32(offset.frameSum2)) return false;
    this.#sum = sum;
    this.#pending.set(pageNumber, this.#nextFrameAt + sizeBytes);
    this.#nextFrameAt += frame.length;
    const pagesAfter = view.getUint32(offset.pagesAfter);
    if (pagesAfter > 0) this.#commit(pagesAfter);
    return true;
  }

  #commit(pagesAfter: number): void {
    for (const [pageNumber, at] of this.#pending) this.#committed.set(pageNumber, at);
    this.#pending = new Map();
    this.#pageCount = pagesAfter;
    this.#committedEndAt = this.#nextFrameAt;
  }
}

/** SQLite's own checksum: two sums that feed each other, over pairs of 32-bit words. */
function checksum(from: Checksum, bytes: Uint8Array, isLittleEndian: boolean): Checksum {
  assert(bytes.length % 8 === 0, "the checksum takes pairs of words");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let { one, two } = from;
  for (let at = 0; at < bytes.length; at += 8) {
    one = (one + view.getUint32(at, isLittleEndian) + two) >>> 0;
    two = (two + view.getUint32(at + 4, isLittleEndian) + one) >>> 0;
  }
  return { one, two };
}
