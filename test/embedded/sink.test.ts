/** A store that ships to a folder, on real files. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { openStore, temporaryDirectory } from "../support/store.ts";

async function objectsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

// evidence: G34
test("commits at level remote are in the folder when they resolve, many in one object", async () => {
  const folder = await temporaryDirectory();
  const manager = await openStore({
    sink: pathToFileURL(folder).href,
    durability: "remote",
    flushIntervalMs: 50,
  });
  const notes = await manager.database("notes");
  await notes.exec("create table note (id integer primary key, body text)");
  const insert = notes.prepare("insert into note (body) values (?)");
  const isLog = (object: string) => object.startsWith("wal/");
  const before = (await objectsIn(folder)).filter(isLog);
  const bodies = Array.from({ length: 500 }, (_, n) => `body number ${n}.`);
  await Promise.all(bodies.map((body) => insert.run(body)));
  const shipped = (await objectsIn(folder)).filter((it) => isLog(it) && !before.includes(it));
  expect(shipped.length).toBeGreaterThan(0);
  expect(shipped.length).toBeLessThan(50);
  const log = (await Promise.all(shipped.map((it) => readFile(join(folder, it), "latin1")))).join();
  for (const body of ["body number 0.", "body number 499."]) expect(log).toContain(body);
  const { sink } = manager.diagnostics();
  expect(sink).toMatchObject({ state: "shipping", epoch: 1, deadLetters: 0 });
  expect(manager.deadLetters()).toEqual([]);
  await expect(manager.retryDeadLetter(1)).rejects.toThrow(RangeError);
});
