/**
 * WHAT A STORE MAY TAKE, of the disk and of memory: docs/space.md and the options, held against what
 * is on the disk and in the manifest, not against what the store says of itself.
 *
 * (1) Pages that can be reached are the locations that rows of page maps name, each once. What they
 *     take is their share of their chunk.
 * (2) Rows that name them are there for a reason: of a database there is the newest version, one for
 *     each moment that is pinned, or was within the history window, and one for each checkpoint of the
 *     window and the one below it. Without this a store could keep everything and call it reached.
 */
import type { StreamId } from "../../src/base/units.ts";
import {
  auditManifest,
  MAP_ROW_PAGES,
  type ManifestAudit,
  type MapVersionRow,
} from "../../src/manifest/index.ts";
import { promise } from "../failure.ts";
import { STORE } from "../simulation.ts";
import type { Shift } from "./shift.ts";

/** After a collection; see docs/space.md. */
const AMPLIFICATION_MAX = 2;
const CHECKPOINTS_BETWEEN = 2;
/** Segments that are made ahead, and one that is being sealed. */
const SPARE_SEGMENTS = 3;
/** Chunks below it are small, and whatever is used of a single one it may stay. */
const SMALL_CHUNK_BYTES = 80 * 1024;
/** The history, and until the checkpoint that ends it. */
const WINDOW_MS = 90 * 60_000;
/** Rows of page maps that are kept in memory: 4 KiB each. */
const MAP_BYTES_MAX = 32 * 2 ** 20;

/** Bytes of chunks, and of pages in them that can be reached: see (1). */
interface Space {
  readonly fileBytes: number;
  readonly reachedBytes: number;
}

interface Seen extends Space {
  readonly audit: ManifestAudit;
  readonly mapRows: number;
}

/** While it is written to. Nothing is under way. */
export async function checkBetween(shift: Shift): Promise<void> {
  const { fileBytes, reachedBytes, ...seen } = await look(shift);
  const slack = CHECKPOINTS_BETWEEN * shift.books.checkpointBytes + SMALL_CHUNK_BYTES;
  const mostBytes = AMPLIFICATION_MAX * reachedBytes + slack;
  promise(fileBytes <= mostBytes, () => tooMuch("chunks", fileBytes, mostBytes));
  checkRows(shift, seen);
  checkMemory(shift);
  await checkLog(shift);
}

/** Collects, and holds the store against the bound that counts then. */
export async function checkCollected(shift: Shift): Promise<Space> {
  await shift.manager.collect();
  const seen = await look(shift);
  const mostBytes = AMPLIFICATION_MAX * seen.reachedBytes + SMALL_CHUNK_BYTES;
  promise(seen.fileBytes <= mostBytes, () => tooMuch("chunks", seen.fileBytes, mostBytes));
  checkRows(shift, seen);
  return seen;
}

function tooMuch(what: string, bytes: number, mostBytes: number): string {
  return `${what} take ${bytes} bytes, at most ${mostBytes} are documented`;
}

async function look({ life }: Shift): Promise<Seen> {
  const { env, simulation } = life;
  const reached = new Map<number, number>();
  const locations = new Set<number>();
  const place = `${STORE}/manifest`;
  const store = await simulation.stores.openerFor(env)(place);
  let mapRows = 0;
  const audit = auditManifest(store, {
    file: place,
    onMapRow: (row) => {
      mapRows += 1;
      for (const location of row.locations) {
        if (location === 0 || locations.has(location)) continue;
        locations.add(location);
        const chunk = Math.floor(location / 2 ** 24);
        reached.set(chunk, (reached.get(chunk) ?? 0) + 1);
      }
    },
  });
  await store.close();
  promise(audit.problems.length === 0, () => JSON.stringify(audit.problems[0]));
  let reachedBytes = 0;
  for (const { chunk, fileBytes, pageCount, kind } of audit.chunks) {
    if (kind !== "pages") continue;
    promise(reached.has(chunk), `chunk ${chunk} is there, and no row names it`);
    reachedBytes += ((reached.get(chunk) ?? 0) * fileBytes) / pageCount;
  }
  return { fileBytes: await bytesIn(life, "chunks"), reachedBytes, audit, mapRows };
}

