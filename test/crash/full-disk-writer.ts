/**
 * THE PROCESSES ON A FULL DISK. Arguments: the store's directory, and what to do there.
 *
 *   fill <rows>           makes a store with rows, and is killed
 *   reopen <copy> <end>   opens it, counts, writes, exports to a file; prints what came of it, as JSON
 *
 * (1) An end is `kill`, `close`, or the path of a file that is in the way: it is removed, and the process
 *     writes until that is done, and closes.
 */
import { unlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type Database, Manager, StorageError } from "../../src/index.ts";

/** What was free is taken before anything is written that would count. */
const SETTLING_MS = 300;
const PAUSE_MS = 100;
const TRIES_MAX = 100;

interface Told {
  rows: unknown;
  write: string;
  after?: string;
}

async function insertInto(note: Database): Promise<string> {
  try {
    await note.prepare("insert into note values (1)").run();
    return "done";
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return error.code;
  }
}

async function fill(note: Database, rows: number): Promise<void> {
  await note.exec("create table note (n)");
  await pause(SETTLING_MS);
  for (let n = 0; n < rows; n++) await insertInto(note);
  process.kill(process.pid, "SIGKILL");
}

async function reopen(note: Database, copy: string, end: string): Promise<void> {
  const rows = await note.prepare("select count(*) from note").pluck().get();
  const told: Told = { rows, write: await insertInto(note) };
  await note.export(copy);
  if (end.startsWith("/")) {
    unlinkSync(end);
    for (let n = 0; n < TRIES_MAX && told.after !== "done"; n++) {
      await pause(PAUSE_MS);
      told.after = await insertInto(note);
    }
  }
  await new Promise((resolve) => process.stdout.write(JSON.stringify(told), resolve));
  if (end === "kill") process.kill(process.pid, "SIGKILL");
}

const [, , directory = "", what, given = "", end = ""] = process.argv;
const manager = await Manager.open({ directory, segmentBytes: 1 << 20 });
const note = await manager.database("note");
await (what === "fill" ? fill(note, Number(given)) : reopen(note, given, end));
await manager.close();
