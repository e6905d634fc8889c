/** DECODERS OF RECORD LOGS: their chunks, operations in the log, what the manifest keeps of them. */
import { crc32 } from "node:zlib";
import { chunkId, lsn } from "../../../src/base/units.ts";
import {
  decodeRecordChunk,
  FILE_HEADER,
  FOOTER,
  inspectRecordChunk,
  pageSeed,
  RecordChunkEncoder,
} from "../../../src/chunk/index.ts";
import { RECORD_BLOCK, RECORD_DIRECTORY_ENTRY } from "../../../src/chunk/record-chunk.ts";
import { decodeBody, encodeBody } from "../../../src/record-log/body.ts";
import { Malformed, Reader, Writer } from "../../../src/record-log/bytes.ts";
import {
  decodeOperations,
  encodeOperation,
  type Operation,
  roomFor,
} from "../../../src/record-log/operations.ts";
import { type FuzzTarget, holds, putCrc, refusable, same, u32At } from "../target.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const CHUNK = { chunk: chunkId(7), generation: 3, storeId: STORE_ID };
const FIELD = Uint8Array.of(9, 8, 7);
const NONE = new Uint8Array(0);

const ENTRIES = [
  { term: 1n, field: NONE, payload: Uint8Array.of(1, 2, 3) },
  { term: 1n, field: FIELD, payload: NONE },
  { term: 2n ** 63n, field: NONE, payload: new Uint8Array(200) },
];

const OPERATIONS: readonly Operation[] = [
  { kind: "append", firstIndex: 7n, entries: ENTRIES },
  { kind: "truncate", after: 6n },
  { kind: "truncate", after: "all" },
  { kind: "compact", to: { index: 5n, term: 1n, field: FIELD } },
  { kind: "hardState", state: { term: 3n, vote: FIELD, commit: 2n } },
  { kind: "stable", key: "kéy", value: Uint8Array.of(1) },
  { kind: "stable", key: "k", value: undefined },
  { kind: "snapshot", meta: Uint8Array.of(4, 5) },
  { kind: "clear" },
];

function encoded(operations: readonly Operation[]): Uint8Array {
  const into = new Writer();
  for (const operation of operations) encodeOperation(into, operation);
  return into.written().slice();
}

export const logOperations: FuzzTarget = {
  name: "log-operations",
  bytesMax: 1024,
  seeds: () => [...OPERATIONS.map((operation) => encoded([operation])), encoded(OPERATIONS)],
  check(bytes) {
    let operations: Operation[];
    try {
      operations = decodeOperations(new Reader(bytes));
    } catch (error) {
      if (error instanceof Malformed) return;
      throw error;
    }
    const again = decodeOperations(new Reader(encoded(operations)));
    same(again, operations, "operations survive encoding");
    for (const operation of operations) {
      const room = roomFor(operation);
      holds(encoded([operation]).length <= room, "an operation takes no more room than is made");
    }
  },
};

export const logBody: FuzzTarget = {
  name: "log-body",
  bytesMax: 512,
  seeds: () => {
    const nothing = { runs: [], ranges: [], hardState: undefined, stable: new Map() };
    const marks = { boundary: undefined, first: 1n, next: 1n, snapshotMeta: undefined };
    const full = {
      boundary: { index: 4n, term: 1n, field: FIELD },
      first: 5n,
      next: 9n,
      runs: [{ from: 5n, term: 1n }],
      ranges: [{ chunk: chunkId(3), first: 5n, last: 8n }],
      hardState: { term: 3n, vote: FIELD, commit: 2n },
      stable: new Map([["key", FIELD]]),
      snapshotMeta: FIELD,
    };
    return [encodeBody({ ...nothing, ...marks }).slice(), encodeBody(full).slice()];
  },
  check(bytes) {
    const place = { log: "fuzz", lsn: lsn(1) };
    const moment = refusable(() => decodeBody(bytes, place));
    if (moment === undefined) return;
    const again = decodeBody(encodeBody(moment.value), place);
    same(again, moment.value, "what is kept of a log survives encoding");
  },
};

export const recordChunk: FuzzTarget = {
  name: "record-chunk",
  bytesMax: 4096,
  seeds: () => [chunkOf([3]), chunkOf([3, 4, 3])],
  mend: mendChunk,
  check(bytes) {
    const whole = decodeRecordChunk(bytes);
    const { problems } = inspectRecordChunk(bytes);
    holds((problems.length === 0) === (typeof whole !== "string"), "both readers agree");
    if (typeof whole === "string") return;
    const encoder = new RecordChunkEncoder({ ...CHUNK, chunk: chunkId(whole.header.chunk) });
    const blocks = whole.blocks.map((block) => encoder.add(block));
    const { end } = encoder.finish();
    const { sizeBytes } = FILE_HEADER;
    // The seed of the checksums is that of one store and chunk.
    const isOurs = Buffer.compare(whole.header.storeId, STORE_ID) === 0;
    const again = Buffer.concat([bytes.subarray(0, sizeBytes), ...blocks, end]);
    holds(!isOurs || Buffer.compare(again, bytes) === 0, "it is written back the same");
  },
};

function chunkOf(streams: readonly number[]): Uint8Array {
  const encoder = new RecordChunkEncoder(CHUNK);
  const blocks = streams.map((stream, at) => {
    const body = Uint8Array.of(at, 1, 2, 3, 4);
    return encoder.add({ stream, firstIndex: BigInt(10 * at), entryCount: 2, lsn: lsn(at), body });
  });
  const { header, end } = encoder.finish();
  return new Uint8Array(Buffer.concat([header, ...blocks, end]));
}

function mendChunk(bytes: Uint8Array): void {
  const footerAt = bytes.length - FOOTER.sizeBytes;
  if (footerAt < FILE_HEADER.sizeBytes) return;
  const directoryAt = Math.min(footerAt, u32At(bytes, footerAt + FOOTER.offset.directoryOffset));
  const { offset, sizeBytes } = RECORD_DIRECTORY_ENTRY;
  const seed = pageSeed(STORE_ID, CHUNK.chunk);
  for (let at = directoryAt; at + sizeBytes <= footerAt; at += sizeBytes) {
    const from = u32At(bytes, at + offset.offset);
    const to = from + u32At(bytes, at + offset.blockBytes);
    putCrc(bytes, from, crc32(bytes.subarray(from + RECORD_BLOCK.offset.bodyBytes, to), seed));
    const crc = bytes.slice(from, from + 4);
    if (crc.length === 4) bytes.set(crc, at + offset.crc);
  }
  putCrc(
    bytes,
    footerAt + FOOTER.offset.directoryCrc,
    crc32(bytes.subarray(directoryAt, footerAt)),
  );
  const checksumAt = footerAt + FOOTER.offset.checksum;
  putCrc(bytes, checksumAt, crc32(bytes.subarray(footerAt, checksumAt)));
  const { checksum } = FILE_HEADER.offset;
  putCrc(bytes, checksum, crc32(bytes.subarray(0, checksum)));
}
