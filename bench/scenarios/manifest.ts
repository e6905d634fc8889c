/**
 * A HUNDRED THOUSAND DATABASES: created by 64 callers at once, listed in pages, found by name, and
 * the store opened again with all of them in its manifest. Nobody else does this in one process, so
 * there is no peer; the targets are our own.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  callers,
  type Metric,
  percentile,
  type Round,
  type Scenario,
  type Side,
} from "../harness.ts";
import { counted, perSecond } from "../metrics.ts";
import { openOurs } from "../ours.ts";

const DATABASES = 100_000;
const CALLERS = 64;
const PAGE = 1000;
const LOOKUPS = 1000;

type Manager = Awaited<ReturnType<typeof openOurs>>;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function memoryBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

class Fleet implements Side {
  readonly name = "ours";
  readonly #directory: string;
  readonly #count: number;

  constructor(directory: string, count: number) {
    this.#directory = directory;
    this.#count = count;
  }

  async round(index: number): Promise<Round> {
    const directory = join(this.#directory, `fleet-${index}`);
    const count = this.#count;
    const { seconds, flushesPerCreate } = await this.#create(directory);
    const before = memoryBytes();
    const [opened, openMs] = await timed(() => openOurs(directory));
    const bytesEach = Math.max(0, memoryBytes() - before) / count;
    const pagesMs = await this.#list(opened);
    const [, lookupMs] = await timed(() => this.#lookUp(opened));
    await opened.close();
    rmSync(directory, { recursive: true, force: true });
    const [firstPageMs = 0, ...others] = pagesMs;
    const pageMs = percentile(others, 50);
    const counts = { flushesPerCreate, openMs, bytesEach, firstPageMs, pageMs };
    return { operations: count, seconds, counts: { ...counts, lookupMs: lookupMs / LOOKUPS } };
  }

  async verify(): Promise<void> {}

  async close(): Promise<void> {}

  /** Nothing of it is in memory afterwards. */
  async #create(directory: string): Promise<{ seconds: number; flushesPerCreate: number }> {
    const manager = await openOurs(directory);
    const create = (at: number) => manager.database(this.#nameOf(at));
    const seconds = await callers({ count: CALLERS, operations: this.#count }, create);
    const flushesPerCreate = manager.diagnostics().log.flushes / this.#count;
    await manager.close();
    return { seconds, flushesPerCreate };
  }

  /** In an order that is not that of the names. */
  #nameOf(at: number): string {
    return `tenant-${String((at * 7919) % this.#count).padStart(6, "0")}`;
  }

  async #list(manager: Manager): Promise<number[]> {
    const pagesMs: number[] = [];
    let [after, listed] = ["", 0];
    while (true) {
      const [page, ms] = await timed(() => manager.list({ after, limit: PAGE }));
      if (page.length === 0) break;
      assert(page.every(({ name }, index) => name > (page[index - 1]?.name ?? after)));
      pagesMs.push(ms);
      listed += page.length;
      after = page.at(-1)?.name ?? after;
    }
    assert.equal(listed, this.#count);
    return pagesMs;
  }

  async #lookUp(manager: Manager): Promise<void> {
    for (let at = 0; at < LOOKUPS; at++) {
      await manager.database(this.#nameOf((at * 97) % this.#count), { create: false });
    }
  }
}

async function timed<T>(work: () => Promise<T>): Promise<[result: T, ms: number]> {
  const began = performance.now();
  const result = await work();
  return [result, performance.now() - began];
}

const speed: Metric = { ...perSecond("created"), unit: "databases/s" };

export const manifestFleet: Scenario = {
  name: "manifest-fleet",
  what: "one of 100,000 databases created by 64 callers; then listed, found and opened again",
  metrics: [
    speed,
    counted("flushes per creation", {
      count: "flushesPerCreate",
      unit: "flushes",
      targets: [{ atMost: 0.05 }],
    }),
    counted("store opened again", { count: "openMs", unit: "ms" }),
    counted("memory of a closed database", {
      count: "bytesEach",
      unit: "bytes",
      targets: [{ atMost: 4096 }],
    }),
    counted("first page of a list", { count: "firstPageMs", unit: "ms" }),
    counted("page of a list", { count: "pageMs", unit: "ms", targets: [{ atMost: 20 }] }),
    counted("found by name", { count: "lookupMs", unit: "ms", targets: [{ atMost: 1 }] }),
  ],
  rounds: 1,
  async open({ directory, scale }) {
    return [new Fleet(directory, Math.max(PAGE, Math.round(DATABASES * scale)))];
  },
};
