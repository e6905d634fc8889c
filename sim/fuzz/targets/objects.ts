/** DECODERS OF OBJECTS IN A BUCKET: headers, ranges of the log, rows of the manifest, indexes, JSON. */
import { crc32 } from "node:zlib";
import {
  decodeBucketIdentity,
  decodeEpochClaim,
  encodeBucketIdentity,
  encodeEpochClaim,
} from "../../../src/flush/format/identity.ts";
import {
  decodeLogIndex,
  decodeRuns,
  LogIndexBuilder,
} from "../../../src/flush/format/index-object.ts";
import {
  BATCH_ENTRY,
  decodeLogTables,
  encodeLogObject,
  endOfBatch,
  readShippedBatch,
} from "../../../src/flush/format/log-object.ts";
import {
  decodeManifestIndex,
  encodeManifestObject,
} from "../../../src/flush/format/manifest-object.ts";
import {
  encodeFence,
  FENCE_BYTES,
  OBJECT_TRAILER,
} from "../../../src/flush/format/object-frame.ts";
import {
  decodeObjectHeader,
  encodeObjectHeader,
  OBJECT_HEADER,
} from "../../../src/flush/format/object-header.ts";
import {
  BLOCK_ENTRY,
  type BlockIndex,
  decodeBlock,
  type RowChange,
} from "../../../src/flush/format/row-blocks.ts";
import { batchBytes, RunCursor, SegmentIndexBuilder } from "../../../src/wal/index.ts";
import { type FuzzTarget, holds, putCrc, refusable, same, u32At } from "../target.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const PLACE = { storeId: STORE_ID, epoch: 3, number: 9 };
const NONCE = new Uint8Array(16).fill(7);
const ascii = (text: string) => new Uint8Array(Buffer.from(text));

export const objectHeader: FuzzTarget = {
  name: "object-header",
  bytesMax: 160,
  seeds: () =>
    [logObjectOf(1), manifestOf("base"), manifestOf("batch"), indexOf(), fenceOf()].map((bytes) =>
      bytes.slice(0, OBJECT_HEADER.sizeBytes),
    ),
  mend: (bytes) => mendHeader(bytes),
  check(bytes) {
    const answer = decodeObjectHeader(bytes);
    if (answer.type !== "header") return;
    const again = encodeObjectHeader(answer.header);
    same(again, bytes.slice(0, again.length), "a header that is read is written back the same");
  },
};

export const logObject: FuzzTarget = {
  name: "log-object",
  bytesMax: 1024,
  seeds: () => [logObjectOf(1), logObjectOf(4)],
  mend(bytes) {
    mendObject(bytes, [], (tableAt, tableBytes) => {
      const { offset, sizeBytes } = BATCH_ENTRY;
      for (let at = tableAt; at + sizeBytes <= tableAt + tableBytes; at += sizeBytes) {
        const from = u32At(bytes, at + offset.offset);
        const to = from + u32At(bytes, at + offset.payloadBytes);
        putCrc(bytes, at + offset.payloadCrc, crc32(bytes.subarray(from, to)));
      }
    });
  },
  check(bytes) {
    const tables = decodeLogTables(bytes, bytes.length);
    if (tables.type !== "log") return;
    const { header, batches, streams, spilled } = tables;
    holds(batches[0]?.startLsn === header.firstLsn, "batches begin where the object does");
    const last = batches.at(-1);
    holds(last !== undefined && endOfBatch(last) === header.endLsn, "and end where it does");
    for (const run of streams.runs) {
      const cursor = new RunCursor(run);
      refusable(() => {
        while (cursor.next())
          holds(cursor.lsn >= cursor.firstLsn, "a commit ends behind its front");
      });
    }
    const payloads = batches.map((entry) => readShippedBatch(bytes.subarray(entry.offset), entry));
    if (payloads.includes(undefined)) return;
    const shipped = batches.map(({ startLsn, wallMs }, at) => {
      return { startLsn, wallMs, payload: payloads[at] ?? new Uint8Array(0) };
    });
    const object = { ...header, batches: shipped, streams: new SegmentIndexBuilder(0), spilled };
    const again = encodeLogObject(object);
    const reread = decodeLogTables(again, again.length);
    holds(reread.type === "log", "what was read can be written again");
    if (reread.type === "log") same({ ...reread, streams }, tables, "and is read again the same");
  },
};

