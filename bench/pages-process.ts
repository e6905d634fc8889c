/**
 * ONE ROUND OF THE PAGE STORE'S BENCHMARKS in a process of its own, whose memory, cache and event
 * loop are therefore its own:
 *
 *     tsx bench/pages-process.ts <what> <ours | better-sqlite3> <directory> [number]
 *
 *   fill    makes databases for the others: see FILLS
 *   open    opens every one of `number` databases and asks it one question
 *   reads   point selects and a scan, cold (nothing read before), then cached
 *   delay   `number` pages changed, then a checkpoint beside 64 callers that commit
 *   turns   `number` databases, and checkpoints when each has a commit; then the store is closed
 *
 * Prints what it took as one line of JSON.
 */
import { mkdirSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Database, Manager } from "../src/index.ts";
import { openOurs } from "./ours.ts";
import { openPeer } from "./peer.ts";
import { scramble } from "./workload.ts";

const BODY_BYTES = 400;
const ROWS_PER_STATEMENT = 20_000;
const TABLE = "create table part (id integer primary key, body text not null)";
const INSERT = `with recursive n (i) as (select ? union all select i + 1 from n where i < ?)
  insert into part select i, printf('%0${BODY_BYTES}d', i) from n`;
const BY_KEY = "select body from part where id = ?";
const SCAN = "select count(*), sum(length(body)) from part";
/** In a store that nobody reads twice, what is read is not in memory: less than the data by far. */
const CACHE_BYTES = 64 * 2 ** 20;
const POINT_READS = 5000;
const CALLERS = 64;

const [what = "", side = "", directory = "", size = "0"] = process.argv.slice(2);
const number = Number(size);
const isOurs = side === "ours";

function* spans(rows: number): Generator<[number, number]> {
  for (let from = 1; from <= rows; from += ROWS_PER_STATEMENT) {
    yield [from, Math.min(rows, from + ROWS_PER_STATEMENT - 1)];
  }
}

function expectEqual(actual: unknown, expected: unknown): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) throw new Error(`found ${found}, want ${wanted}`);
}

const store = () => openOurs(join(directory, "store"), { cacheBytes: CACHE_BYTES });
const peerPath = (name: string) => join(directory, "peer", `${name}.sqlite`);
const bodyOf = (id: number) => String(id).padStart(BODY_BYTES, "0");

/** A database `name` of `rows` rows, folded. */
async function fillOurs(manager: Manager, name: string, rows: number): Promise<void> {
  const database = await manager.database(name);
  await database.exec(TABLE);
  for (const span of spans(rows)) await database.prepare(INSERT).run(...span);
}

function fillPeer(name: string, rows: number): void {
  mkdirSync(join(directory, "peer"), { recursive: true });
  const database = openPeer(peerPath(name));
  database.exec(TABLE);
  const insert = database.prepare(INSERT);
  for (const span of spans(rows)) insert.run(...span);
  database.close();
}

/** `count` databases of ten rows, or one of many: as `directory` says. */
async function fill(): Promise<object> {
  const many = process.argv[6] === "many";
  const names = many ? Array.from({ length: number }, (_, n) => `tenant-${n}`) : ["large"];
  const rows = many ? 10 : number;
  if (!isOurs) {
    for (const name of names) fillPeer(name, rows);
    return {};
  }
  const manager = await store();
  for (const name of names) await fillOurs(manager, name, rows);
  await manager.checkpoint();
  await manager.close();
  return {};
}

async function open(): Promise<object> {
  const question = (id: number) => 1 + (id % 10);
  if (!isOurs) {
    const kept = [openPeer(peerPath("tenant-0"))];
    const before = process.memoryUsage().rss;
    const began = performance.now();
    for (let n = 1; n < number; n++) {
      const database = openPeer(peerPath(`tenant-${n}`));
      expectEqual(database.prepare(BY_KEY).get(question(n)), { body: bodyOf(question(n)) });
      kept.push(database);
    }
    const seconds = (performance.now() - began) / 1000;
    return { seconds, residentBytes: (process.memoryUsage().rss - before) / kept.length };
  }
  const opening = performance.now();
  const manager = await store();
  const kept = [await manager.database("tenant-0")];
  await kept[0]?.prepare(BY_KEY).get(1);
  const openSeconds = (performance.now() - opening) / 1000;
  const before = process.memoryUsage().rss;
  const began = performance.now();
  for (let n = 1; n < number; n++) {
    const database = await manager.database(`tenant-${n}`);
    const row = await database.prepare(BY_KEY).get(question(n));
    expectEqual(row, { body: bodyOf(question(n)) });
    kept.push(database);
  }
  const seconds = (performance.now() - began) / 1000;
  const residentBytes = (process.memoryUsage().rss - before) / kept.length;
  await manager.close();
  return { seconds, openSeconds, residentBytes };
}

