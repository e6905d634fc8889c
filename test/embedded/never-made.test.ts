/** Directories in which a first opening was cut off by a power cut. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { Manager } from "../../src/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";
import { temporaryDirectory } from "../support/store.ts";

const HEADER_BYTES = 8192;
/** The file has its length, and nothing of what was written to it. */
const TORN = new Uint8Array(HEADER_BYTES);

async function tornIn(folder: "owner" | "manifest"): Promise<string> {
  const directory = join(await temporaryDirectory(), "store");
  await mkdir(join(directory, folder), { recursive: true });
  await writeFile(join(directory, folder, "data.mdb"), TORN);
  return directory;
}

async function makeAndUse(directory: string): Promise<void> {
  const manager = await Manager.open({ directory });
  const notes = await manager.database("notes");
  await notes.exec("create table if not exists note (body text); insert into note values ('one')");
  await manager.close();
}

beforeEach(() => prepareEngines("sqlite", 2));

describe.each(["owner", "manifest"] as const)("a torn %s", (folder) => {
  test("of a store that was never made is made anew", async () => {
    const directory = await tornIn(folder);
    await makeAndUse(directory);
    const manager = await Manager.open({ directory });
    const notes = await manager.database("notes", { create: false });
    expect(await notes.prepare("select body from note").pluck().all()).toEqual(["one"]);
    await manager.close();
  });

  test.each(["superblock", "manifest.mirror", "wal/0000000000000001.wal", "chunks/00"])(
    "beside a %s is damage, and stays as it is",
    async (name) => {
      const directory = await tornIn(folder);
      for (const each of ["wal", "chunks"]) await mkdir(join(directory, each));
      await writeFile(join(directory, name), "something");
      await expect(Manager.open({ directory })).rejects.toMatchObject({ code: "BOP_CORRUPT" });
      const file = join(directory, folder, "data.mdb");
      expect(await readFile(file)).toEqual(Buffer.from(TORN));
    },
  );

  test("of a store that was used is damage", async () => {
    const directory = join(await temporaryDirectory(), "store");
    await makeAndUse(directory);
    await rm(join(directory, folder, "lock.mdb"));
    const file = join(directory, folder, "data.mdb");
    const bytes = (await readFile(file)).fill(0, 0, HEADER_BYTES);
    await writeFile(file, bytes);
    await expect(Manager.open({ directory })).rejects.toMatchObject({ code: "BOP_CORRUPT" });
    expect(await readFile(file)).toEqual(bytes);
  });
});