export const manifestObject: FuzzTarget = {
  name: "manifest-object",
  bytesMax: 1024,
  seeds: () => [manifestOf("base"), manifestOf("batch")],
  mend: (bytes) => mendRows(bytes, 0),
  check(bytes) {
    const index = decodeManifestIndex(bytes, bytes.length);
    if (index.type !== "manifest") return;
    const rows = rowsOf(bytes, index);
    const removes = rows?.some(({ value }) => value === undefined);
    if (rows === undefined || (removes && index.header.kind === "base")) return;
    // Keys that go down from block to block are told only by whoever reads both.
    const ascends = rows.every(({ key }, at) => {
      const before = rows[at - 1]?.key;
      return before === undefined || Buffer.compare(before, key) < 0;
    });
    if (!ascends) return;
    const again = encodeManifestObject({ ...index.header, rows });
    const reread = decodeManifestIndex(again, again.length);
    holds(reread.type === "manifest", "rows that were read can be written again");
    if (reread.type === "manifest") same(rowsOf(again, reread), rows, "and are read the same");
  },
};

export const indexObject: FuzzTarget = {
  name: "index-object",
  bytesMax: 1024,
  seeds: () => [indexOf()],
  mend: (bytes) => mendRows(bytes, 1),
  check(bytes) {
    const index = decodeLogIndex(bytes, bytes.length);
    if (index.type !== "index") return;
    const numbers = new Set(index.objects.map(({ number }) => number));
    for (const { value } of rowsOf(bytes, index) ?? []) {
      for (const run of (value && decodeRuns(value, index)) ?? []) {
        holds(numbers.has(run.number), "a run is in an object that the index speaks of");
      }
    }
  },
};

export const bucketJson: FuzzTarget = {
  name: "bucket-json",
  bytesMax: 256,
  words: ['"format":1', '"storeId"', '"epoch"', "1e9", "null"],
  seeds: () => [
    encodeBucketIdentity({ storeId: STORE_ID, createdAtMs: 5 }),
    encodeEpochClaim({ storeId: STORE_ID, epoch: 3, claimedAtMs: 5, nonce: NONCE }),
  ],
  check(bytes) {
    const answer = decodeBucketIdentity(bytes);
    if (answer.type === "identity") {
      const again = decodeBucketIdentity(encodeBucketIdentity(answer.identity));
      same(again, answer, "an identity survives encoding");
    }
    const claim = decodeEpochClaim(bytes);
    if (claim.type !== "claim") return;
    same(decodeEpochClaim(encodeEpochClaim(claim.claim)), claim, "a claim survives encoding");
  },
};

function rowsOf(bytes: Uint8Array, { blocks }: BlockIndex): RowChange[] | undefined {
  const rows: RowChange[] = [];
  for (const block of blocks) {
    const found = decodeBlock(bytes.subarray(block.offset, block.offset + block.bytes), block);
    if (found === undefined) return undefined;
    rows.push(...found);
  }
  return rows;
}

function logObjectOf(count: number): Uint8Array {
  const streams = new SegmentIndexBuilder(8192);
  let startLsn = 8192;
  const batches = Array.from({ length: count }, (_, at) => {
    const payload = ascii("frames".slice(0, at + 2));
    const firstLsn = startLsn + 52;
    const size = { pageCount: 2, pageBytes: 512 };
    streams.add({ stream: at % 2, firstLsn, lsn: firstLsn + payload.length, ...size });
    const batch = { startLsn, wallMs: 100 + at, payload };
    startLsn += batchBytes(payload.length);
    return batch;
  });
  const spilled = [{ chunk: 5, epoch: 2 }];
  return encodeLogObject({ ...PLACE, gap: false, batches, streams, spilled });
}

