/**
 * WORKED EXAMPLES for docs/format: bytes made by the codecs themselves, so that an example never
 * says what the code no longer does. A reader of another language can be tested against them.
 */

import { createHash } from "node:crypto";
import { chunkId, lsn, streamId } from "../../src/base/units.ts";
import { ChunkEncoder, FILE_HEADER, RecordChunkEncoder } from "../../src/chunk/index.ts";
import { encodeLogObject } from "../../src/flush/format/log-object.ts";
import { encodeManifestObject } from "../../src/flush/format/manifest-object.ts";
import { encodeCatalogueEntry } from "../../src/manifest/rows/catalogue-entry.ts";
import { databases } from "../../src/manifest/tables/databases.ts";
import { Writer } from "../../src/record-log/bytes.ts";
import { encodeEntries } from "../../src/record-log/operations.ts";
import { encodeTrailer } from "../../src/sink/folder/object-file.ts";
import { BATCH_HEADER, stampBatch } from "../../src/wal/batch.ts";
import { encodeCommit, encodeEntry, encodePage } from "../../src/wal/frame.ts";
import { encodeSegmentHeader } from "../../src/wal/segment.ts";
import { SegmentIndexBuilder } from "../../src/wal/segment-index.ts";

/** 00 01 02 … 0f: easy to see in a dump. */
const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const CREATED_MS = Date.UTC(2026, 0, 1);

export const EXAMPLES: Readonly<Record<string, () => string>> = {
  segment: () =>
    hexDump(
      encodeSegmentHeader({
        storeId: STORE_ID,
        sequence: 1,
        firstLsn: 0,
        durableLsn: 0,
        createdMs: CREATED_MS,
      }),
    ),
  "file header": () => hexDump(chunk().subarray(0, FILE_HEADER.sizeBytes)),
  batch: () => hexDump(batch()),
  object: () => hexDump(objectFile()),
  "log object": () => hexDump(logObject()),
  "manifest object": () => hexDump(manifestObject()),
  "segment index": () => hexDump(segmentIndex()),
  chunk: () => hexDump(chunk()),
  "record chunk": () => hexDump(recordChunk()),
  "catalogue entry": () => hexDump(catalogueEntry()),
  "database row": () => {
    const { key, value } = databaseRow();
    return `key\n${hexDump(key)}\nvalue\n${hexDump(value)}`;
  },
};

/** The catalogue creates "a" as stream 1; then stream 1 commits a page that is mostly zeros. */
function objectFile(): Uint8Array {
  const body = Buffer.from("hello");
  const sha256 = createHash("sha256").update(body).digest("hex");
  const putId = Buffer.from(STORE_ID).toString("hex");
  return Buffer.concat([body, encodeTrailer({ putId, sha256, sizeBytes: body.length })]);
}

function logObject(): Uint8Array {
  const streams = new SegmentIndexBuilder(8192);
  const payload = Buffer.from("frames of a commit");
  const end = 8192 + BATCH_HEADER.sizeBytes + payload.length;
  const size = { pageCount: 2, pageBytes: 512 };
  streams.add({ stream: 1, firstLsn: 8192 + BATCH_HEADER.sizeBytes, lsn: end, ...size });
  return encodeLogObject({
    ...{ storeId: STORE_ID, epoch: 1, number: 3, gap: false },
    batches: [{ startLsn: 8192, wallMs: CREATED_MS, payload }],
    streams,
    spilled: [],
  });
}

function manifestObject(): Uint8Array {
  const [gone, put] = ["gone", "put"].map((text) => new Uint8Array(Buffer.from(text)));
  return encodeManifestObject({
    ...{ kind: "batch", storeId: STORE_ID, epoch: 1, number: 2, baseNumber: 0 },
    ...{ generation: 9, checkpointLsn: 8192, maxLsn: 8192, wallMs: CREATED_MS },
    ...{ fencedBelow: 1, walEpoch: 1, walNumber: 3, walEndLsn: 12_288, part: 0, whole: false },
    rows: [{ key: gone ?? STORE_ID }, { key: put ?? STORE_ID, value: STORE_ID }],
  });
}

