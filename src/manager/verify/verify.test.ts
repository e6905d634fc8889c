import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FILE_HEADER } from "../../chunk/index.ts";
import { systemEnv } from "../../io/index.ts";
import { openLmdbStore } from "../../manifest/index.ts";
import { SUPERBLOCK } from "../../page-store/index.ts";
import { BATCH_HEADER, BLOCK_BYTES, decodeSegmentHeader, segmentItems } from "../../wal/index.ts";
import { Manager } from "../manager.ts";
import { FileSource } from "../transfer/file-source.ts";
import type { Finding } from "./findings.ts";
import { repairStore } from "./repair.ts";
import { deadEnv, verified } from "./verify.fixture.ts";
import { verifyStore } from "./verify.ts";

let folder = "";
/** A store as a crash leaves it: chunks, and log above them. */
let crashed = "";
let clean = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-verify-"));
  clean = join(folder, "clean");
  crashed = join(folder, "crashed");
  const manager = await Manager.open({ directory: clean, segmentBytes: 1024 * 1024 });
  for (const name of ["alpha", "beta"]) {
    const database = await manager.database(name);
    await database.exec("create table t (id integer primary key, x text)");
    for (let row = 0; row < 30; row += 1) await database.exec("insert into t (x) values ('row')");
  }
  await manager.checkpoint();
  const alpha = await manager.database("alpha");
  for (let row = 0; row < 30; row += 1) await alpha.exec("insert into t (x) values ('later')");
  const gone = await manager.database("gone");
  await gone.exec("create table z (a)");
  await manager.drop("gone");
  cpSync(clean, crashed, { recursive: true });
  await manager.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let copies = 0;
