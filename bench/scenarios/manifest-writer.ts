/**
 * THE MANIFEST ALONE: batches handed to its writer by one caller and by 64, and a checkpoint's worth
 * of rows in one batch. There is no peer; a commit is one flush of LMDB, whoever asks.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { callers, type Scenario, type Side } from "../harness.ts";
import { counted, latency, perSecond } from "../metrics.ts";

const DIST = join(import.meta.dirname, "../../dist");
const ALONE = 200;
const SHARED = 20_000;
const CALLERS = 64;
const ROWS = 10_000;

type Manifests = typeof import("../../src/manifest/index.ts");
type Worlds = typeof import("../../src/io/index.ts");
type Units = typeof import("../../src/base/units.ts");
type Manifest = Awaited<ReturnType<Manifests["openManifest"]>>;

const dist = (path: string): Promise<unknown> => import(pathToFileURL(join(DIST, path)).href);

async function open(directory: string): Promise<Side> {
  const { openLmdbStore, openManifest } = (await dist("manifest/index.js")) as Manifests;
  const { systemEnv } = (await dist("io/index.js")) as Worlds;
  const { lsn, streamId } = (await dist("base/units.js")) as Units;
  const { clock } = systemEnv({ scratchDirectory: directory });
  const place = { openStore: openLmdbStore, storeIdForNew: new Uint8Array(16), clock };
  let manifest = await openManifest({ ...place, directory });
  let next = 1;
  const rows = (count: number) =>
    Array.from({ length: count }, (_, at) => ({
      stream: streamId(next + at),
      state: "live" as const,
      name: `tenant-${next + at}`,
      engine: "sqlite" as const,
      pageBytes: 4096,
      pageCount: 1,
      lsn: lsn(0),
      createdAtMs: 1,
      createdLsn: lsn(0),
      family: streamId(next + at),
      flat: true,
    }));
  const put = async (count: number): Promise<void> => {
    const putDatabases = rows(count);
    next += count;
    await manifest.publish({ nextStreamId: streamId(next), putDatabases });
  };
  return {
    name: "ours",
    async round() {
      const latenciesMs: number[] = [];
      for (let n = 0; n < ALONE; n++) latenciesMs.push(await elapsedMs(() => put(1)));
      const { commits } = manifest.stats;
      const seconds = await callers({ count: CALLERS, operations: SHARED }, () => put(1));
      const batchesPerCommit = SHARED / (manifest.stats.commits - commits);
      const [largeMs, blockedMs] = await blocked(() => put(ROWS));
      await manifest.close();
      const openMs = await elapsedMs(async () => {
        manifest = await openManifest({ ...place, directory });
      });
      const openMsPer100k = (openMs * 100_000) / manifest.opened.databases.length;
      const facts = { batchesPerCommit, largeMs, blockedMs, openMsPer100k };
      return { operations: SHARED, seconds, latenciesMs, counts: facts };
    },
    async verify() {
      assert.equal(manifest.opened.databases.length, next - 1);
      assert.equal(manifest.stats.rows.names, next - 1);
    },
    close: () => closing(manifest),
  };
}

const closing = (manifest: Manifest): Promise<void> => manifest.close();

async function elapsedMs(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** How long it took, and the longest that the event loop got no turn meanwhile. */
async function blocked(act: () => Promise<unknown>): Promise<[ms: number, blockedMs: number]> {
  let [longest, last, isOver] = [0, performance.now(), false];
  const look = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  const ms = await elapsedMs(act);
  isOver = true;
  return [ms, Math.max(longest, performance.now() - last)];
}

export const manifestWriter: Scenario = {
  name: "manifest-writer",
  what: "a batch of one row, durable; 64 callers",
  metrics: [
    perSecond("batches"),
    counted("batches in a commit", { count: "batchesPerCommit", unit: "", better: "more" }),
    latency(50, { name: "one caller, p50", unit: "ms" }),
    counted("10,000 rows in one batch", { count: "largeMs", unit: "ms" }),
    counted("event loop held up by it", { count: "blockedMs", unit: "ms" }),
    counted("opened, 100,000 databases", { count: "openMsPer100k", unit: "ms" }),
  ],
  open: async ({ directory }) => [await open(join(directory, "manifest"))],
};
