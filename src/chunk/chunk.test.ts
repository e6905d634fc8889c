import { createHash } from "node:crypto";
import { constants, crc32, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { chunkId, type Lsn, lsn } from "../base/units.ts";
import { seeded } from "../io/index.ts";
import {
  CHUNK_BYTES_MAX,
  ChunkEncoder,
  type ChunkStart,
  decodeChunk,
  decodeHeader,
  FILE_HEADER,
  type ImageCodec,
  inspectChunk,
  type PageToStore,
  pageSeed,
  RECORD,
  recordImage,
} from "./index.ts";

const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => 100 + index);
const CODECS: readonly ImageCodec[] = ["none", "deflate"];
const START = { chunk: chunkId(7), generation: 3, storeId: STORE_ID };

/** Zeros, packed as no level of ours packs them. */
const PACKED_ZEROS = new Uint8Array(
  deflateRawSync(new Uint8Array(512), { strategy: constants.Z_HUFFMAN_ONLY }),
);

/** Pages of two families, 512 bytes each: 0xaa, and `noise`. */
const PACKED_GOLDEN = new Uint8Array(
  Buffer.from(
    [
      "Qk9QQwEAAgEAAgAAgAAAAGRlZmdoaWprbG1ub3BxcnMAAAAAAAAAAAcAAAAAAAAAAwAAAAAAAADpAwAAAAAAAPEDAAAA",
      "AAAAAAAAAAAAAAAAAAAAAAAAAAIAAAACAAAA0AIAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAJsvQLA/7VMoAAIAAAEA",
      "AAABAAAA6QMAAAAAAAAJAAAA/VPkDlu1ahSM5BAAAAAAAAAAAACNI9wFAAIAAAIAAAAJAAAA8QMAAAAAAAAAAgAAUEWI",
      "PUGWJ8T5ldmcvw8KMSOvfcTi0uLj6ZNQKCx1QrNN5Pfv7lbhyjGtmWm1O30QG3retONheoMo4J9Lhfoohzh1SY9IIL8e",
      "PTPvNq0wBRTCWQyzYp+rHaam8YTTM1bd+B3re+O3VucUIxHu4BoRpeYcyNuZ/iA3YG7y/bK3EDoe/tPNHrrlijwTn3jO",
      "fj3mX7C9w4zMLJLjW7naDHvG3kpR5BgmpFelyDWnuEg+TbUQIIR9DjDSLEYtyDwUzhbHJW/qbPLMRRVTWKGNaJg2reuR",
      "oZa9MMBALUMPQk1dx6xmy6JVRmTx8QjmdNKVJhUk60SEGgKtT0LFk+kEgzDOAtD1r92yfUyOnOZvXoHeNS4al4mOFGSF",
      "5cyzHZfOqk37MJemhpIB8XpQ+lAFLBINmYoD+fX07hMViNPeDZSMj4NhegNSDbYngvFhQZXhcD/wXh4GzXDAVv7Nv8ty",
      "hfENQkqBMb0YQeOt2fTV2jYCm3nAmNIQIStaBPrg79GfUWye3KuGvnIfwz/tLA+bDi4aN+pBaDRvW9LK+jvCLSmBfbcW",
      "FETKqKsUt58ZXJyYtuPqHwDBLIpaISxEbyaKurA7agPzmdEQHszS62uUm0+3SAuw3MFlcQxURt25a+MxatBPuJyfP8+J",
      "kYdcbPxU+qzJ0vr2N8vsNCVsU/NMMbyYkLtYf1z9AQAAAAEAAADpAwAAAAAAAIAAAAAwAAAAAQAAAD/tUygCAAAACQAA",
      "APEDAAAAAAAAsAAAACACAAAAAAAAjSPcBQcAAAAAAAAAAgAAANACAAAHWBcQMAMAAENQT0LMiMkT",
    ].join(""),
    "base64",
  ),
);

