import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemEnv } from "../../io/index.ts";
import { openLmdbStore } from "../../manifest/index.ts";
import { Manager } from "../manager.ts";
import { verifyStore } from "./verify.ts";

let folder = "";
let whole = "";
/** File names of history: one that stayed where it was, and a copy. */
let files: { readonly segment: string; readonly copy: string };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-history-"));
  whole = join(folder, "whole");
  const manager = await Manager.open({ directory: whole, segmentBytes: 256 * 1024 });
  const database = await manager.database("alpha");
  await database.exec("create table t (x blob)");
  for (let n = 0; n < 12; n += 1) {
    await database.prepare("insert into t values (randomblob(60000))").run();
  }
  await manager.close();
  for (const value of ["a little", "and a little"]) {
    const again = await Manager.open({ directory: whole, segmentBytes: 256 * 1024 });
    await (await again.database("alpha")).prepare("insert into t values (?)").run(value);
    await again.close();
  }
  const names = await systemEnv({ scratchDirectory: whole }).storage.list(join(whole, "wal"));
  const [copy = ""] = names.filter((name) => name.endsWith(".history")).sort();
  const [segment = ""] = names.filter((name) => name.endsWith(".wal")).sort();
  files = { segment: join("wal", segment), copy: join("wal", copy) };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function verified(directory: string) {
  const env = systemEnv({ scratchDirectory: `${directory}/tmp` });
  return verifyStore({ env, directory, openKeyValueStore: openLmdbStore });
}

let copies = 0;
function copyOfStore(): string {
  copies += 1;
  const directory = join(folder, `copy-${copies}`);
  cpSync(whole, directory, { recursive: true });
  return directory;
}

describe("the history of a store that is verified", () => {
  test("is read to its end, and is sound", async () => {
    const { findings, checked, isSound } = await verified(whole);
    expect(findings).toEqual([]);
    expect(isSound).toBe(true);
    expect(checked.logBytes).toBeGreaterThan(700_000);
  });

  // evidence: G4
  test.each(["segment", "copy"] as const)(
    "is damage where a byte of a %s has changed, and the store opens all the same",
    async (kind) => {
      const directory = copyOfStore();
      const path = join(directory, files[kind]);
      const bytes = readFileSync(path);
      const at = 4096 + 56; // Behind the header of its first batch.
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      const { findings, isSound } = await verified(directory);
      expect(isSound).toBe(false);
      expect(findings).toMatchObject([{ level: "damage", file: files[kind], offset: 4096 }]);
      const manager = await Manager.open({ directory, segmentBytes: 256 * 1024 });
      const database = await manager.database("alpha");
      expect(await database.prepare("select count(*) from t").pluck().get()).toBe(14);
      await manager.close();
    },
  );

  test("is damage where a file is missing; a file that nothing names is a note", async () => {
    const directory = copyOfStore();
    rmSync(join(directory, files.segment));
    const stray = join("wal", "00000000000000ff.history");
    cpSync(join(directory, files.copy), join(directory, stray));
    const { findings } = await verified(directory);
    expect(findings).toMatchObject([
      { level: "damage", file: files.segment },
      { level: "note", file: stray },
    ]);
  });
});