/** See (2). */
function checkRows(
  { books, manager, nowMs }: Shift,
  { audit, mapRows }: Omit<Seen, keyof Space>,
): void {
  const { rows, journal } = manager.diagnostics().manifest;
  const live = audit.databases.filter(({ state }) => state === "live");
  promise(live.length <= books.tenants.length, () => `${live.length} databases in the manifest`);
  promise(audit.snapshots.length === books.kept.length, () => `${rows.snapshots} snapshots`);
  promise(journal.entries === 0, () => `${journal.entries} batches wait in the journal`);
  const window = audit.mapVersions.filter(({ stream }) => stream === 0).length;
  const versions = new Map<StreamId, MapVersionRow[]>();
  for (const row of audit.mapVersions) {
    const of = versions.get(row.stream);
    if (of === undefined) versions.set(row.stream, [row]);
    else of.push(row);
  }
  let rowsMax = 0;
  for (const { stream, name, pageCount } of audit.databases) {
    const of = versions.get(stream) ?? [];
    const released = books.releasedSince(nowMs - WINDOW_MS, name);
    const most = 2 + window + released + pinsOf(stream, audit);
    promise(of.length <= most, () => `${name} has ${of.length} versions, want ${most} at most`);
    const oldest = of[0]?.pageCount ?? pageCount;
    rowsMax += Math.ceil(Math.max(oldest, pageCount) / MAP_ROW_PAGES);
    for (const { changedRows } of of) rowsMax += changedRows.length;
  }
  promise(mapRows <= rowsMax, () => `${mapRows} rows of page maps, want ${rowsMax} at most`);
}

/** Moments of a database that snapshots and forks need. */
function pinsOf(stream: StreamId, { snapshots, databases }: ManifestAudit): number {
  const kept = snapshots.filter((each) => each.stream === stream || each.stream === 0);
  const forks = databases.filter(({ origin }) => origin?.stream === stream);
  return kept.length + forks.length;
}

function checkMemory({ manager, life, openReaders }: Shift): void {
  const { pages, databases } = manager.diagnostics();
  const { cache, overlayBytes, heldBytes, mapBytes, openSnapshots } = pages;
  const options = life.simulation.options;
  promise(cache.memoryBytes <= cache.budgetBytes, () => `the cache takes ${cache.memoryBytes}`);
  promise(cache.pinned === 0, () => `${cache.pinned} pages of the cache are pinned by nobody`);
  promise(cache.observers.count === 0, () => `${cache.observers.count} observers of nobody`);
  const overlayMax = 2 * options.overlayBytes + heldBytes;
  promise(overlayBytes <= overlayMax, () => tooMuch("changed pages", overlayBytes, overlayMax));
  promise(mapBytes <= MAP_BYTES_MAX, () => tooMuch("rows of page maps", mapBytes, MAP_BYTES_MAX));
  const readers = `${openSnapshots} readers in the page store, ${openReaders} are open`;
  promise(openSnapshots <= openReaders, readers);
  promise(databases.open <= databases.known, `${databases.open} open of ${databases.known}`);
}

async function checkLog({ life, manager }: Shift): Promise<void> {
  const { segmentBytes, checkpointLogBytes, historyBytes = 0 } = life.simulation.options;
  const filled = Math.ceil(checkpointLogBytes / segmentBytes);
  const inflight = Math.max(16, 4 * filled) + SPARE_SEGMENTS;
  const mostBytes = inflight * segmentBytes + historyBytes;
  const bytes = await bytesIn(life, "wal");
  promise(bytes <= mostBytes, () => tooMuch("the log", bytes, mostBytes));
  const { failedFlushes, history } = manager.diagnostics().log;
  promise(failedFlushes === 0, `${failedFlushes} flushes failed on a disk that is well`);
  promise(history.bytes <= historyBytes, () => tooMuch("history", history.bytes, historyBytes));
}

async function bytesIn({ env }: Shift["life"], folder: string): Promise<number> {
  let bytes = 0;
  const enter = async (path: string): Promise<void> => {
    for (const name of await env.storage.list(path)) {
      const below = `${path}/${name}`;
      const found = await env.storage.stat(below);
      if (found?.kind === "directory") await enter(below);
      else bytes += found?.bytes ?? 0;
    }
  };
  await enter(`${STORE}/${folder}`);
  return bytes;
}