function batch(): Uint8Array {
  const into = { bytes: new Uint8Array(4096), at: BATCH_HEADER.sizeBytes };
  const created = into.at;
  encodeEntry(into, catalogueEntry());
  encodeCommit(into, {
    stream: 0,
    frameCount: 1,
    span: into.at - created,
    pageCount: 0,
    pageBytes: 0,
  });
  const committed = into.at;
  encodePage(into, 1, smallPage());
  encodeCommit(into, {
    stream: 1,
    frameCount: 1,
    span: into.at - committed,
    pageCount: 1,
    pageBytes: 512,
  });
  stampBatch(into.bytes, {
    storeId: STORE_ID,
    sequence: 1,
    startLsn: 0,
    durableLsn: 0,
    wallMs: CREATED_MS,
    payloadBytes: into.at - BATCH_HEADER.sizeBytes,
    copied: false,
  });
  return into.bytes;
}

function smallPage(): Uint8Array {
  const image = new Uint8Array(512);
  image.set(Buffer.from("page one"), 16);
  return image;
}

function chunk(): Uint8Array {
  const buffer = new Uint8Array(4096);
  const start = { chunk: chunkId(1), generation: 1, storeId: STORE_ID };
  const encoder = new ChunkEncoder(start, buffer);
  encoder.add({ stream: 1, pageNumber: 1, lsn: lsn(160), image: smallPage() });
  const records = encoder.pending().bytes.slice();
  encoder.drained();
  const { header, end } = encoder.finish();
  const file = new Uint8Array(records.length + end.length);
  file.set(records);
  file.set(header);
  file.set(end, records.length);
  return file;
}

function segmentIndex(): Uint8Array {
  const builder = new SegmentIndexBuilder(8192);
  const size = { pageCount: 2, pageBytes: 512 };
  builder.add({ stream: 1, firstLsn: 8244, lsn: 8400, ...size });
  builder.add({ stream: 3, firstLsn: 8400, lsn: 9000, ...size });
  builder.add({ stream: 1, firstLsn: 12_340, lsn: 12_500, ...size });
  return builder.encode({ storeId: STORE_ID, sequence: 1, endLsn: 20_480 });
}

function recordChunk(): Uint8Array {
  const start = { chunk: chunkId(1), generation: 1, storeId: STORE_ID };
  const encoder = new RecordChunkEncoder(start);
  const into = new Writer();
  const field = new Uint8Array(0);
  const payloads = ["entry five", "entry six"].map((text) => new Uint8Array(Buffer.from(text)));
  encodeEntries(
    into,
    payloads.map((payload) => ({ term: 1n, field, payload })),
  );
  const body = into.written().slice();
  const block = encoder.add({ stream: 2, firstIndex: 5n, entryCount: 2, lsn: lsn(160), body });
  const { header, end } = encoder.finish();
  return new Uint8Array(Buffer.concat([header, block, end]));
}

function catalogueEntry(): Uint8Array {
  return encodeCatalogueEntry({
    type: "create",
    stream: streamId(1),
    name: "a",
    engine: "sqlite",
    pageBytes: 512,
    createdAtMs: CREATED_MS,
    importing: false,
  });
}

function databaseRow() {
  const row = {
    stream: streamId(1),
    state: "live",
    name: "a",
    engine: "sqlite",
    pageBytes: 512,
    pageCount: 1,
    lsn: lsn(160),
    createdAtMs: CREATED_MS,
    createdLsn: lsn(80),
    family: streamId(1),
    flat: true,
  } as const;
  return databases.encode(row, 1);
}

/** Sixteen bytes a line with their offset; runs of lines of zeros become one "*". */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const isZero = row.length === 16 && row.every((byte) => byte === 0);
    if (isZero && at > 0) {
      if (lines.at(-1) !== "*") lines.push("*");
      continue;
    }
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = [...row].map((byte) =>
      byte > 32 && byte < 127 ? String.fromCharCode(byte) : ".",
    );
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(47)}  ${text.join("")}`);
  }
  if (lines.at(-1) === "*") lines.push(bytes.length.toString(16).padStart(4, "0"));
  return lines.join("\n");
}