function manifestOf(kind: "base" | "batch"): Uint8Array {
  const isBase = kind === "base";
  const marks = { generation: 4, checkpointLsn: 4096, maxLsn: 8192, wallMs: 7, fencedBelow: 3 };
  const wal = { walEpoch: 3, walNumber: 2, walEndLsn: 12_288 };
  const place = { ...PLACE, kind, baseNumber: isBase ? 9 : 7, part: 0, whole: !isBase };
  const rows: RowChange[] = [
    { key: ascii("a"), value: ascii("one") },
    { key: ascii("b"), value: new Uint8Array(0) },
  ];
  if (!isBase) rows.push({ key: ascii("c") });
  return encodeManifestObject({ ...place, ...marks, ...wal, rows });
}

function indexOf(): Uint8Array {
  const builder = new LogIndexBuilder();
  for (const firstLsn of [0, 4096, 8192]) {
    const streams = new SegmentIndexBuilder(firstLsn);
    const size = { pageCount: 2, pageBytes: 512 };
    for (const stream of [1, 2 + firstLsn / 4096]) {
      const at = firstLsn + 52 * stream;
      streams.add({ stream, firstLsn: at, lsn: at + 20, ...size });
    }
    const marks = { firstLsn, endLsn: firstLsn + 4096, firstWallMs: 1, lastWallMs: 2 };
    builder.add(marks, streams.index());
  }
  return builder.finish({ ...PLACE, number: 256 });
}

function fenceOf(): Uint8Array {
  return encodeFence({ ...PLACE, of: "manifest", byEpoch: 4, wallMs: 6, nonce: NONCE });
}

function mendHeader(bytes: Uint8Array): void {
  const { crc } = OBJECT_HEADER.offset;
  putCrc(bytes, crc, crc32(bytes.subarray(0, crc)));
}

/** Blocks, by the index that lies in one of the tables, then all that stands around them. */
function mendRows(bytes: Uint8Array, table: 0 | 1): void {
  const before = table === 0 ? [] : [0];
  mendObject(bytes, before, (tableAt, tableBytes) => {
    const { offset, sizeBytes } = BLOCK_ENTRY;
    for (let at = tableAt; at + sizeBytes <= tableAt + tableBytes; ) {
      const from = u32At(bytes, at + offset.offset);
      const to = from + u32At(bytes, at + offset.bytes);
      putCrc(bytes, at + offset.crc, crc32(bytes.subarray(from, to)));
      at += sizeBytes + (u32At(bytes, at + offset.keyBytes) & 0xffff);
    }
  });
}

/** Headers, tables and trailer; `mendTable` is given the place of the table behind `before`. */
function mendObject(
  bytes: Uint8Array,
  before: readonly number[],
  mendTable: (tableAt: number, tableBytes: number) => void,
): void {
  if (bytes.length < FENCE_BYTES) return;
  const { offset, sizeBytes } = OBJECT_TRAILER;
  const trailerAt = bytes.length - sizeBytes;
  mendHeader(bytes);
  bytes.copyWithin(trailerAt, 0, OBJECT_HEADER.sizeBytes);
  const tables = [
    [offset.table1Bytes, offset.table1Crc],
    [offset.table2Bytes, offset.table2Crc],
    [offset.table3Bytes, offset.table3Crc],
  ] as const;
  const lengths = tables.map(([bytesAt]) => u32At(bytes, trailerAt + bytesAt));
  let at = Math.max(0, trailerAt - lengths.reduce((sum, length) => sum + length, 0));
  for (const [index, [, crcAt]] of tables.entries()) {
    const length = Math.min(lengths[index] ?? 0, trailerAt - at);
    if (index === before.length) mendTable(at, length);
    putCrc(bytes, trailerAt + crcAt, crc32(bytes.subarray(at, at + length)));
    at += length;
  }
  // A length that is too long is left to be refused.
  const crcAt = trailerAt + offset.crc;
  putCrc(bytes, crcAt, crc32(bytes.subarray(trailerAt, crcAt)));
}
