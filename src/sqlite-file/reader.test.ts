import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isStorageError } from "../base/errors.ts";
import { systemEnv } from "../io/index.ts";
import { pageOneForRollback } from "./header.ts";
import { openSqliteFile } from "./reader.ts";

const FIXTURES = "test/fixtures/sqlite-file";
let folder = "";
let made = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bop-sqlite-file-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("reading a SQLite file", () => {
  test("a file in rollback mode is handed out as it is", async () => {
    expect(await readAll(fixture("plain"))).toEqual(readFileSync(`${FIXTURES}/plain.sqlite`));
  });

  test("pages that lie in the -wal file alone are what a checkpoint would make of them", async () => {
    const checkpointed = readFileSync(`${FIXTURES}/wal.checkpointed.sqlite`);
    const expected = Buffer.concat([
      pageOneForRollback(checkpointed.subarray(0, 512)),
      checkpointed.subarray(512),
    ]);
    expect(await readAll(fixture("wal"))).toEqual(expected);
  });

  test("a -wal file torn before its first commit leaves the file without it", async () => {
    const path = fixture("wal");
    writeFileSync(`${path}-wal`, readFileSync(`${path}-wal`).subarray(0, 800));
    const bytes = await readAll(path);
    expect(bytes.subarray(512)).toEqual(readFileSync(path).subarray(512));
  });

  test("a part of the pages is the same as that part of all", async () => {
    const path = fixture("wal");
    const all = await readAll(path);
    const file = await open(path);
    const part = Buffer.concat(await file.pages(3, 5));
    await file.close();
    expect(part).toEqual(all.subarray(2 * 512, 5 * 512));
  });

  test("what lies behind the pages of the database is left out", async () => {
    const path = fixture("plain");
    appendFileSync(path, Buffer.alloc(700, 1));
    expect(await readAll(path)).toEqual(readFileSync(`${FIXTURES}/plain.sqlite`));
  });

  test.each([
    ["a hot journal", () => fixture("hot"), /a transaction was under way.*sqlite3 .*'select 1'/],
    ["UTF-16 text", () => fixture("utf16"), /UTF-16/],
    ["a truncated file", () => cut(fixture("plain"), 3000), /of 7 pages, page 6 is missing/],
    ["a file cut in its first page", headOf, /of 1 pages, page 1 is missing/],
    ["a file cut in its header", () => cut(fixture("plain"), 60), /not a SQLite database/],
    ["an empty file", () => cut(fixture("plain"), 0), /it is empty/],
    ["a missing file", () => join(folder, "nowhere"), /no such file/],
    ["a directory", () => folder, /not a file/],
    ["a foreign -wal file", foreignWal, /belongs to another database/],
  ])("%s is refused with the reason and the file's name", async (_what, make, why) => {
    const path = make();
    const error = await open(path).catch((refused: unknown) => refused);
    expect(isStorageError(error, "BOP_IMPORT") && error.details.file).toBe(path);
    expect(isStorageError(error, "BOP_IMPORT") && error.details.why).toMatch(why);
  });

  test("a journal that was ended by truncating or zeroing it is not hot", async () => {
    const path = fixture("plain");
    writeFileSync(`${path}-journal`, Buffer.alloc(512));
    expect((await readAll(path)).length).toBe(7 * 512);
    writeFileSync(`${path}-journal`, "");
    expect((await readAll(path)).length).toBe(7 * 512);
  });

  test("a commit by another program while the pages are read is noticed", async () => {
    for (const change of [bumpChangeCounter, appendToWal, addJournal]) {
      const path = fixture("wal");
      const whole = readFileSync(`${path}-wal`);
      writeFileSync(`${path}-wal`, whole.subarray(0, whole.length - 536));
      const file = await open(path);
      await file.assertUnchanged();
      change(path, whole);
      await expect(file.assertUnchanged()).rejects.toMatchObject({ code: "BOP_IMPORT" });
      await file.close();
    }
  });

  test("closing twice is closing once", async () => {
    const file = await open(fixture("wal"));
    await file.close();
    await file.close();
  });

  test("damage anywhere is a reason or pages of the right size, never a crash", async () => {
    const path = fixture("wal");
    const [main, wal] = [readFileSync(path), readFileSync(`${path}-wal`)];
    const damage = fc.record({ at: fc.nat(main.length + wal.length - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 8 }), async (places) => {
        const bytes = Buffer.concat([main, wal]);
        for (const { at, byte } of places) bytes.writeUInt8(byte, at);
        writeFileSync(path, bytes.subarray(0, main.length));
        writeFileSync(`${path}-wal`, bytes.subarray(main.length));
        const outcome = await readAll(path).catch((error: unknown) => error);
        if (Buffer.isBuffer(outcome)) expect(outcome.length % 512).toBe(0);
        else expect(isStorageError(outcome, "BOP_IMPORT")).toBe(true);
      }),
    );
  });
});

function open(path: string) {
  return openSqliteFile(systemEnv({ scratchDirectory: folder }).storage, path);
}

async function readAll(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const images = await file.pages(1, file.pageCount);
    expect(images.every((image) => image.length === file.pageBytes)).toBe(true);
    await file.assertUnchanged();
    return Buffer.concat(images);
  } finally {
    await file.close();
  }
}

/** A private copy of a fixture with what lies beside it. */
function fixture(name: string): string {
  made += 1;
  const path = join(folder, `${name}-${made}.sqlite`);
  copyFileSync(`${FIXTURES}/${name}.sqlite`, path);
  if (name === "wal") copyFileSync(`${FIXTURES}/wal.sqlite-wal`, `${path}-wal`);
  if (name === "hot") copyFileSync(`${FIXTURES}/hot.sqlite-journal`, `${path}-journal`);
  return path;
}

function cut(path: string, bytes: number): string {
  writeFileSync(path, readFileSync(path).subarray(0, bytes));
  return path;
}

/** Less than a page, by a writer too old to keep the size in the header. */
function headOf(): string {
  const path = cut(fixture("plain"), 300);
  const bytes = readFileSync(path);
  bytes.writeUInt32BE(bytes.readUInt32BE(24) + 1, 92);
  writeFileSync(path, bytes);
  return path;
}

/** A file of 1024-byte pages beside a -wal file of 512-byte pages. */
function foreignWal(): string {
  const path = fixture("plain");
  const main = readFileSync(path);
  main.writeUInt16BE(1024, 16);
  writeFileSync(path, main);
  copyFileSync(`${FIXTURES}/foreign.sqlite-wal`, `${path}-wal`);
  return path;
}

function bumpChangeCounter(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt32BE(bytes.readUInt32BE(24) + 1, 24);
  writeFileSync(path, bytes);
}

function appendToWal(path: string, whole: Buffer): void {
  writeFileSync(`${path}-wal`, whole);
}

function addJournal(path: string): void {
  copyFileSync(`${FIXTURES}/hot.sqlite-journal`, `${path}-journal`);
}
