import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type PageNumber, pageNumber } from "../base/units.ts";
import { FILE_HEADER, type ImageCodec } from "../chunk/index.ts";
import { seeded } from "../io/index.ts";
import type { PageSpace } from "./page-space.ts";
import { Rig } from "./rig.fixture.ts";

const PAGE_BYTES = 4096;
const PAGES = 300;

/** Text that repeats in most pages, noise in every fifth. */
function image(page: number, version: number): Uint8Array {
  const random = seeded(1000 * page + version);
  if (page % 5 === 0) return random.bytes(PAGE_BYTES);
  const text = Buffer.from(`order ${page} of customer ${version}; `);
  return Uint8Array.from({ length: PAGE_BYTES }, (_, at) => text[at % text.length] ?? 0);
}

function write(space: PageSpace, pages: readonly number[], version: number): void {
  const base = space.pin(space.newestLsn);
  const changed = new Map(pages.map((page) => [page, image(page, version)]));
  const pageCount = Math.max(base.pageCount, ...pages);
  space.stage({ base, pageCount, pageBytes: PAGE_BYTES, pages: changed }).seal();
  space.unpin(base);
}

function differing(space: PageSpace, version: (page: number) => number): number[] {
  const snapshot = space.pin(space.newestLsn);
  const all = Array.from({ length: snapshot.pageCount }, (_, index) => index + 1);
  const wrong = all.filter((page) => {
    const found = space.read(snapshot, page as PageNumber);
    return Buffer.compare(found, image(page, version(page))) !== 0;
  });
  space.unpin(snapshot);
  return wrong;
}

/** The header says another codec, and its checksum is right. */
function withCodec(file: Uint8Array, codec: number): Uint8Array {
  const bytes = file.slice();
  const { codec: at, checksum } = FILE_HEADER.offset;
  bytes[at] = codec;
  const sum = crc32(bytes.subarray(0, checksum));
  new DataView(bytes.buffer).setUint32(checksum, sum, true);
  return bytes;
}

const ALL = Array.from({ length: PAGES }, (_, index) => index + 1);

function open(compression: ImageCodec): Promise<Rig> {
  return Rig.open({ seed: 3, limits: { cacheBytes: 0, compression } });
}

describe("a store that compresses its pages", () => {
  test("reads them as they were, after a restart too, from a fraction of the bytes", async () => {
    const rig = await open("deflate");
    write(rig.space(1), ALL, 1);
    await rig.checkpoint();
    expect(differing(rig.space(1), () => 1)).toEqual([]);
    expect(rig.store.stats.chunkBytes).toBeLessThan(0.3 * PAGES * PAGE_BYTES);
    expect(rig.store.stats.chunkBytes).toBeGreaterThan(0.2 * PAGES * PAGE_BYTES);
    await rig.restart("power");
    expect(differing(rig.space(1), () => 1)).toEqual([]);
  });

  test("reads what it wrote before it did, and the other way round", async () => {
    const rig = await open("none");
    write(rig.space(1), ALL, 1);
    await rig.checkpoint();
    rig.limits = { cacheBytes: 0, compression: "deflate" };
    await rig.restart("close");
    write(rig.space(1), ALL.slice(0, 100), 2);
    await rig.checkpoint();
    rig.limits = { cacheBytes: 0, compression: "none" };
    await rig.restart("close");
    write(rig.space(1), ALL.slice(0, 50), 3);
    await rig.checkpoint();
    const version = (page: number) => (page <= 50 ? 3 : page <= 100 ? 2 : 1);
    expect(differing(rig.space(1), version)).toEqual([]);
  });

  test.each([
    ["deflate", "deflate"],
    ["deflate", "none"],
    ["none", "deflate"],
  ] as const)("carries pages of a sparse chunk over: from %s to %s", async (from, to) => {
    const rig = await open(from);
    write(rig.space(1), ALL, 1);
    await rig.checkpoint();
    rig.limits = { cacheBytes: 0, compression: to };
    await rig.restart("close");
    write(rig.space(1), ALL.slice(0, 280), 2);
    expect(await rig.checkpoint()).toMatchObject({ compactedChunks: 1, pages: 280 });
    expect(await rig.chunkFiles()).toHaveLength(1);
    expect(differing(rig.space(1), (page) => (page <= 280 ? 2 : 1))).toEqual([]);
  });

  test("reports a damaged page with its place, and serves the others", async () => {
    const rig = await open("deflate");
    write(rig.space(1), ALL, 1);
    await rig.checkpoint();
    const [path = ""] = await rig.chunkFiles();
    const bytes = rig.world.disk.contents(path) ?? new Uint8Array();
    bytes[150] = (bytes[150] ?? 0) ^ 1;
    rig.world.disk.replace(path, bytes);
    const space = rig.space(1);
    const snapshot = space.pin(space.newestLsn);
    expect(() => space.read(snapshot, pageNumber(1))).toThrow(/page 1 .*byte 128/);
    expect(Buffer.compare(space.read(snapshot, pageNumber(2)), image(2, 1))).toBe(0);
  });

  test("refuses a chunk with a codec that it does not know as newer, not as damage", async () => {
    const rig = await open("deflate");
    write(rig.space(1), ALL, 1);
    await rig.checkpoint();
    const [path = ""] = await rig.chunkFiles();
    const bytes = rig.world.disk.contents(path) ?? new Uint8Array();
    rig.world.disk.replace(path, withCodec(bytes, 9));
    const space = rig.space(1);
    const snapshot = space.pin(space.newestLsn);
    const code = expect.objectContaining({ code: "BOP_FORMAT" });
    expect(() => space.read(snapshot, pageNumber(1))).toThrow(code);
  });
});
