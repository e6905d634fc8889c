import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SAMPLE_COUNTS, sampleStatements } from "../../examples/sample/chinook-like.ts";
import { Manager } from "../../src/manager/index.ts";
import { bopHere } from "./bop-here.ts";

/** Real databases, and something that is known of each. The packages are Debian's. */
const REAL_FILES = [
  ["proj-data", "/usr/share/proj/proj.db", "select count(*) > 100 from crs_view"],
  ["ibus-table-wubi", "/usr/share/ibus-table/tables/wubi-jidian86.db", phrases(10_000)],
  ["ibus-table-wubi", "/usr/share/ibus-table/tables/wubi-haifeng86.db", phrases(10_000)],
  ["ibus-libpinyin", "/usr/share/ibus-libpinyin/db/english.db", "select count(*) > 0 from english"],
  ["ibus-libpinyin", "/usr/share/ibus-libpinyin/db/table.db", "select count(*) > 0 from phrases"],
] as const;

const FIXTURES = "test/fixtures/sqlite-file";
const hasSqlite3 = isThere("sqlite3", () => execFileSync("sqlite3", ["--version"]));

// On machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder = "";
let manager: Manager;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-import-"));
  manager = await Manager.open({ directory: join(folder, "store") });
});
afterAll(async () => {
  await manager.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.runIf(hasSqlite3)("a SQLite file through the store and out again", () => {
  // evidence: G11
  test.for(REAL_FILES)("%s: %s dumps the same as before", async ([, path, question], { skip }) => {
    skip(!isThere(path, () => statSync(path)), `${path} is not installed`);
    await roundTrip(path, question);
  });

  // evidence: G11
  test("the record shop, made by sqlite3, dumps the same as before", async () => {
    const path = join(folder, "shop.sqlite");
    sqlite3(path, ["begin;", ...sampleStatements(), "commit;"].join("\n"));
    await roundTrip(path, `select count(*) = ${SAMPLE_COUNTS.track} from track`);
  });

  test("the record shop, made by the engine, is what sqlite3 makes of it", async () => {
    const made = await manager.database("made-here");
    await made.transaction(async (tx) => {
      for (const statement of sampleStatements()) await tx.exec(statement);
    });
    const ours = join(folder, "made-here.sqlite");
    await made.export(ours);
    const theirs = join(folder, "made-there.sqlite");
    sqlite3(theirs, ["begin;", ...sampleStatements(), "commit;"].join("\n"));
    expect(dump(ours, WITHOUT_INDEX_SEGMENTS)).toBe(dump(theirs, WITHOUT_INDEX_SEGMENTS));
    expect(sqlite3(ours, "pragma integrity_check;")).toBe("ok\n");
    const search = "select count(*) from track_search('golden');";
    expect(sqlite3(ours, search)).toBe(sqlite3(theirs, search));
  });

  test("what lies in the -wal file alone is imported, too", async () => {
    const path = join(folder, "wal.sqlite");
    copyFileSync(`${FIXTURES}/wal.sqlite`, path);
    copyFileSync(`${FIXTURES}/wal.sqlite-wal`, `${path}-wal`);
    const before = [readFileSync(path), readFileSync(`${path}-wal`)];
    await manager.import(path, "wal");
    expect([readFileSync(path), readFileSync(`${path}-wal`)]).toEqual(before);
    const wal = await manager.database("wal", { create: false });
    expect(await wal.prepare("select body from note where id = 80").pluck().get()).toBe("newest");
    const out = join(folder, "wal-out.sqlite");
    await wal.export(out);
    expect(dump(out)).toBe(dump(`${FIXTURES}/wal.checkpointed.sqlite`));
  });

  test.each([512, 1024, 65536])("pages of %i bytes go in and out", async (pageBytes) => {
    const path = join(folder, `pages-${pageBytes}.sqlite`);
    sqlite3(path, `pragma page_size = ${pageBytes}; ${NOTES}`);
    const exported = await roundTrip(path, "select count(*) = 40 from note");
    expect(sqlite3(exported, "pragma page_size;")).toBe(`${pageBytes}\n`);
  });

  test("what was changed after the import is in the export", async () => {
    const path = join(folder, "changed.sqlite");
    sqlite3(path, NOTES);
    await manager.import(path, "changed");
    const database = await manager.database("changed", { create: false });
    await database.exec("update note set body = 'new' where id = 3; vacuum;");
    const out = join(folder, "changed-out.sqlite");
    await database.export(out);
    sqlite3(path, "update note set body = 'new' where id = 3; vacuum;");
    expect(dump(out)).toBe(dump(path));
  });
});

describe("what cannot be imported is refused with the reason, and nothing is there after it", () => {
  test.each([
    [
      "not a database",
      () => written("text.db", Buffer.alloc(4096, "text")),
      /not a SQLite database/,
    ],
    ["UTF-16", () => `${FIXTURES}/utf16.sqlite`, /UTF-16/],
    ["truncated", () => written("cut.db", plain().subarray(0, 2048)), /truncated/],
    ["a hot journal", () => `${FIXTURES}/hot.sqlite`, /transaction was under way/],
    ["damaged", damaged, /damaged|malformed/],
    ["missing", () => join(folder, "nowhere.db"), /no such file/],
  ])("%s", async (_what, make, why) => {
    const error = await manager.import(make(), "refused").catch((refused: unknown) => refused);
    expect(error).toMatchObject({
      code: "BOP_IMPORT",
      details: { why: expect.stringMatching(why) },
    });
    expect(await manager.list({ prefix: "refused" })).toEqual([]);
  });

  test.runIf(hasSqlite3)("a virtual table of a module that the engine lacks is named", async () => {
    const path = join(folder, "fts3.sqlite");
    sqlite3(path, "create virtual table words using fts3 (body); insert into words values ('a');");
    const modules = await (await manager.database("modules"))
      .prepare("select name from pragma_module_list")
      .pluck<string>()
      .all();
    if (modules.includes("fts3")) {
      await manager.import(path, "refused");
      await manager.drop("refused");
      return;
    }
    await expect(manager.import(path, "refused")).rejects.toMatchObject({
      code: "BOP_IMPORT",
      details: { why: expect.stringContaining("fts3") },
    });
    expect(await manager.list({ prefix: "refused" })).toEqual([]);
  });

  // evidence: G10
  test("a name that is taken stays what it was", async () => {
    const taken = await manager.database("taken");
    await taken.exec("create table mine (a)");
    const path = `${FIXTURES}/plain.sqlite`;
    await expect(manager.import(path, "taken")).rejects.toMatchObject({ code: "BOP_EXISTS" });
    expect(await taken.prepare("select count(*) from mine").pluck().get()).toBe(0);
  });

  // evidence: G10
  test("an export leaves a file that is there alone", async () => {
    const there = written("there.sqlite", Buffer.from("mine"));
    const database = await manager.database("leaves-alone");
    await expect(database.export(there)).rejects.toMatchObject({ code: "BOP_EXISTS" });
    expect(readFileSync(there, "utf8")).toBe("mine");
  });
});

test("the command line imports and exports with the same outcome", async () => {
  const directory = join(folder, "by-command");
  const out = join(folder, "by-command.sqlite");
  const at = ["--directory", directory];
  const imported = await bopHere([
    "import",
    `${FIXTURES}/plain.sqlite`,
    "--as",
    "plain",
    ...at,
    "--json",
  ]);
  expect(imported).toMatchObject({ exitCode: 0, stderr: "" });
  expect(JSON.parse(imported.stdout).imported).toMatchObject({ name: "plain", sizeBytes: 3584 });
  const exported = await bopHere(["export", "plain", out, ...at]);
  expect(exported).toMatchObject({ exitCode: 0, stderr: "" });
  expect(hash(readFileSync(out))).toBe(hash(plain()));
  const again = await bopHere(["export", "plain", out, ...at]);
  expect(again.exitCode).toBe(1);
  expect(again.stderr).toMatch(/\(BOP_EXISTS\)/);
  const refused = await bopHere(["import", `${FIXTURES}/utf16.sqlite`, "--as", "utf16", ...at]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(/^bop: .*UTF-16.*\(BOP_IMPORT\)\n/);
});

const NOTES = `
  create table note (id integer primary key, body text not null);
  create index note_body on note (body);
  with recursive n (i) as (select 1 union all select i + 1 from n where i < 40)
  insert into note select i, printf('note %03d', i) from n;`;

/** How FTS5 splits its index depends on its version; the documents do not. */
const WITHOUT_INDEX_SEGMENTS = /^INSERT INTO track_search_(?:data|idx).*\n/gm;

/** Imports, asks (the answer must be 1), exports, compares. Returns the exported file. */
async function roundTrip(path: string, question: string): Promise<string> {
  const name = basename(path);
  const progress: number[] = [];
  await manager.import(path, name, { onProgress: (done, total) => progress.push(done / total) });
  expect(progress.at(-1)).toBe(1);
  const database = await manager.database(name, { create: false });
  expect(await database.prepare(question).pluck().get()).toBe(1);
  const out = join(folder, `${name}.exported`);
  await database.export(out);
  await database.close();
  expect(sqlite3(out, "pragma integrity_check;")).toBe("ok\n");
  expect(hash(dump(out))).toBe(hash(dump(path)));
  return out;
}

function dump(path: string, without?: RegExp): string {
  const text = sqlite3(`file:${path}?immutable=1`, ".dump");
  return without === undefined ? text : text.replaceAll(without, "");
}

function sqlite3(file: string, input: string): string {
  const options = { input, encoding: "utf8", maxBuffer: 2 ** 30 } as const;
  return execFileSync("sqlite3", ["-bail", file], options);
}

function hash(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** In CI everything must be there; elsewhere what is missing is named and left out. */
function isThere(what: string, look: () => unknown): boolean {
  try {
    look();
    return true;
  } catch (error) {
    if (["1", "true"].includes(process.env.CI ?? "")) throw error;
    console.warn(`left out: ${what} is not installed (apt-get install, see .ci/run)`);
    return false;
  }
}

function phrases(least: number): string {
  return `select count(*) > ${least} from phrases`;
}

function plain(): Buffer {
  return readFileSync(`${FIXTURES}/plain.sqlite`);
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** A file whose header is right and whose table is overwritten. */
function damaged(): string {
  const bytes = plain();
  bytes.fill(0xa5, 3 * 512, 5 * 512);
  return written("damaged.db", bytes);
}
