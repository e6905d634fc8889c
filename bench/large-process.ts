/**
 * ONE LARGE TRANSACTION in a process of its own, whose peak of memory is therefore its own:
 *
 *     tsx bench/large-process.ts <ours | better-sqlite3> <bytes> <an empty directory>
 *
 * Inserts rows of about 4 KB of random bytes until they amount to so many bytes, all in one
 * transaction, commits it, and prints what that took as one line of JSON.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { openOurs } from "./ours.ts";
import { loadPeer } from "./peer.ts";

const ROW_BYTES = 4000;
const BLOB_BYTES = 3950;
const ROWS_PER_STATEMENT = 10_000;
const TABLE = "create table part (id integer primary key, body blob not null)";
const INSERT = `with recursive n (i) as (select ? union all select i + 1 from n where i < ?)
  insert into part select i, randomblob(${BLOB_BYTES}) from n`;
const FOUND = "select count(*), sum(length(body)) from part";

const [side = "", bytes = "", directory = ""] = process.argv.slice(2);
const rows = Math.ceil(Number(bytes) / ROW_BYTES);

/** First and last id of each statement. */
function* spans(): Generator<[number, number]> {
  for (let from = 1; from <= rows; from += ROWS_PER_STATEMENT) {
    yield [from, Math.min(rows, from + ROWS_PER_STATEMENT - 1)];
  }
}

function assertFound(found: unknown, verdict: unknown): void {
  const expected = JSON.stringify([[rows, rows * BLOB_BYTES], "ok"]);
  const actual = JSON.stringify([found, verdict]);
  if (actual !== expected) throw new Error(`found ${actual}, want ${expected}`);
}

async function ours(): Promise<number> {
  const manager = await openOurs(join(directory, "store"));
  const database = await manager.database("large");
  await database.exec(TABLE);
  const begun = performance.now();
  await database.transaction(async (tx) => {
    const insert = tx.prepare(INSERT);
    for (const span of spans()) await insert.run(...span);
  });
  const seconds = (performance.now() - begun) / 1000;
  await manager.checkpoint();
  const found = await database.prepare(FOUND).raw().get();
  assertFound(found, await database.prepare("pragma integrity_check").pluck().get());
  await manager.close();
  return seconds;
}

function peer(): number {
  const database = new (loadPeer())(join(directory, "peer.sqlite"));
  database.pragma("journal_mode = wal");
  database.pragma("synchronous = full");
  database.exec(TABLE);
  const insert = database.prepare(INSERT);
  const begun = performance.now();
  database.exec("begin");
  for (const span of spans()) insert.run(...span);
  database.exec("commit");
  const seconds = (performance.now() - begun) / 1000;
  const found = Object.values(database.prepare(FOUND).get() as object);
  const [verdict] = database.pragma("integrity_check") as { integrity_check: string }[];
  assertFound(found, verdict?.integrity_check);
  database.close();
  return seconds;
}

/** Most memory that this process ever had, as the kernel counts it. */
function peakMiB(): number {
  const [, kib = "0"] = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kib) / 1024;
}

const seconds = side === "ours" ? await ours() : peer();
console.log(JSON.stringify({ seconds, peakMiB: peakMiB() }));