function page(stream: number, pageNumber: number, image: number | Uint8Array): PageToStore {
  const version: Lsn = lsn(1000 + pageNumber);
  const bytes = typeof image === "number" ? new Uint8Array(512).fill(image) : image;
  return { stream, pageNumber, lsn: version, image: bytes };
}

/** The whole file, by way of a buffer that has to be emptied in between. */
function encode(pages: readonly PageToStore[], start: ChunkStart = START): Uint8Array {
  const encoder = new ChunkEncoder(start, new Uint8Array(8192));
  const file: Uint8Array[] = [];
  const drain = () => {
    const { bytes, at } = encoder.pending();
    expect(at).toBe(file.reduce((sum, part) => sum + part.length, 0));
    file.push(bytes.slice());
    encoder.drained();
  };
  for (const each of pages) {
    if (encoder.fits(each.image.length) === "drain") drain();
    encoder.add(each);
  }
  drain();
  const { header, end, endAt } = encoder.finish();
  const whole = Buffer.concat([...file, end]);
  expect(endAt).toBe(whole.length - end.length);
  whole.set(header, 0);
  return new Uint8Array(whole);
}

/** Bytes that nothing makes smaller. */
function noise(bytes: number): Uint8Array {
  const image = new Uint8Array(bytes);
  let state = 1;
  for (let at = 0; at < bytes; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    image[at] = state >>> 24;
  }
  return image;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function decoded(bytes: Uint8Array) {
  const chunk = decodeChunk(bytes);
  if (typeof chunk === "string") throw new Error(chunk);
  return chunk;
}

describe("a chunk", () => {
  test.each(CODECS)(
    "(%s) gives back every page that was put in, of many families and sizes",
    (codec) => {
      const random = seeded(5);
      for (let round = 0; round < 30; round += 1) {
        const pages = Array.from({ length: 1 + random.below(12) }, (_, index) => ({
          stream: 1 + random.below(4),
          pageNumber: index + 1,
          lsn: lsn(random.below(1e9)),
          image: random.bytes(512 << random.below(4)).fill(0, 0, random.below(700)),
        }));
        const chunk = decoded(encode(pages, { ...START, codec }));
        const back = chunk.entries.map((entry) => ({
          stream: entry.stream,
          pageNumber: entry.pageNumber,
          lsn: entry.lsn,
          image: hex(chunk.image(entry)),
        }));
        expect(back).toEqual(pages.map((each) => ({ ...each, image: hex(each.image) })));
        expect(chunk.header).toMatchObject({
          ...START,
          codec,
          pageCount: pages.length,
          firstLsn: Math.min(...pages.map((each) => each.lsn)),
          lastLsn: Math.max(...pages.map((each) => each.lsn)),
        });
      }
    },
  );

  test("lies on the disk as it always did", () => {
    const bytes = encode([page(1, 1, 0xaa), page(2, 9, new Uint8Array(1024).fill(0xbb))]);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(
      "cd418e63d0440f4978cad72bcf8f529a530e9751de81643194fecefa004db647",
    );
  });

  test.each(CODECS)("(%s) with any byte changed is refused, never misread", (codec) => {
    const noise = seeded(2).bytes(512);
    const pages = [page(1, 1, 1), page(1, 2, noise), page(3, 1, 3)];
    const whole = encode(pages, { ...START, codec });
    const random = seeded(9);
    for (let at = 0; at < whole.length; at += 1) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ (1 + random.below(255));
      expect(typeof decodeChunk(bytes), `byte ${at}`).toBe("string");
    }
  });

  test.each(CODECS)("(%s) cut short anywhere is refused, never read past its end", (codec) => {
    const whole = encode([page(1, 1, 1), page(1, 2, 2)], { ...START, codec });
    for (let length = 0; length < whole.length; length += 1) {
      expect(typeof decodeChunk(whole.subarray(0, length)), `${length} bytes`).toBe("string");
    }
  });

  test.each(CODECS)(
    "(%s) that is anything at all is refused without a crash, even with checksums that are right",
    (codec) => {
      const random = seeded(11);
      const whole = encode([page(1, 1, 1), page(1, 2, 2)], { ...START, codec });
      const imagesOf = (chunk: ReturnType<typeof decoded>) => chunk.entries.map(chunk.image);
      const images = imagesOf(decoded(whole));
      for (let round = 0; round < 1000; round += 1) {
        const bytes = whole.slice();
        for (let change = 0; change <= random.below(6); change += 1) {
          bytes.set(random.bytes(4), 4 * random.below(bytes.length >> 2));
        }
        const view = new DataView(bytes.buffer);
        const { checksum } = FILE_HEADER.offset;
        bytes.set(whole.subarray(0, 4));
        view.setUint32(checksum, crc32(bytes.subarray(0, checksum)), true);
        view.setUint32(bytes.length - 4, crc32(bytes.subarray(bytes.length - 32, -4)), true);
        const answer = decodeChunk(bytes);
        if (typeof answer !== "string") expect(imagesOf(answer)).toEqual(images);
      }
    },
  );

  test("with a codec is read as it always was: one page packed, one that would not shrink", () => {
    const chunk = decoded(PACKED_GOLDEN);
    expect(chunk.header).toMatchObject({ ...START, codec: "deflate", pageCount: 2 });
    const [first, second] = chunk.entries;
    expect(first).toMatchObject({ stream: 1, pageNumber: 1, lsn: 1001, isPacked: true });
    expect(second).toMatchObject({ stream: 2, pageNumber: 9, lsn: 1009, isPacked: false });
    expect(chunk.entries.map((entry) => hex(chunk.image(entry)))).toEqual([
      hex(new Uint8Array(512).fill(0xaa)),
      hex(noise(512)),
    ]);
  });

  test("with a codec takes less, and a report says how much", () => {
    const pages = [page(1, 1, 5), page(1, 2, noise(512))];
    const bytes = encode(pages, { ...START, codec: "deflate" });
    const plain = encode(pages);
    expect(bytes.length).toBeLessThan(plain.length - 400);
    const report = inspectChunk(bytes);
    expect(report).toMatchObject({ problems: [], imageBytes: 1024 });
    expect(report.storedBytes).toBeGreaterThan(512);
    expect(report.storedBytes).toBeLessThan(512 + 64);
    expect(inspectChunk(plain)).toMatchObject({ imageBytes: 1024, storedBytes: 1024 });
  });

  test("takes a page over from another as it is packed there, and packs it no second time", () => {
    const packed = { imageBytes: 512, imageCrc: crc32(new Uint8Array(512)), stored: PACKED_ZEROS };
    const chunk = decoded(encode([{ ...page(1, 1, 0), packed }], { ...START, codec: "deflate" }));
    const [entry] = chunk.entries;
    expect(entry?.recordBytes).toBe(Math.ceil((32 + PACKED_ZEROS.length) / 8) * 8);
    expect(entry && hex(chunk.image(entry))).toBe(hex(new Uint8Array(512)));
  });

  test("of a later version is called newer, not damaged", () => {
    const bytes = encode([page(1, 1, 1)]);
    const view = new DataView(bytes.buffer);
    view.setUint16(FILE_HEADER.offset.version, 2, true);
    const { checksum } = FILE_HEADER.offset;
    view.setUint32(checksum, crc32(bytes.subarray(0, checksum)), true);
    expect(decodeHeader(bytes)).toEqual({
      type: "newer",
      found: "version 2",
      supported: "version 1",
    });
  });

  test("with directory and footer is never larger than it may be", () => {
    const bytesMax = 20_000;
    const encoder = new ChunkEncoder(START, new Uint8Array(bytesMax), bytesMax);
    let pageNumber = 0;
    while (encoder.fits(512) === "yes") {
      pageNumber += 1;
      encoder.add(page(1, pageNumber, 1));
    }
    encoder.drained();
    const { end, endAt } = encoder.finish();
    expect(endAt + end.length).toBeLessThanOrEqual(bytesMax);
    expect(endAt + end.length).toBeGreaterThan(bytesMax - 2 * 600);
  });

  test("is full before its offsets grow beyond what a location can say", () => {
    const encoder = new ChunkEncoder(
      START,
      new Uint8Array(FILE_HEADER.sizeBytes + 70_000),
      100_000,
    );
    encoder.add(page(1, 1, new Uint8Array(65_536)));
    expect(encoder.fits(65_536)).toBe("full");
    expect(encoder.fits(512)).toBe("yes");
    expect(() => new ChunkEncoder(START, new Uint8Array(1), CHUNK_BYTES_MAX + 1)).toThrow();
  });
});

