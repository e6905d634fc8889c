/**
 * FRAMES READ BACK. The bytes come from a batch whose checksum agreed, so what does not parse is
 * not a tear: it is BOP_CORRUPT, and nothing else is ever thrown.
 *
 * (1) What is handed out are views into the batch; `keep` copies them, for a frame whose commit
 *     ends in a later batch.
 */
import {
  type ChunkId,
  chunkId,
  type Lsn,
  lsn,
  type PageNumber,
  pageNumber,
} from "../base/units.ts";
import { FrameReader } from "./bytes.ts";
import type { ReplayedFrame } from "./commit.ts";
import type { Place } from "./corrupt.ts";
import { applyRanges, hasWholeGroups, pageSum } from "./delta.ts";
import { type CommitFrame, FrameKind, type SpillFields } from "./frame.ts";

export type DecodedFrame =
  | { readonly type: "change"; readonly change: KeptFrame }
  | { readonly type: "commit"; readonly commit: CommitFrame };

/** A frame of a commit that is not sealed yet. */
export type KeptFrame = ReplayedFrame & { keep(): void };

const SMALLEST_PAGE_BYTES = 512;
const LARGEST_PAGE_BYTES = 65536;

/** Reads the frame that begins at the reader's position, whose LSN is `frameLsn`. */
export function decodeFrame(reader: FrameReader, frameLsn: number): DecodedFrame {
  const kind = reader.u8();
  switch (kind) {
    case FrameKind.page:
      return { type: "change", change: decodePage(reader) };
    case FrameKind.sparse:
      return { type: "change", change: decodeSparse(reader) };
    case FrameKind.delta:
      return { type: "change", change: decodeDelta(reader, frameLsn) };
    case FrameKind.entry:
      return { type: "change", change: new PayloadFrame("entry", take(reader, reader.varint())) };
    case FrameKind.records:
      return { type: "change", change: new PayloadFrame("records", take(reader, reader.varint())) };
    case FrameKind.spill:
      return { type: "change", change: new SpillFrame(reader) };
    case FrameKind.commit:
      return { type: "commit", commit: decodeCommit(reader) };
    default:
      throw reader.corrupt(`there is no frame of kind ${kind}`);
  }
}

class PageFrame {
  readonly kind = "page";
  readonly pageNumber: PageNumber;
  image: Uint8Array;

  constructor(number: PageNumber, image: Uint8Array) {
    this.pageNumber = number;
    this.image = image;
  }

  keep(): void {
    this.image = this.image.slice();
  }
}

class PayloadFrame<Kind extends "entry" | "records"> {
  readonly kind: Kind;
  payload: Uint8Array;

  constructor(kind: Kind, payload: Uint8Array) {
    this.kind = kind;
    this.payload = payload;
  }

  keep(): void {
    this.payload = this.payload.slice();
  }
}

class DeltaFrame {
  readonly kind = "delta";
  readonly pageNumber: PageNumber;
  readonly baseLsn: Lsn;
  readonly sum: number;
  readonly #place: Place;
  #ranges: Uint8Array;

  constructor(head: DeltaHead, ranges: Uint8Array) {
    this.pageNumber = head.pageNumber;
    this.baseLsn = head.baseLsn;
    this.sum = head.sum;
    this.#place = head.place;
    this.#ranges = ranges;
  }

  keep(): void {
    this.#ranges = this.#ranges.slice();
  }

  apply(base: Uint8Array): Uint8Array {
    const image = base.slice();
    applyRanges(image, this.#ranges, this.#place);
    if (hasWholeGroups(image) && pageSum(image) === this.sum) return image;
    const { file, offset } = this.#place;
    const reader = new FrameReader(this.#ranges, { file, offset });
    throw reader.corrupt(`a delta of page ${this.pageNumber} is not of this base`);
  }
}

class SpillFrame implements SpillFields {
  readonly kind = "spill";
  readonly chunk: ChunkId;
  readonly fileBytes: number;
  readonly pageCount: number;
  readonly directoryCrc: number;

  constructor(reader: FrameReader) {
    this.chunk = chunkId(reader.varint());
    this.fileBytes = reader.varint();
    this.pageCount = reader.varint();
    this.directoryCrc = reader.u32();
  }

  keep(): void {} // Nothing in it is a view.
}

interface DeltaHead {
  readonly pageNumber: PageNumber;
  readonly baseLsn: Lsn;
  readonly sum: number;
  readonly place: Place;
}

function decodePage(reader: FrameReader): PageFrame {
  const number = page(reader);
  const bytes = pageLength(reader);
  return new PageFrame(number, take(reader, bytes));
}

function decodeSparse(reader: FrameReader): PageFrame {
  const number = page(reader);
  const image = new Uint8Array(pageLength(reader));
  const { place } = reader;
  applyRanges(image, take(reader, reader.u16()), place);
  return new PageFrame(number, image);
}

function decodeDelta(reader: FrameReader, frameLsn: number): DeltaFrame {
  const { place } = reader;
  const number = page(reader);
  const distance = reader.varint();
  if (distance > frameLsn) throw reader.corrupt("a delta's base lies before the log began");
  const sum = reader.u32();
  const ranges = take(reader, reader.u16());
  return new DeltaFrame(
    { pageNumber: number, baseLsn: lsn(frameLsn - distance), sum, place },
    ranges,
  );
}

function decodeCommit(reader: FrameReader): CommitFrame {
  const stream = reader.varint();
  const frameCount = reader.varint();
  const span = reader.varint();
  const pageCount = reader.varint();
  const pageBytes = reader.varint();
  const groupId = reader.varint();
  const groupCount = reader.varint();
  const isAlone = groupId === 0 && groupCount === 1;
  if (!isAlone && (groupId === 0 || groupCount < 2)) {
    throw reader.corrupt(`a commit of group ${groupId}, which has ${groupCount}`);
  }
  const commit = { stream, frameCount, span, pageCount, pageBytes };
  return isAlone ? commit : { ...commit, groupId, groupCount };
}

function page(reader: FrameReader): PageNumber {
  const number = reader.varint();
  if (number < 1) throw reader.corrupt("there is no page 0");
  return pageNumber(number);
}

function pageLength(reader: FrameReader): number {
  const bytes = reader.varint();
  if (bytes < SMALLEST_PAGE_BYTES || bytes > LARGEST_PAGE_BYTES) {
    throw reader.corrupt(`there is no page of ${bytes} bytes`);
  }
  return bytes;
}

function take(reader: FrameReader, bytes: number): Uint8Array {
  const start = reader.skip(bytes);
  return reader.bytes.subarray(start, start + bytes);
}
