import { describe, expect, test } from "vitest";
import { type Lsn, lsn } from "../../base/units.ts";
import { MemoryPageSpace } from "../../page-store/index.ts";
import type { SqliteConnection } from "../api.ts";
import { writeLock } from "../engine.ts";
import { LOCK_NONE, LOCK_RESERVED, LOCK_SHARED } from "../wasm/abi.ts";
import { MainFile } from "./main-file.ts";

const PAGE_BYTES = 512;
const STAMP = { address: 0, bytes: 16, offset: 24 };

/** A first page with the given counter, for one page in all. */
function firstPage(counter: number): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  view.setUint16(16, PAGE_BYTES);
  view.setUint32(24, counter);
  view.setUint32(28, 1);
  view.setUint32(92, counter);
  return page;
}

/** Commits page 1 behind the back of whoever has the file open. */
function swap(space: MemoryPageSpace, page: Uint8Array): Lsn {
  const base = space.pin(space.newestLsn);
  const pages = new Map([[1, page]]);
  const staged = space.stage({ base, pageCount: 1, pageBytes: PAGE_BYTES, pages });
  space.unpin(base);
  return staged.seal();
}

function open(space: MemoryPageSpace) {
  const state = { horizon: lsn(Number.MAX_SAFE_INTEGER) };
  const horizon = () => state.horizon;
  const file = new MainFile({ space, locks: writeLock(), horizon, admit: () => {} });
  file.owner = {} as SqliteConnection;
  const stamp = () => {
    file.lock(LOCK_SHARED);
    const into = new Uint8Array(16);
    expect(file.read(into, STAMP)).toBe(0);
    file.unlock(LOCK_NONE);
    return Buffer.from(into).toString("hex");
  };
  return { file, state, stamp };
}

const write = (file: MainFile, page: Uint8Array) =>
  file.write(page, { address: 0, bytes: PAGE_BYTES, offset: 0 });

describe("what the pager is told of its cache", () => {
  test("stays the same while the snapshot does", () => {
    const space = new MemoryPageSpace();
    swap(space, firstPage(7));
    const { stamp } = open(space);
    const first = stamp();
    expect(first.slice(0, 8)).toBe("00000007");
    expect([stamp(), stamp()]).toEqual([first, first]);
  });

  test("differs when the snapshot is another, though the change counter is the same", () => {
    const space = new MemoryPageSpace();
    swap(space, firstPage(7));
    const { stamp } = open(space);
    const first = stamp();
    swap(space, firstPage(7));
    const second = stamp();
    expect(second).not.toBe(first);
    expect(stamp()).toBe(first); // Page 1 has been read since, and says this of itself.
    swap(space, firstPage(7));
    expect([first, second]).not.toContain(stamp());
  });

  test("differs too when the snapshot goes back in time", () => {
    const space = new MemoryPageSpace();
    const old = swap(space, firstPage(7));
    swap(space, firstPage(7));
    const { stamp, state } = open(space);
    const first = stamp();
    state.horizon = old;
    expect(stamp()).not.toBe(first);
  });

  test("is what a commit of its own wrote", () => {
    const space = new MemoryPageSpace();
    const { file, stamp } = open(space);
    file.lock(LOCK_SHARED);
    file.lock(LOCK_RESERVED);
    write(file, firstPage(1));
    file.stage();
    file.seal();
    file.unlock(LOCK_NONE);
    expect(stamp().slice(0, 8)).toBe("00000001");
  });
});

describe("a transaction", () => {
  const begun = () => {
    const space = new MemoryPageSpace();
    swap(space, firstPage(7));
    const { file } = open(space);
    file.lock(LOCK_SHARED);
    file.lock(LOCK_RESERVED);
    return { space, file };
  };

  test("whose first page has its old counter again is a roll-back, and stages nothing", () => {
    const { space, file } = begun();
    const { newestLsn } = space;
    write(file, firstPage(8));
    write(file, firstPage(7));
    file.stage();
    file.unlock(LOCK_NONE);
    expect(space.newestLsn).toBe(newestLsn);
    expect(space.pinned).toBe(0);
  });

  test("that writes after its sync must sync again before it is sealed", () => {
    const { file } = begun();
    write(file, firstPage(8));
    file.stage();
    write(file, firstPage(9));
    expect(() => file.seal()).toThrow("not synced");
    file.stage();
    file.seal();
    file.unlock(LOCK_NONE);
  });

  test("that is staged twice without a write between is staged once", () => {
    const { space, file } = begun();
    write(file, firstPage(8));
    file.stage();
    file.stage();
    file.seal();
    file.unlock(LOCK_NONE);
    expect(file.lastCommitLsn).toBe(space.newestLsn);
  });

  test("writes nothing without the write lock", () => {
    const { file } = open(new MemoryPageSpace());
    file.lock(LOCK_SHARED);
    expect(() => write(file, firstPage(1))).toThrow("without the write lock");
    file.unlock(LOCK_NONE);
  });
});