describe("a record of a chunk with a codec", () => {
  const wanted = {
    stream: 1,
    pageNumber: 2,
    imageBytes: 512,
    seed: pageSeed(STORE_ID, START.chunk),
    codec: "deflate",
  } as const;
  const chunk = encode([page(1, 2, 5)], { ...START, codec: "deflate" });
  const record = chunk.subarray(FILE_HEADER.sizeBytes);

  test("serves its page, whatever lies behind it", () => {
    expect(recordImage(record, wanted)).toEqual(Buffer.alloc(512, 5));
  });

  test("of another page or family is refused, and so is one that claims more than a page has", () => {
    expect(recordImage(record, { ...wanted, pageNumber: 3 })).toMatch("another page");
    expect(recordImage(record, { ...wanted, stream: 2 })).toMatch("another page");
    expect(recordImage(record, { ...wanted, imageBytes: 1024 })).toMatch("length");
    expect(recordImage(record.subarray(0, 20), wanted)).toMatch("ends within");
    const greedy = record.slice();
    new DataView(greedy.buffer).setUint32(RECORD.sizeBytes, 513, true);
    expect(recordImage(greedy, wanted)).toMatch("length of the stored page");
  });

  test("with any bit flipped is refused before it is unpacked", () => {
    const stored = inspectChunk(chunk).storedBytes;
    for (let bit = 0; bit < 8 * (32 + stored); bit += 1) {
      const bytes = record.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(typeof recordImage(bytes, wanted), `bit ${bit}`).toBe("string");
    }
  });
});

