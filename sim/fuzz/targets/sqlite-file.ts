/** DECODERS OF OTHER PEOPLE'S FILES: SQLite databases and their -wal files. */
import type { File, Storage } from "../../../src/base/env.ts";
import { decodeHeader, pageOneForRollback } from "../../../src/sqlite-file/header.ts";
import { openSqliteFile, walkPages } from "../../../src/sqlite-file/index.ts";
import {
  WAL_FILE_HEADER,
  WAL_FRAME_HEADER,
  WalFileScan,
} from "../../../src/sqlite-file/wal-file.ts";
import { type FuzzTarget, holds, isRefusal } from "../target.ts";

const PAGE_BYTES = 512;
const MAIN_PAGES = 2;
const MAIN_BYTES = MAIN_PAGES * PAGE_BYTES;
const SALTS = [0x11223344, 0x55667788] as const;

/** The first bytes are the main file, the others its -wal file. */
export const sqliteFile: FuzzTarget = {
  name: "sqlite-file",
  bytesMax: 8192,
  seeds: () => {
    const wal = walFile(2);
    const main = mainFile();
    return [main, new Uint8Array(Buffer.concat([main, wal]))];
  },
  mend: mendWal,
  async check(bytes) {
    const main = bytes.subarray(0, MAIN_BYTES);
    const decoded = decodeHeader(main);
    holds(decoded.type.length > 0, "a header has an answer");
    const scanned = WalFileScan.open(bytes.subarray(MAIN_BYTES));
    holds(scanned === undefined || scanned.pageBytes >= PAGE_BYTES, "pages have a size");
    const files = new Map([["db", main]]);
    if (bytes.length > MAIN_BYTES) files.set("db-wal", bytes.subarray(MAIN_BYTES));
    try {
      const file = await openSqliteFile(storageOf(files), "db");
      const last = Math.min(file.pageCount, 8);
      holds(file.pageCount * file.pageBytes <= 2 ** 40, "a size that a file can have");
      const images = await file.pages(1, last);
      holds(images.length === last, "every page is there");
      await file.assertUnchanged();
      await file.close();
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  },
};

export const pageOne: FuzzTarget = {
  name: "sqlite-page-one",
  bytesMax: 1024,
  seeds: () => [mainFile().slice(0, PAGE_BYTES)],
  check(bytes) {
    if (bytes.length < 100) return;
    const image = pageOneForRollback(bytes.slice());
    holds(image.length === bytes.length, "a page keeps its size");
  },
};

/** A database as its pages lie in the file, all of one size. Real ones are in the corpus. */
export const pageWalk: FuzzTarget = {
  name: "sqlite-page-walk",
  bytesMax: 8192,
  seeds: () => [mainFile().slice(0, PAGE_BYTES), mainFile()],
  words: ["\x02", "\x05", "\x0a", "\x0d"],
  mend(bytes) {
    if (bytes.length < MAIN_BYTES) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    view.setUint16(16, PAGE_BYTES);
    view.setUint32(28, Math.floor(bytes.length / PAGE_BYTES));
  },
  check(bytes) {
    const pageCount = Math.floor(bytes.length / PAGE_BYTES);
    const walk = walkPages({ pageBytes: PAGE_BYTES, pageCount });
    const image = new Uint8Array(PAGE_BYTES);
    const asked = new Map<number, number>();
    for (let step = walk.next(); ; step = walk.next(image)) {
      if (step.done === true) {
        holds(step.value.type === "sound" || step.value.page >= 0, "an answer names a page");
        return;
      }
      const page = step.value;
      holds(page >= 1 && page <= pageCount, "only pages of the file are asked for");
      // Page 1 for its header and as a page of the schema.
      asked.set(page, (asked.get(page) ?? 0) + 1);
      holds((asked.get(page) ?? 0) <= (page === 1 ? 2 : 1), "no page is asked for again");
      image.set(bytes.subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES));
    }
  },
};

function mainFile(): Uint8Array {
  const bytes = new Uint8Array(MAIN_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from("SQLite format 3\0"));
  view.setUint16(16, PAGE_BYTES);
  bytes.set([2, 2, 0, 64, 32, 32], 18);
  view.setUint32(24, 7);
  view.setUint32(28, MAIN_PAGES);
  view.setUint32(44, 4);
  view.setUint32(56, 1);
  view.setUint32(92, 7);
  bytes[100] = 13;
  return bytes;
}

/** A -wal file whose every frame is a commit of the whole database. */
function walFile(frames: number): Uint8Array {
  const frameBytes = WAL_FRAME_HEADER.sizeBytes + PAGE_BYTES;
  const bytes = new Uint8Array(WAL_FILE_HEADER.sizeBytes + frames * frameBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x377f0682);
  view.setUint32(4, 3007000);
  view.setUint32(8, PAGE_BYTES);
  view.setUint32(16, SALTS[0]);
  view.setUint32(20, SALTS[1]);
  for (let index = 0; index < frames; index += 1) {
    const at = WAL_FILE_HEADER.sizeBytes + index * frameBytes;
    view.setUint32(at, index + 1);
    view.setUint32(at + 4, MAIN_PAGES);
    view.setUint32(at + 8, SALTS[0]);
    view.setUint32(at + 12, SALTS[1]);
    if (index === 0) bytes.set(mainFile().subarray(0, PAGE_BYTES), at + WAL_FRAME_HEADER.sizeBytes);
  }
  const whole = new Uint8Array(Buffer.concat([new Uint8Array(MAIN_BYTES), bytes]));
  mendWal(whole);
  return whole.slice(MAIN_BYTES);
}

/** The running checksums of the -wal file, little-endian words, for pages of one size. */
function mendWal(bytes: Uint8Array): void {
  const wal = bytes.subarray(MAIN_BYTES);
  if (wal.length < WAL_FILE_HEADER.sizeBytes) return;
  const view = new DataView(wal.buffer, wal.byteOffset, wal.length);
  let [one, two] = [0, 0];
  const add = (from: number, to: number): void => {
    for (let at = from; at + 8 <= to; at += 8) {
      one = (one + view.getUint32(at, true) + two) >>> 0;
      two = (two + view.getUint32(at + 4, true) + one) >>> 0;
    }
  };
  add(0, 24);
  view.setUint32(24, one);
  view.setUint32(28, two);
  const frameBytes = WAL_FRAME_HEADER.sizeBytes + PAGE_BYTES;
  for (let at = WAL_FILE_HEADER.sizeBytes; at + frameBytes <= wal.length; at += frameBytes) {
    add(at, at + 8);
    add(at + WAL_FRAME_HEADER.sizeBytes, at + frameBytes);
    view.setUint32(at + 16, one);
    view.setUint32(at + 20, two);
  }
}

/** Files that are only read. */
function storageOf(files: ReadonlyMap<string, Uint8Array>): Storage {
  const read = (bytes: Uint8Array, into: Uint8Array, at: number): number => {
    const part = bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  };
  const absent = () => Object.assign(new Error("no such file"), { code: "ENOENT" });
  return {
    stat: async (path: string) => {
      const bytes = files.get(path);
      return bytes && { kind: "file", bytes: bytes.length };
    },
    open: async (path: string) => {
      const bytes = files.get(path);
      if (bytes === undefined) throw absent();
      return {
        read: async (into: Uint8Array, at: number) => read(bytes, into, at),
        size: async () => bytes.length,
        close: async () => undefined,
      } as unknown as File;
    },
  } as unknown as Storage;
}
