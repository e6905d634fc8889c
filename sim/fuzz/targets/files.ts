/** DECODERS OF WHOLE FILES: page chunks, the superblock. */
import { crc32 } from "node:zlib";
import { chunkId, type Lsn, lsn, segmentSequence } from "../../../src/base/units.ts";
import {
  ChunkEncoder,
  DIRECTORY_ENTRY,
  decodeChunk,
  FILE_HEADER,
  FOOTER,
  type ImageCodec,
  imageOffset,
  inspectChunk,
  PACKING,
  pageSeed,
  RECORD,
  type WholeChunk,
} from "../../../src/chunk/index.ts";
import { seeded } from "../../../src/io/index.ts";
import {
  encodeCopy,
  inspectSuperblock,
  SUPERBLOCK,
  superblockAfter,
} from "../../../src/page-store/superblock/superblock.ts";
import { type FuzzTarget, holds, putCrc, same, u32At } from "../target.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index);
const CHUNK = { chunk: chunkId(7), generation: 3, storeId: STORE_ID };

interface Page {
  readonly stream: number;
  readonly pageNumber: number;
  readonly image: Uint8Array;
}

export const pageChunk: FuzzTarget = {
  name: "page-chunk",
  bytesMax: 4096,
  seeds: () => {
    const random = seeded(4);
    const page = (stream: number, pageNumber: number, bytes: number): Page => {
      return { stream, pageNumber, image: random.bytes(bytes) };
    };
    return [chunkOf([page(1, 1, 512)]), chunkOf([page(1, 1, 512), page(2, 9, 1024)])];
  },
  mend: mendChunk,
  check(bytes) {
    const whole = decodeChunk(bytes);
    const report = inspectChunk(bytes);
    const isSound = report.problems.length === 0;
    holds(isSound === (typeof whole !== "string"), "both readers agree whether a chunk is right");
    if (typeof whole === "string") return;
    if (whole.header.codec !== "none") return; // There are many ways to pack a page.
    const pages = pagesOf(whole);
    const encoder = new ChunkEncoder({ ...CHUNK, ...whole.header }, new Uint8Array(65_536));
    for (const page of pages) encoder.add(page);
    const body = encoder.pending().bytes.slice();
    encoder.drained();
    const { end } = encoder.finish();
    const records = body.subarray(FILE_HEADER.sizeBytes);
    const again = Buffer.concat([bytes.subarray(0, FILE_HEADER.sizeBytes), records, end]);
    holds(Buffer.compare(again, bytes) === 0, "a chunk that is read is written back the same");
  },
};

export const packedChunk: FuzzTarget = {
  name: "packed-chunk",
  bytesMax: 4096,
  seeds: () => {
    const noise = { stream: 2, pageNumber: 9, image: seeded(5).bytes(512) };
    const text = { stream: 1, pageNumber: 1, image: new Uint8Array(1024).fill(65) };
    return [chunkOf([text], "deflate"), chunkOf([text, noise], "deflate")];
  },
  mend: mendChunk,
  check(bytes) {
    const whole = decodeChunk(bytes);
    const isSound = inspectChunk(bytes).problems.length === 0;
    holds(isSound === (typeof whole !== "string"), "both readers agree whether a chunk is right");
    if (typeof whole === "string") return;
    const pages = pagesOf(whole);
    const again = decodeChunk(chunkOf(pages, "deflate"));
    holds(typeof again !== "string", "pages that were read can be written again");
    if (typeof again !== "string") same(pagesOf(again), pages, "they are read again the same");
  },
};

function pagesOf(whole: WholeChunk): (Page & { readonly lsn: Lsn })[] {
  return whole.entries.map((entry) => ({
    stream: entry.stream,
    pageNumber: entry.pageNumber,
    lsn: entry.lsn,
    image: whole.image(entry).slice(),
  }));
}