describe("a record", () => {
  const wanted = {
    stream: 1,
    pageNumber: 2,
    imageBytes: 512,
    seed: pageSeed(STORE_ID, START.chunk),
  };
  const record = encode([page(1, 2, 5)]).subarray(FILE_HEADER.sizeBytes);

  test("serves its page", () => {
    expect(recordImage(record, wanted)).toEqual(new Uint8Array(512).fill(5));
  });

  test("of another page, chunk or store is refused though its checksum is right", () => {
    const elsewhere = pageSeed(STORE_ID, chunkId(8));
    const stranger = pageSeed(new Uint8Array(16), START.chunk);
    expect(recordImage(record, { ...wanted, pageNumber: 3 })).toMatch("another page");
    expect(recordImage(record, { ...wanted, stream: 2 })).toMatch("another page");
    expect(recordImage(record, { ...wanted, seed: elsewhere })).toMatch("checksum");
    expect(recordImage(record, { ...wanted, seed: stranger })).toMatch("checksum");
    expect(recordImage(record, { ...wanted, imageBytes: 256 })).toMatch("length");
    expect(recordImage(record.subarray(0, 300), wanted)).toMatch("ends within");
  });

  test("with any bit flipped is refused", () => {
    const bits = 8 * (RECORD.sizeBytes + 512);
    for (let bit = 0; bit < bits; bit += bit < 8 * RECORD.sizeBytes ? 1 : 7) {
      const bytes = record.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(typeof recordImage(bytes, wanted), `bit ${bit}`).toBe("string");
    }
  });
});