function copyOf(store: string): string {
  copies += 1;
  const directory = join(folder, `copy-${copies}`);
  cpSync(store, directory, { recursive: true });
  return directory;
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

function filesIn(directory: string, under: string): string[] {
  const names = readdirSync(join(directory, under), { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.(wal|chunk)$/.test(name)).map((name) => join(under, name));
}

/** Where batches begin in the oldest segment, and where the last of them ends. */
async function batchesOf(directory: string) {
  const files = filesIn(directory, "wal").sort();
  for (const file of files) {
    const source = await FileSource.open(deadEnv(directory).storage, join(directory, file));
    const { type } = decodeSegmentHeader(source.view(0, BLOCK_BYTES));
    const offsets = [...segmentItems(source, {})]
      .filter((item) => item.type === "batch")
      .map(({ offset }) => offset);
    await source.close();
    if (type === "header" && offsets.length > 8) return { file, offsets };
  }
  throw new Error("no segment has batches");
}

const damages = (findings: readonly Finding[]) =>
  findings.filter(({ level }) => level === "damage");

describe("a sound store", () => {
  test("has no finding after a clean stop, and everything in it was read", async () => {
    const report = await verified(clean);
    expect(report).toMatchObject({ isSound: true, findings: [] });
    expect(report.checked.pages).toBeGreaterThan(2);
    expect(report.checked.batches).toBeGreaterThan(30);
  });

  test("after a crash has its commits put together and their deltas made", async () => {
    const report = await verified(crashed);
    expect(damages(report.findings)).toEqual([]);
    expect(report.checked.commits).toBeGreaterThan(30);
    expect(report.checked.deltas).toBeGreaterThan(20);
    expect(report.checked.deltasNotApplied).toBe(0);
  });

  test("that somebody has open is refused, and is left as it was", async () => {
    const env = systemEnv({ scratchDirectory: `${crashed}/tmp` });
    const owned = verifyStore({ env, directory: crashed, openKeyValueStore: openLmdbStore });
    // The owner that is written in the copy is this process.
    await expect(owned).rejects.toMatchObject({ code: "BOP_LOCKED" });
  });

  test("is not changed by being verified", async () => {
    const directory = copyOf(crashed);
    const files = [...filesIn(directory, "wal"), ...filesIn(directory, "chunks"), "superblock"];
    const sums = () => files.map((file) => crc32(readFileSync(join(directory, file))));
    const before = sums();
    const first = await verified(directory);
    expect(sums()).toEqual(before);
    expect(await verified(directory)).toEqual({ ...first, directory });
  });
});

describe("a store with a transaction larger than memory", () => {
  // evidence: G4
  test("its spilled pages are verified where they lie, and missed when they are gone", async () => {
    const directory = join(folder, "spilled");
    const small = { transactionMemoryBytes: 64 * 1024, overlayBytes: 64 * 1024 * 1024 };
    const manager = await Manager.open({ directory, segmentBytes: 1024 * 1024, ...small });
    const big = await manager.database("big");
    await big.exec("create table t (x)");
    await big.transaction(async (tx) => {
      for (let row = 0; row < 400; row += 1) await tx.exec("insert into t values (zeroblob(1500))");
    });
    await big.exec("insert into t values (1)");
    const directoryNow = copyOf(directory);
    await manager.close();
    const sound = await verified(directoryNow);
    expect(sound.findings).toEqual([]);
    const [file = ""] = filesIn(directoryNow, "chunks");
    flip(join(directoryNow, file), FILE_HEADER.sizeBytes + 50);
    const flipped = damages((await verified(directoryNow)).findings);
    expect(flipped).toEqual([expect.objectContaining({ file, offset: FILE_HEADER.sizeBytes })]);
    rmSync(join(directoryNow, file));
    const [missing] = damages((await verified(directoryNow)).findings);
    expect(missing).toMatchObject({ file, what: expect.stringMatching(/missing.*large commit/) });
  });
});

describe("a store that logs full pages", () => {
  test("has no delta in its log, takes more of it, and reopens to the same", async () => {
    const seen = await Promise.all(
      [false, true].map(async (logFullPages) => {
        const directory = join(folder, `full-${logFullPages}`);
        const manager = await Manager.open({ directory, logFullPages });
        const notes = await manager.database("notes");
        await notes.exec("create table t (x)");
        for (let row = 0; row < 20; row += 1) await notes.exec("insert into t values ('row')");
        const copy = copyOf(directory);
        await manager.close();
        const { checked, findings } = await verified(copy);
        expect(findings).toEqual([]);
        const again = await Manager.open({ directory: copy, env: deadEnv(copy) });
        const count = (await again.database("notes")).prepare("select count(*) from t").pluck();
        expect(await count.get()).toBe(20);
        await again.close();
        return checked;
      }),
    );
    const [deltas, full] = seen;
    expect(deltas?.deltas).toBeGreaterThan(10);
    expect(full?.deltas).toBe(0);
    expect(full?.commits).toBe(deltas?.commits);
  });
});

describe("a repair", () => {
  const options = (directory: string) => ({
    env: deadEnv(directory),
    directory,
    openKeyValueStore: openLmdbStore,
  });

  test("says what is lost and changes no file before somebody agrees", async () => {
    const directory = copyOf(crashed);
    const { file, offsets } = await batchesOf(directory);
    flip(join(directory, file), (offsets.at(-6) ?? 0) + BATCH_HEADER.sizeBytes + 2);
    const before = crc32(readFileSync(join(directory, file)));
    const outcome = await repairStore({ ...options(directory), decide: async () => false });
    expect(outcome.type).toBe("declined");
    if (outcome.type !== "declined") return;
    const { damage, lost, keptLsn, lostToLsn } = outcome.loss;
    expect(damage).toMatchObject({ file: join(directory, file), offset: offsets.at(-6) });
    expect(lost.length).toBeGreaterThan(0);
    expect(lostToLsn).toBeGreaterThan(keptLsn);
    expect(crc32(readFileSync(join(directory, file)))).toBe(before);
  });

  // evidence: G4
  test("that was agreed to leaves a store that is sound, opens, and has what lay before", async () => {
    const directory = copyOf(crashed);
    const { file, offsets } = await batchesOf(directory);
    flip(join(directory, file), (offsets.at(-20) ?? 0) + BATCH_HEADER.sizeBytes + 2);
    await expect(Manager.open({ directory, env: deadEnv(directory) })).rejects.toMatchObject({
      code: "BOP_CORRUPT",
    });
    const outcome = await repairStore({ ...options(directory), decide: async () => true });
    expect(outcome.type).toBe("repaired");
    const manager = await Manager.open({ directory, env: deadEnv(directory) });
    const alpha = await manager.database("alpha");
    const rows = Number(await alpha.prepare("select count(*) from t").pluck().get());
    expect(rows).toBeGreaterThanOrEqual(30);
    expect(rows).toBeLessThan(60);
    await alpha.exec("insert into t (x) values ('after the repair')");
    await manager.close();
    expect(damages((await verified(directory)).findings)).toEqual([]);
  });

  test("of a sound store finds nothing to do", async () => {
    const directory = copyOf(crashed);
    const outcome = await repairStore({ ...options(directory), decide: async () => true });
    expect(outcome).toEqual({ type: "whole" });
  });
});

// evidence: G4
describe("a damaged store", () => {
  test("a flipped byte of a chunk is named with file, offset, page and database", async () => {
    const directory = copyOf(clean);
    const [file = ""] = filesIn(directory, "chunks");
    flip(join(directory, file), FILE_HEADER.sizeBytes + 100);
    const { isSound, findings } = await verified(directory);
    expect(isSound).toBe(false);
    const [found] = damages(findings);
    expect(found).toMatchObject({ file, offset: FILE_HEADER.sizeBytes, page: expect.any(Number) });
    expect(["alpha", "beta"]).toContain(found?.database);
  });

  test("a flipped byte anywhere else in a chunk is found: header, directory, footer", async () => {
    const directory = copyOf(clean);
    const [file = ""] = filesIn(directory, "chunks");
    const path = join(directory, file);
    const whole = readFileSync(path);
    for (const at of [9, 120, whole.length - 40, whole.length - 5]) {
      flip(path, at);
      const { findings } = await verified(directory);
      expect(
        damages(findings).map((each) => each.file),
        `byte ${at}`,
      ).toContain(file);
      writeFileSync(path, whole);
    }
  });

  test("a chunk that is gone is named with the databases that lose pages", async () => {
    const directory = copyOf(clean);
    for (const file of filesIn(directory, "chunks")) rmSync(join(directory, file));
    const { findings } = await verified(directory);
    const lost = damages(findings).map(({ database }) => database);
    expect(new Set(lost)).toEqual(new Set(["alpha", "beta"]));
  });

  test("a chunk that no row names is a note: the next open removes it", async () => {
    const directory = copyOf(clean);
    const [file = ""] = filesIn(directory, "chunks");
    const orphan = "chunks/ff/00000000000000ff.chunk";
    cpSync(join(directory, file), join(directory, orphan));
    const { isSound, findings } = await verified(directory);
    expect(isSound).toBe(true);
    expect(findings).toEqual([expect.objectContaining({ level: "note", file: orphan })]);
  });

  test("a flipped byte of a batch is named, and of a header of a segment", async () => {
    const directory = copyOf(crashed);
    const { file, offsets } = await batchesOf(directory);
    const path = join(directory, file);
    const whole = readFileSync(path);
    const middle = offsets.at(-4) ?? 0;
    for (const [at, offset] of [
      [middle + BATCH_HEADER.sizeBytes + 3, middle],
      [middle + 20, middle],
      [FILE_HEADER.offset.firstLsn, 0],
    ] as const) {
      flip(path, at);
      const { findings } = await verified(directory);
      expect(damages(findings), `byte ${at}`).toContainEqual(
        expect.objectContaining({ file, offset }),
      );
      writeFileSync(path, whole);
    }
  });

  test("a log that ends below what is recorded as durable is damage, not a torn tail", async () => {
    const directory = copyOf(crashed);
    const { file, offsets } = await batchesOf(directory);
    const bytes = readFileSync(join(directory, file));
    bytes.fill(0, offsets.at(4));
    writeFileSync(join(directory, file), bytes);
    const { findings } = await verified(directory);
    expect(
      damages(findings)
        .map(({ what }) => what)
        .join(),
    ).toMatch(/recorded as durable|reach to/);
  });

  test("a torn last batch is a note: nobody was told that it was there", async () => {
    const directory = copyOf(crashed);
    const { file, offsets } = await batchesOf(directory);
    const bytes = readFileSync(join(directory, file));
    const last = offsets.at(-1) ?? 0;
    bytes.fill(0, last + BATCH_HEADER.sizeBytes, last + BATCH_HEADER.sizeBytes + 8);
    writeFileSync(join(directory, file), bytes);
    const { findings } = await verified(directory);
    const torn = findings.filter((each) => each.file === file);
    expect(torn.length).toBeGreaterThan(0);
    for (const each of torn) expect(each.offset).toBe(last);
  });

  test("a segment that is gone is named", async () => {
    const directory = copyOf(crashed);
    const { file } = await batchesOf(directory);
    rmSync(join(directory, file));
    const { isSound, findings } = await verified(directory);
    expect(isSound).toBe(false);
    expect(damages(findings)).toContainEqual(expect.objectContaining({ file }));
  });

  test("a flipped byte of the superblock is named by its copy, and a lost one by its file", async () => {
    const directory = copyOf(clean);
    flip(join(directory, "superblock"), 2 * SUPERBLOCK.sizeBytes + 50);
    const { findings } = await verified(directory);
    const offset = 2 * SUPERBLOCK.sizeBytes;
    expect(damages(findings)).toEqual([expect.objectContaining({ file: "superblock", offset })]);
    rmSync(join(directory, "superblock"));
    const without = await verified(directory);
    expect(damages(without.findings)).toEqual([
      expect.objectContaining({ file: "superblock", what: "is missing" }),
    ]);
  });

  test("a flipped byte of the manifest's mirror is named", async () => {
    const directory = copyOf(clean);
    flip(join(directory, "manifest.mirror"), 200);
    const { findings } = await verified(directory);
    expect(damages(findings)).toEqual([expect.objectContaining({ file: "manifest.mirror" })]);
  });

  test("a flipped byte of a value of the manifest is named by its key", async () => {
    const directory = copyOf(clean);
    const path = join(directory, "manifest", "data.mdb");
    expect(existsSync(path)).toBe(true);
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf("beta"); at !== -1; at = bytes.indexOf("beta", at + 1)) {
      bytes[at] = "B".charCodeAt(0);
    }
    writeFileSync(path, bytes);
    const { isSound, findings } = await verified(directory);
    expect(isSound).toBe(false);
    expect(damages(findings)[0]).toMatchObject({
      file: "manifest",
      what: expect.stringMatching(/key 02.*checksum/),
    });
  });
});