function chunkOf(
  pages: readonly (Page & { readonly lsn?: Lsn })[],
  codec: ImageCodec = "none",
): Uint8Array {
  const room = pages.reduce((sum, { image }) => sum + image.length + 64, 8192);
  const encoder = new ChunkEncoder({ ...CHUNK, codec }, new Uint8Array(room));
  for (const page of pages) encoder.add({ lsn: lsn(1000 + page.pageNumber), ...page });
  const body = encoder.pending().bytes.slice();
  encoder.drained();
  const { header, end } = encoder.finish();
  body.set(header);
  return new Uint8Array(Buffer.concat([body, end]));
}

/** Every checksum, from the records outward. */
function mendChunk(bytes: Uint8Array): void {
  const footerAt = bytes.length - FOOTER.sizeBytes;
  if (footerAt < FILE_HEADER.sizeBytes) return;
  const directoryAt = u32At(bytes, footerAt + FOOTER.offset.directoryOffset);
  const { offset } = DIRECTORY_ENTRY;
  const seed = pageSeed(STORE_ID, CHUNK.chunk);
  const isPlain = bytes[FILE_HEADER.offset.codec] === 0;
  for (
    let at = directoryAt;
    at + DIRECTORY_ENTRY.sizeBytes <= footerAt;
    at += DIRECTORY_ENTRY.sizeBytes
  ) {
    const recordAt = u32At(bytes, at + offset.offset);
    const from = recordAt + RECORD.offset.imageBytes;
    const lengthAt = isPlain ? from : recordAt + RECORD.sizeBytes + PACKING.offset.storedBytes;
    const head = imageOffset(isPlain ? "none" : "deflate");
    const covered = bytes.subarray(from, recordAt + head + u32At(bytes, lengthAt));
    putCrc(bytes, recordAt, crc32(covered, seed));
    const crc = bytes.slice(recordAt, recordAt + 4);
    if (crc.length === 4) bytes.set(crc, at + offset.crc);
  }
  const directory = bytes.subarray(Math.min(directoryAt, footerAt), footerAt);
  putCrc(bytes, footerAt + FOOTER.offset.directoryCrc, crc32(directory));
  const checksumAt = footerAt + FOOTER.offset.checksum;
  putCrc(bytes, checksumAt, crc32(bytes.subarray(footerAt, checksumAt)));
  const { checksum } = FILE_HEADER.offset;
  putCrc(bytes, checksum, crc32(bytes.subarray(0, checksum)));
}

const FACTS = {
  storeId: STORE_ID,
  epoch: 1,
  manifestGeneration: 2,
  checkpointLsn: lsn(8192),
  durableLsn: lsn(16_384),
  walStart: segmentSequence(1),
  clean: false,
};

export const superblock: FuzzTarget = {
  name: "superblock",
  bytesMax: 5 * SUPERBLOCK.sizeBytes,
  seeds: () => {
    const first = superblockAfter(undefined, FACTS);
    const second = superblockAfter(first, { ...FACTS, clean: true });
    const copies = [second, second, first, first].map((each, index) => encodeCopy(each, index));
    return [new Uint8Array(Buffer.concat(copies))];
  },
  mend(bytes) {
    const { sizeBytes, offset } = SUPERBLOCK;
    for (let at = 0; at + sizeBytes <= bytes.length; at += sizeBytes) {
      putCrc(bytes, at + offset.checksum, crc32(bytes.subarray(at, at + offset.checksum)));
    }
  },
  check(bytes) {
    const { copies, choice } = inspectSuperblock(bytes);
    for (const [index, { superblock: found, offset }] of copies.entries()) {
      if (found === undefined) continue;
      // `clean` is 1 or not: any other byte counts as not.
      const again = encodeCopy(found, index);
      const there = bytes.slice(offset, offset + SUPERBLOCK.sizeBytes);
      if ((there[SUPERBLOCK.offset.clean] ?? 0) <= 1) same(again, there, "written back the same");
    }
    if (choice.type !== "found") return;
    holds(choice.copies.length >= 2, "a superblock that counts has two copies");
  },
};
