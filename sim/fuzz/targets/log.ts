/**
 * DECODERS OF THE LOG: headers of files, whole segments, frames, page deltas, indexes of segments.
 */
import { crc32 } from "node:zlib";
import { lsn } from "../../../src/base/units.ts";
import { decodeFileHeader, encodeFileHeader, FILE_HEADER } from "../../../src/chunk/index.ts";
import { seeded } from "../../../src/io/index.ts";
import { BATCH_HEADER, batchBytes, batchSeed } from "../../../src/wal/batch.ts";
import { FrameReader } from "../../../src/wal/bytes.ts";
import { applyRanges } from "../../../src/wal/delta.ts";
import { encodeDelta, FRAME_OVERHEAD_BYTES } from "../../../src/wal/frame.ts";
import { decodeFrame } from "../../../src/wal/frame-decode.ts";
import {
  BLOCK_BYTES,
  CommitAssembler,
  decodeSegmentHeader,
  encodeSegmentHeader,
  framesOf,
  type ReplayedCommit,
  segmentItems,
  stampBatch,
} from "../../../src/wal/index.ts";
import {
  decodeSegmentIndex,
  RunCursor,
  SEGMENT_INDEX,
  SegmentIndexBuilder,
} from "../../../src/wal/segment-index.ts";
import { type FuzzTarget, holds, putCrc, refusable, same, u32At } from "../target.ts";
import { payloadsOf } from "./log-seeds.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const SEQUENCE = 2;
const FIRST_LSN = 8192;
const SEGMENT = { storeId: STORE_ID, sequence: SEQUENCE };
const PAGE_BYTES = 512;
const PLACE = { file: "fuzz", offset: 0 };

export const fileHeader: FuzzTarget = {
  name: "file-header",
  bytesMax: 256,
  seeds: () => [
    encodeFileHeader({ kind: "pages", storeId: STORE_ID, sequence: 7, firstLsn: 2 ** 40 }),
    segmentHeader(),
  ],
  mend: (bytes) => mendHeader(bytes),
  check(bytes) {
    const answer = decodeFileHeader(bytes);
    decodeSegmentHeader(bytes);
    if (answer.type !== "header") return;
    const again = encodeFileHeader(answer.header);
    same(again, bytes.slice(0, again.length), "a header that is read is written back the same");
  },
};

export const segment: FuzzTarget = {
  name: "segment",
  bytesMax: 8 * BLOCK_BYTES,
  seeds: () => [segmentFile()],
  mend(bytes) {
    mendHeader(bytes);
    for (let at = BLOCK_BYTES; at < bytes.length; at += BLOCK_BYTES) mendBatch(bytes, at);
  },
  check(bytes) {
    const source = {
      sizeBytes: bytes.length,
      view: (offset: number, length: number) => bytes.subarray(offset, offset + length),
    };
    let end = 0;
    for (const item of segmentItems(source, SEGMENT)) {
      if (item.type === "header" || item.type === "no-header") continue;
      holds(item.offset >= end && item.offset < bytes.length, "items lie in order in the file");
      end = item.offset;
      if (item.type === "batch") {
        end += batchBytes(item.header.payloadBytes);
        framesOf(item.payload, item.header.startLsn + BATCH_HEADER.sizeBytes);
      }
      if (item.type === "damage") end += item.bytes;
    }
  },
};

export const frames: FuzzTarget = {
  name: "frames",
  bytesMax: 4096,
  seeds: () => payloadsOf(FIRST_LSN),
  check(bytes) {
    const list = framesOf(bytes, FIRST_LSN + BATCH_HEADER.sizeBytes);
    const middle = bytes.length >>> 1;
    // In one batch, and in two: where they are cut decides what is carried from one to the next.
    for (const parts of [[bytes], [bytes.subarray(0, middle), bytes.subarray(middle)]]) {
      const taken = refusable(() => assemble(parts));
      holds(
        taken === undefined || parts.length > 1 || list.problem === undefined,
        "what is put together parses",
      );
    }
  },
};

/** Puts the frames together, and every delta on some page. */
function assemble(parts: readonly Uint8Array[]): void {
  const onCommit = (commit: ReplayedCommit): void => {
    holds(commit.lsn > 0 && Number.isSafeInteger(commit.lsn), "a commit has a place");
    for (const frame of commit.frames) {
      if (frame.kind === "page") holds(frame.image.length <= 65_536, "a page has a page's size");
      if (frame.kind === "delta") {
        const base = new Uint8Array(PAGE_BYTES);
        const made = refusable(() => frame.apply(base));
        holds(made === undefined || made.value.length === PAGE_BYTES, "a delta keeps the size");
        holds(
          base.every((byte) => byte === 0),
          "a base is left as it was",
        );
      }
    }
  };
  const assembler = new CommitAssembler(lsn(0), onCommit);
  let startLsn = FIRST_LSN;
  for (const payload of parts) {
    assembler.take({ startLsn, payload, place: PLACE });
    startLsn += batchBytes(payload.length);
  }
}

