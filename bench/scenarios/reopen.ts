/**
 * REOPENING after a kill with much log: 1,000 databases, the log full of commits of single rows that
 * no checkpoint has folded. Measured is the time from `Manager.open` to the answer of the first
 * query of one database, and, beside it, what it takes to read and check as many bytes and nothing
 * else.
 *
 * The log is written once, by a process of its own that ends itself with SIGKILL; each round opens
 * it, and is killed again before anything is folded. Reading may be served by the page cache, for
 * both sides alike: what is measured is the engine, not the disk.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Round, Scenario, Side } from "../harness.ts";
import { counted, opened, took } from "../metrics.ts";

const LOG_BYTES = 2 ** 30;
const DIST = join(import.meta.dirname, "../../dist/index.js");
const READ_BYTES = 4 * 2 ** 20;

/** Run by `node --input-type=module`: ends itself. */
const FILL = `
const [directory, bytes] = process.argv.slice(1);
const { Manager } = await import(${JSON.stringify(DIST)});
const large = 64 * 2 ** 30;
const manager = await Manager.open({ directory, checkpointLogBytes: large, overlayBytes: large });
const databases = await Promise.all(Array.from({ length: 1000 }, (_, n) => manager.database("tenant-" + n)));
await Promise.all(databases.map((it) => it.exec("create table note (id integer primary key, owner integer, body text)")));
const inserts = databases.map((it) => it.prepare("insert into note (owner, body) values (?, ?)"));
let [n, full] = [0, false];
const caller = async () => {
  while (!full) {
    const id = n++;
    await inserts[id % 1000].run(id % 97, "a note of some length, number " + id);
    if (id % 1000 === 0) full = manager.diagnostics().log.writtenBytes >= Number(bytes);
  }
};
await Promise.all(Array.from({ length: 64 }, caller));
process.kill(process.pid, "SIGKILL");
`;

const REOPEN = `
const [directory, index] = process.argv.slice(1);
const { Manager } = await import(${JSON.stringify(DIST)});
const large = 64 * 2 ** 30;
const began = performance.now();
const manager = await Manager.open({ directory, checkpointLogBytes: large, overlayBytes: large });
const opened = performance.now();
const database = await manager.database("tenant-" + index);
const rows = await database.prepare("select count(*) from note").pluck().get();
const answered = performance.now();
const { replayedCommits, log } = manager.diagnostics();
const rssBytes = process.memoryUsage().rss;
process.stdout.write(JSON.stringify({ openMs: opened - began, totalMs: answered - began, rows, replayedCommits, rssBytes }), () => {
  process.kill(process.pid, "SIGKILL");
});
`;

function node(script: string, values: readonly string[]): string {
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script, ...values], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return stdout;
}

function ours(directory: string): Side {
  return {
    name: "bop-storage",
    async round(index): Promise<Round> {
      const told = JSON.parse(node(REOPEN, [directory, String(index * 100 + 7)]));
      if (!(told.rows > 0)) throw new Error("the database that was asked for is empty");
      const { openMs, totalMs, rssBytes } = told;
      return { operations: 1, seconds: totalMs / 1000, counts: { openMs, rssBytes } };
    },
    async verify() {},
    async close() {},
  };
}

/** As many bytes read and summed, one piece after the other. */
function raw(directory: string): Side {
  return {
    name: "read and checksum",
    async round(): Promise<Round> {
      const began = performance.now();
      const buffer = new Uint8Array(READ_BYTES);
      let sum = 0;
      for (const name of readdirSync(directory)) {
        const file = openSync(join(directory, name), "r");
        const { size } = statSync(join(directory, name));
        for (let at = 0; at < size; at += READ_BYTES) {
          sum = crc32(buffer.subarray(0, readSync(file, buffer, 0, READ_BYTES, at)), sum);
        }
        closeSync(file);
      }
      return { operations: 1, seconds: (performance.now() - began) / 1000, counts: { sum } };
    },
    async verify() {},
    async close() {},
  };
}

const first = took("first query", [{ atMost: 2 }]);
const memory = counted("resident", { count: "rssBytes", unit: "MiB", perUnit: 2 ** 20 });

export const reopen: Scenario = {
  name: "reopen-1000db",
  what: "a killed store with 1 GiB of log over 1,000 databases opened, and one of them asked",
  metrics: [first, opened, memory],
  rounds: 3,
  async open({ directory, scale }) {
    const store = join(directory, "store");
    node(FILL, [store, String(Math.ceil(LOG_BYTES * Math.min(1, scale)))]);
    return [ours(store), raw(join(store, "wal"))];
  },
};
