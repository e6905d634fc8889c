/**
 * THE PAGE STORE: what a fork costs by size of the data, a thousand databases opened, reads of what
 * is not in memory, and how long the event loop is held while a checkpoint runs: under load, and
 * where many databases have little to write.
 *
 * Each round but the fork's is a process of its own (pages-process.ts). Before cold reads the
 * system's page cache is dropped where this process may do that (root, on Linux); elsewhere "cold"
 * means that the engine has read nothing, and the system may have.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Context, Metric, Round, Scenario, Side } from "../harness.ts";
import { counted, latency } from "../metrics.ts";
import { openOurs } from "../ours.ts";
import { OURS } from "../report.ts";

const PEER = "better-sqlite3";
const ROOT = join(import.meta.dirname, "../..");
const TSX = join(ROOT, "node_modules/tsx/dist/cli.mjs");
const SCRIPT = join(ROOT, "bench/pages-process.ts");
const SIDES: Readonly<Record<string, string>> = { [OURS]: "ours", [PEER]: PEER };
const MIB = 2 ** 20;
/** A row of pages-process.ts, its header and its share of the page included. */
const ROW_BYTES = 410;

const run = promisify(execFile);

type Told = Readonly<Record<string, number>>;

async function tell(...words: readonly (string | number)[]): Promise<Told> {
  const { stdout } = await run(process.execPath, [TSX, SCRIPT, ...words.map(String)]);
  return JSON.parse(stdout) as Told;
}

/** Best effort: see above. */
function dropSystemCache(): void {
  try {
    writeFileSync("/proc/sys/vm/drop_caches", "3");
  } catch {
    // Not root, or not Linux.
  }
}

/** What a process told under `key`; rates are better the more they are, all else the less. */
const count = (name: string, unit: string, key: string): Metric =>
  counted(name, { count: key, unit, better: unit.endsWith("/s") ? "more" : "less" });

/** A side each of whose rounds is a process that says what it took. */
function told(name: string, round: (index: number) => Promise<Round>): Side {
  return { name, round, async verify() {}, async close() {} };
}

const FORKS = 20;

/** Forks of one database, one after the other; each is asked for a row of its parent. */
async function forks(name: string, mib: number, { directory, scale }: Context): Promise<Side> {
  const place = join(directory, name.replaceAll(" ", "-"));
  const rows = Math.ceil((mib * scale * MIB) / ROW_BYTES);
  await tell("fill", "ours", place, rows);
  const manager = await openOurs(join(place, "store"));
  const large = await manager.database("large");
  const last = () => large.prepare("select max(id) from part").pluck().get();
  return {
    name,
    async round(index) {
      const latenciesMs: number[] = [];
      for (let n = 0; n < FORKS; n++) {
        const began = performance.now();
        const fork = await large.fork(`fork-${index}-${n}`);
        latenciesMs.push(performance.now() - began);
        if ((await fork.prepare("select max(id) from part").pluck().get()) !== rows) {
          throw new Error("a fork is not what its parent was");
        }
        await fork.exec("delete from part where id = 1");
      }
      const seconds = latenciesMs.reduce((sum, ms) => sum + ms, 0) / 1000;
      return { operations: FORKS, seconds, latenciesMs };
    },
    async verify() {
      const found = await large.prepare("select count(*) from part").pluck().get();
      if (found !== rows || (await last()) !== rows) throw new Error("forks changed their parent");
    },
    close: () => manager.close(),
  };
}

const forkMs: Metric = {
  ...latency(50, { name: "fork", unit: "ms" }),
  targets: [{ atMost: 5 }, { against: "16 MiB", atMost: 2 }],
};

export const fork: Scenario = {
  name: "fork-1gib",
  what: "a fork of a database of 1 GiB, and beside it of one of 16 MiB; one after the other",
  metrics: [forkMs],
  open: async (context) => [
    await forks(OURS, 1024, context),
    await forks("16 MiB", 16, { ...context, scale: 1 }),
  ],
};

const DATABASES = 1000;
const perDatabase: Metric = {
  ...count("time each", "ms", "eachMs"),
  targets: [{ against: PEER, atMost: 0.8 }],
};
const resident: Metric = {
  ...count("resident each", "KiB", "residentKiB"),
  targets: [{ atMost: 150 }],
};