/** Point selects by keys that follow no order, each checked; then a scan. */
async function reads(): Promise<object> {
  const expected = [number, number * BODY_BYTES];
  const keys = Array.from({ length: POINT_READS }, (_, n) => 1 + (scramble(n) % number));
  const told: Record<string, number> = {};
  const timed = async (name: string, run: () => Promise<void> | void) => {
    const began = performance.now();
    await run();
    told[name] = (performance.now() - began) / 1000;
  };
  if (!isOurs) {
    const database = openPeer(peerPath("large"));
    database.pragma(`cache_size = -${CACHE_BYTES / 1024}`);
    const byKey = database.prepare(BY_KEY);
    const points = () => {
      for (const id of keys) expectEqual(byKey.get(id), { body: bodyOf(id) });
    };
    const scan = () => expectEqual(Object.values(database.prepare(SCAN).get() as object), expected);
    await timed("coldPoints", points);
    await timed("cachedPoints", points);
    await timed("coldScan", scan);
    await timed("cachedScan", scan);
    database.close();
    return told;
  }
  const manager = await store();
  const database = await manager.database("large");
  const byKey = database.prepare(BY_KEY);
  const points = async () => {
    for (const id of keys) expectEqual(await byKey.get(id), { body: bodyOf(id) });
  };
  const scan = async () => expectEqual(await database.prepare(SCAN).raw().get(), expected);
  await timed("coldPoints", points);
  await timed("cachedPoints", points);
  await timed("coldScan", scan);
  await timed("cachedScan", scan);
  await manager.close();
  return told;
}

/** Time that this thread has waited for a processor, where the kernel says so: that was not us. */
function waitedMs(): () => number {
  try {
    const file = openSync("/proc/self/schedstat", "r");
    const bytes = Buffer.alloc(64);
    return () => {
      const length = readSync(file, bytes, 0, bytes.length, 0);
      return Number(bytes.toString("latin1", 0, length).split(" ")[1]) / 1e6;
    };
  } catch {
    return () => 0;
  }
}

/** Watches the event loop turn by turn. */
class Turns {
  longestMs = 0;
  /** The longest, without waits for a processor. */
  longestOwnMs = 0;
  #watching = true;

  constructor() {
    const waited = waitedMs();
    let [last, lastWaited] = [performance.now(), waited()];
    const turn = () => {
      const [now, nowWaited] = [performance.now(), waited()];
      this.longestMs = Math.max(this.longestMs, now - last);
      this.longestOwnMs = Math.max(this.longestOwnMs, now - last - (nowWaited - lastWaited));
      [last, lastWaited] = [now, nowWaited];
      if (this.#watching) setImmediate(turn);
    };
    setImmediate(turn);
  }

  stop(): Turns {
    this.#watching = false;
    return this;
  }
}

async function changePages(database: Database, pages: number): Promise<void> {
  const rowsPerStatement = 5000;
  await database.exec("create table page (id integer primary key, body blob not null)");
  for (let from = 1; from <= pages; from += rowsPerStatement) {
    const to = Math.min(pages, from + rowsPerStatement - 1);
    const insert = `with recursive n (i) as (select ? union all select i + 1 from n where i < ?)
      insert into page select i, randomblob(3900) from n`;
    await database.prepare(insert).run(from, to);
  }
}

async function delay(): Promise<object> {
  const large = 16 * 2 ** 30; // No other checkpoint comes between.
  const options = { checkpointLogBytes: large, overlayBytes: large };
  const manager = await openOurs(join(directory, "store"), options);
  const database = await manager.database("pages");
  await changePages(database, number);
  await database.exec("create table note (id integer primary key, owner integer, body text)");
  const insert = database.prepare("insert into note (owner, body) values (?, ?)");
  let [commits, busy] = [0, true];
  const caller = async () => {
    while (busy) {
      commits += 1;
      await insert.run(commits % 97, `a note of some length, number ${commits}`);
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  const alone = new Turns();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  alone.stop();
  const [beside, before, began] = [new Turns(), commits, performance.now()];
  await manager.checkpoint();
  const seconds = (performance.now() - began) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 300)); // What is swept up behind it.
  beside.stop();
  busy = false;
  await Promise.all(callers);
  await manager.close();
  const { longestMs, longestOwnMs } = beside;
  const commitsPerSecond = (commits - before) / (seconds + 0.3);
  const without = { aloneMs: alone.longestMs, aloneOwnMs: alone.longestOwnMs };
  return { seconds, longestMs, longestOwnMs, commitsPerSecond, ...without };
}

/** The longest turn of the event loop while `act` runs, and while what it left is swept up. */
async function longestTurn(act: () => Promise<void>): Promise<number> {
  const turns = new Turns();
  await act();
  await new Promise((resolve) => setTimeout(resolve, 100));
  return turns.stop().longestOwnMs;
}

async function forEachAtOnce(count: number, act: (index: number) => Promise<unknown>) {
  let next = 0;
  const caller = async () => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/** Everything that is one go over all databases would show here. */
async function turns(): Promise<object> {
  const large = 16 * 2 ** 30; // No other checkpoint comes between.
  const options = { checkpointLogBytes: large, overlayBytes: large, checkpointAgeMs: 86_400_000 };
  const manager = await openOurs(join(directory, "store"), options);
  const databases: Database[] = [];
  await forEachAtOnce(number, async (index) => {
    const database = await manager.database(`tenant-${index}`);
    await database.exec("create table note (id integer primary key, body text not null)");
    databases.push(database);
  });
  const began = performance.now();
  const firstMs = await longestTurn(() => manager.checkpoint());
  const seconds = (performance.now() - began) / 1000;
  let laterMs = 0;
  for (let round = 0; round < 3; round++) {
    const sql = "insert into note (body) values ('x')";
    await forEachAtOnce(number, (index) => databases[index]?.exec(sql) ?? Promise.resolve());
    laterMs = Math.max(laterMs, await longestTurn(() => manager.checkpoint()));
  }
  const closeMs = await longestTurn(() => manager.close());
  return { seconds, firstMs, laterMs, closeMs };
}

const PARTS: Readonly<Record<string, () => Promise<object>>> = {
  fill,
  open,
  reads,
  delay,
  turns,
};
const part = PARTS[what];
if (part === undefined) throw new Error(`there is no "${what}"`);
console.log(JSON.stringify(await part()));
