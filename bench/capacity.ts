/**
 * CAPACITY: one large database, and a store of many small ones, with what they take printed step by
 * step. Not a benchmark against anybody: it shows what grows with the data, and what does not.
 *
 *     npx tsx bench/capacity.ts large [--gib 4] [--directory /mnt/disk]
 *     npx tsx bench/capacity.ts many [--databases 10000]
 *
 * Each step is a process of its own, so that memory is that step's. Everything that is read is
 * checked. Exit code 1: something was wrong, and the store is kept.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { Manager } from "../src/index.ts";
import { buildOurs, openOurs } from "./ours.ts";
import { scramble } from "./workload.ts";

const MIB = 2 ** 20;
const BODY_BYTES = 1000;
/** With its share of the page. */
const ROW_BYTES = 1025;
const ROWS_PER_STATEMENT = 20_000;
const TABLE = "create table part (id integer primary key, body text not null)";
const INSERT = `with recursive n (i) as (select ? union all select i + 1 from n where i < ?)
  insert into part select i, printf('%0${BODY_BYTES}d', i) from n`;
const BY_KEY = "select body from part where id = ?";
const POINTS = 20_000;

const DATA = join(import.meta.dirname, "data");
const TSX = join(import.meta.dirname, "../node_modules/tsx/dist/cli.mjs");

function* spans(rows: number): Generator<[number, number]> {
  for (let from = 1; from <= rows; from += ROWS_PER_STATEMENT) {
    yield [from, Math.min(rows, from + ROWS_PER_STATEMENT - 1)];
  }
}

function check(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Error(`${what} is ${found}, want ${wanted}`);
}

async function checkRow(manager: Manager, name: string, id: number): Promise<void> {
  const database = await manager.database(name);
  const body = await database.prepare(BY_KEY).pluck().get(id);
  check(body, String(id).padStart(BODY_BYTES, "0"), `row ${id} of ${name}`);
}

type Step = (manager: Manager, size: number) => Promise<void>;

/** `size` rows in one database. */
const LARGE: Readonly<Record<string, Step>> = {
  "bulk insert": async (manager, rows) => {
    const database = await manager.database("large");
    await database.exec(TABLE);
    for (const span of spans(rows)) await database.prepare(INSERT).run(...span);
  },
  "first row": (manager, rows) => checkRow(manager, "large", rows),
  "20,000 points": async (manager, rows) => {
    for (let n = 0; n < POINTS; n++) await checkRow(manager, "large", 1 + (scramble(n) % rows));
  },
  "each 1,000th row written again": async (manager) => {
    const database = await manager.database("large");
    await database.prepare("delete from part where id % 1000 = 1").run();
    await database
      .prepare(`insert into part select id - 1, printf('%0${BODY_BYTES}d', id - 1) from part
        where id % 1000 = 2`)
      .run();
  },
  scan: async (manager, rows) => {
    const database = await manager.database("large");
    const found = await database
      .prepare("select count(*) || ' ' || sum(length(body)) from part")
      .pluck()
      .get();
    check(found, `${rows} ${rows * BODY_BYTES}`, "the scan");
  },
  integrity_check: async (manager) => {
    const database = await manager.database("large");
    check(await database.prepare("pragma integrity_check").pluck().get(), "ok", "the check");
  },
};

/** `size` databases of ten rows. */
const MANY: Readonly<Record<string, Step>> = {
  create: async (manager, databases) => {
    let next = 0;
    const creator = async (): Promise<void> => {
      while (next < databases) {
        const database = await manager.database(`tenant-${next++}`);
        await database.exec(TABLE);
        await database.prepare(INSERT).run(1, 10);
      }
    };
    await Promise.all(Array.from({ length: 64 }, creator));
  },
  "store alone": async () => {},
  "a row of each": async (manager, databases) => {
    for (let n = 0; n < databases; n++) await checkRow(manager, `tenant-${n}`, 1 + (n % 10));
  },
  "a commit in each": async (manager, databases) => {
    for (let n = 0; n < databases; n++) {
      const database = await manager.database(`tenant-${n}`);
      await database.exec("delete from part where id = 3");
      await database.prepare(INSERT).run(3, 3);
    }
  },
};

function memory(field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
}

function sizeOf(directory: string): { files: number; mib: number } {
  let [files, bytes] = [0, 0];
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const entry = statSync(join(directory, name));
    if (!entry.isFile()) continue;
    files += 1;
    bytes += entry.blocks * 512;
  }
  return { files, mib: bytes / MIB };
}

/** One step in this process. */
async function runStep(step: Step, { directory, size }: { directory: string; size: number }) {
  const opening = performance.now();
  const manager = await openOurs(directory);
  const [began, openMib] = [performance.now(), memory("VmRSS")];
  await step(manager, size);
  const done = performance.now();
  await manager.checkpoint();
  const folded = performance.now();
  const [residentMib, { pages, manifest }] = [memory("VmRSS"), manager.diagnostics()];
  await manager.close();
  const { files, mib } = sizeOf(directory);
  const columns = {
    "open s": (began - opening) / 1000,
    "step s": (done - began) / 1000,
    "checkpoint s": (folded - done) / 1000,
    "open MiB": openMib,
    "resident MiB": residentMib,
    "peak MiB": memory("VmHWM"),
    files,
    "disk MiB": mib,
    "chunks MiB": pages.chunkBytes / MIB,
    "map rows": manifest.rows.pageMap ?? 0,
  };
  const words = Object.entries(columns).map(
    ([name, value]) => `${name} ${Number(value.toFixed(1))}`,
  );
  console.log(`  ${words.join(", ")}`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      gib: { type: "string", default: "4" },
      databases: { type: "string", default: "10000" },
      directory: { type: "string", default: DATA },
      step: { type: "string" },
    },
  });
  const [what = ""] = positionals;
  if (what !== "large" && what !== "many") throw new RangeError("say large or many");
  const steps = what === "large" ? LARGE : MANY;
  const rows = Math.ceil((Number(values.gib) * 1024 * MIB) / ROW_BYTES);
  const size = what === "large" ? rows : Number(values.databases);
  const step = values.step === undefined ? undefined : steps[values.step];
  if (step !== undefined) return runStep(step, { directory: values.directory, size });
  buildOurs();
  mkdirSync(values.directory, { recursive: true });
  const directory = join(mkdtempSync(join(values.directory, `capacity-${what}-`)), "store");
  for (const name of Object.keys(steps)) {
    console.log(name);
    const sizes = ["--gib", values.gib, "--databases", values.databases];
    const words = [what, "--step", name, "--directory", directory, ...sizes];
    const { status } = spawnSync(process.execPath, [TSX, import.meta.filename, ...words], {
      stdio: "inherit",
    });
    if (status !== 0) {
      console.log(`failed; the store is kept in ${directory}`);
      process.exitCode = 1;
      return;
    }
  }
  rmSync(join(directory, ".."), { recursive: true });
}

await main();