export const delta: FuzzTarget = {
  name: "delta",
  bytesMax: 1100,
  seeds: () => {
    const random = seeded(3);
    const base = random.bytes(PAGE_BYTES);
    const image = base.slice();
    image.set(random.bytes(9), 100);
    return [new Uint8Array(Buffer.concat([base, image])), random.bytes(700)];
  },
  check(bytes) {
    refusable(() => applyRanges(new Uint8Array(PAGE_BYTES), bytes.subarray(0, 64), PLACE));
    const half = (bytes.length >>> 1) & ~15;
    const [base, image] = [bytes.slice(0, half), bytes.slice(half, 2 * half)];
    const into = { bytes: new Uint8Array(4 * half + 64), at: 0, startLsn: lsn(FIRST_LSN) };
    encodeDelta(into, 1, { baseLsn: lsn(1), base, image });
    // A page that did not change, and one that changed too much, have no delta.
    if (into.at === 0) return;
    holds(into.at <= (half >>> 1) + FRAME_OVERHEAD_BYTES, "a delta takes at most half a page");
    const decoded = decodeFrame(new FrameReader(into.bytes.slice(0, into.at), PLACE), FIRST_LSN);
    holds(decoded.type === "change" && decoded.change.kind === "delta", "a delta is read as one");
    if (decoded.type !== "change" || decoded.change.kind !== "delta") return;
    const { change } = decoded;
    same(change.apply(base), image, "a delta makes the page that it was made from");
    const other = base.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
    const wrong = refusable(() => change.apply(other));
    const isSame = wrong !== undefined && Buffer.compare(wrong.value, image) === 0;
    holds(wrong === undefined || isSame, "a delta of another base is refused, or hides the change");
  },
};

const INDEXED = { ...SEGMENT, endLsn: 1_000_000 };

export const segmentIndex: FuzzTarget = {
  name: "segment-index",
  bytesMax: 2 * BLOCK_BYTES,
  seeds: () => [indexOf(1), indexOf(40)],
  mend(bytes) {
    const { offset, sizeBytes } = SEGMENT_INDEX;
    const seed = batchSeed(INDEXED, INDEXED.endLsn);
    const end = sizeBytes + u32At(bytes, offset.payloadBytes);
    putCrc(bytes, offset.payloadCrc, crc32(bytes.subarray(sizeBytes, end), seed));
    putCrc(bytes, offset.headerCrc, crc32(bytes.subarray(0, offset.headerCrc), seed));
  },
  check(bytes) {
    const index = decodeSegmentIndex(bytes, INDEXED);
    for (const run of index?.runs ?? []) {
      const cursor = new RunCursor(run);
      refusable(() => {
        while (cursor.next())
          holds(cursor.lsn >= cursor.firstLsn, "a commit ends behind its front");
      });
    }
  },
};

function indexOf(commits: number): Uint8Array {
  const builder = new SegmentIndexBuilder(0);
  for (let at = 0; at < commits; at += 1) {
    const firstLsn = at * 1000;
    const size = { pageCount: at + 1, pageBytes: 4096 };
    builder.add({ stream: at % 5, firstLsn, lsn: firstLsn + 700, ...size });
  }
  return builder.encode(INDEXED);
}

function segmentHeader(): Uint8Array {
  const marks = { firstLsn: FIRST_LSN, durableLsn: FIRST_LSN, createdMs: 99 };
  return encodeSegmentHeader({ ...SEGMENT, ...marks }).slice(0, FILE_HEADER.sizeBytes);
}

/** A header and a batch for each payload. */
function segmentFile(): Uint8Array {
  const head = new Uint8Array(BLOCK_BYTES);
  head.set(segmentHeader());
  const parts = [head];
  let startLsn = FIRST_LSN;
  for (const payload of payloadsOf(FIRST_LSN).slice(0, 5)) {
    const bytes = new Uint8Array(batchBytes(payload.length));
    bytes.set(payload, BATCH_HEADER.sizeBytes);
    const place = { startLsn, durableLsn: startLsn, wallMs: 5, payloadBytes: payload.length };
    stampBatch(bytes, { ...SEGMENT, ...place, copied: false });
    parts.push(bytes);
    startLsn += bytes.length;
  }
  return new Uint8Array(Buffer.concat(parts));
}

function mendHeader(bytes: Uint8Array): void {
  const { checksum } = FILE_HEADER.offset;
  putCrc(bytes, checksum, crc32(bytes.subarray(0, checksum)));
}

/** The checksums of a batch, if one seems to begin here. */
function mendBatch(bytes: Uint8Array, at: number): void {
  const { offset, sizeBytes } = BATCH_HEADER;
  const batch = bytes.subarray(at);
  if (batch.length < sizeBytes || batch[0] !== 0x42 || batch[1] !== 0x4f) return;
  const seed = batchSeed(SEGMENT, u32At(batch, offset.startLsn));
  const end = sizeBytes + u32At(batch, offset.payloadBytes);
  putCrc(batch, offset.payloadCrc, crc32(batch.subarray(sizeBytes, end), seed));
  putCrc(batch, offset.headerCrc, crc32(batch.subarray(0, offset.headerCrc), seed));
}