export const openMany: Scenario = {
  name: "open-1000db",
  what: "1,000 databases opened one after the other, and a row by key of each",
  metrics: [perDatabase, resident, count("store opened", "s", "openSeconds")],
  async open({ directory, scale }) {
    const databases = Math.max(10, Math.round(DATABASES * Math.min(1, scale)));
    const sides = [OURS, PEER].map(async (name) => {
      await tell("fill", SIDES[name] ?? name, directory, databases, "many");
      return told(name, async () => {
        const found = await tell("open", SIDES[name] ?? name, directory, databases);
        const { seconds = 0, residentBytes = 0, openSeconds } = found;
        const counts = {
          eachMs: (seconds * 1000) / databases,
          residentKiB: residentBytes / 1024,
          ...(openSeconds !== undefined && { openSeconds }),
        };
        return { operations: databases, seconds, counts };
      });
    });
    return Promise.all(sides);
  },
};

const READ_MIB = 512;
const POINT_READS = 5000;

export const pageReads: Scenario = {
  name: "page-reads",
  what: "a database of 512 MiB with a cache of 64: 5,000 rows by key, and a scan; cold and again",
  metrics: [
    count("points, cold", "/s", "coldPoints"),
    count("points, cached", "/s", "cachedPoints"),
    count("scan, cold", "MiB/s", "coldScan"),
    count("scan, again", "MiB/s", "cachedScan"),
  ],
  rounds: 3,
  async open({ directory, scale }) {
    const mib = READ_MIB * scale;
    const rows = Math.ceil((mib * MIB) / ROW_BYTES);
    const sides: Side[] = [];
    for (const name of [OURS, PEER]) {
      const side = SIDES[name] ?? name;
      await tell("fill", side, directory, rows);
      sides.push(
        told(name, async () => {
          dropSystemCache();
          const found = await tell("reads", side, directory, rows);
          const { coldPoints = 0, cachedPoints = 0, coldScan = 0, cachedScan = 0 } = found;
          const counts = {
            coldPoints: POINT_READS / coldPoints,
            cachedPoints: POINT_READS / cachedPoints,
            coldScan: mib / coldScan,
            cachedScan: mib / cachedScan,
          };
          return { operations: POINT_READS, seconds: coldPoints, counts };
        }),
      );
    }
    return sides;
  },
};

const block: Metric = {
  ...count("longest turn", "ms", "longestOwnMs"),
  targets: [{ atMost: 20 }],
};

/** Beside the callers alone, so that what is theirs can be told from what is the checkpoint's. */
function delayed(pages: number, label: string): Scenario {
  return {
    name: `checkpoint-delay-${label}`,
    what: `a checkpoint of ${pages.toLocaleString("en-US")} pages beside 64 callers that commit`,
    metrics: [
      block,
      count("with waits for a CPU", "ms", "longestMs"),
      count("without checkpoint", "ms", "aloneOwnMs"),
      count("checkpoint", "s", "seconds"),
      count("commits meanwhile", "/s", "commitsPerSecond"),
    ],
    rounds: 3,
    async open({ directory, scale }) {
      const count = Math.max(100, Math.round(pages * scale));
      const place = join(directory, "round");
      const side = told(OURS, async () => {
        if (existsSync(place)) rmSync(place, { recursive: true });
        mkdirSync(place, { recursive: true });
        const counts = await tell("delay", "ours", place, count);
        return { operations: count, seconds: counts.seconds ?? 0, counts };
      });
      return [side];
    },
  };
}

export const checkpointDelays = [delayed(20_000, "20k"), delayed(100_000, "100k")];

const held = (name: string, key: string): Metric => ({
  ...count(name, "ms", key),
  targets: [{ atMost: 20 }],
});

export const longestTurns: Scenario = {
  name: "turns-5000db",
  what: "the longest turn of the event loop where 5,000 databases have a commit each",
  metrics: [
    held("first checkpoint", "firstMs"),
    held("later checkpoints", "laterMs"),
    held("close", "closeMs"),
  ],
  rounds: 3,
  async open({ directory, scale }) {
    const databases = Math.max(100, Math.round(5000 * scale));
    const place = join(directory, "round");
    const side = told(OURS, async () => {
      if (existsSync(place)) rmSync(place, { recursive: true });
      mkdirSync(place, { recursive: true });
      const counts = await tell("turns", "ours", place, databases);
      return { operations: databases, seconds: counts.seconds ?? 0, counts };
    });
    return [side];
  },
};
