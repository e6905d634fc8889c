/** A manifest in a simulated world, and rows for it: what tests of this folder share. */
import { chunkId, lsn, streamId } from "../base/units.ts";
import { type SimulatedWorld, seeded, simulatedWorld } from "../io/index.ts";
import type { Manifest } from "./manifest.ts";
import type { ManifestChange } from "./manifest-change.ts";
import { type ManifestOptions, openManifest } from "./opening/open-manifest.ts";
import { type MemoryStores, memoryStores } from "./stores/memory-store.ts";
import type { ChunkRow } from "./tables/chunks.ts";
import type { DatabaseRow } from "./tables/databases.ts";
import type { MapRowChange } from "./tables/page-map.ts";
import type { RecordLogRow } from "./tables/record-logs.ts";

export const STORE_ID = Uint8Array.from({ length: 16 }, (_, at) => at);
export const DIRECTORY = "/store/manifest";
export const PAGES = 9;

export interface ManifestWorld {
  readonly world: SimulatedWorld;
  readonly stores: MemoryStores;
  /** As a new process would: until it is done, or the process has ended. */
  readonly begin: (more?: Partial<ManifestOptions>) => Promise<Manifest>;
  /** The same, and waits for it. */
  readonly open: (more?: Partial<ManifestOptions>) => Promise<Manifest>;
}

export function manifestWorld(seed: number): ManifestWorld {
  const world = simulatedWorld({ seed });
  const stores = memoryStores(seeded(seed + 1));
  const begin = (more: Partial<ManifestOptions> = {}) => {
    const env = world.start();
    const openStore = stores.openerFor(env);
    const place = { openStore, directory: DIRECTORY, storeIdForNew: STORE_ID, clock: env.clock };
    return openManifest({ ...place, ...more });
  };
  const open: typeof begin = (more) => world.run(() => begin(more));
  return { world, stores, begin, open };
}

/** Ten streams are given out, LSN 100 is durable, and the manifest has these rows. */
export async function manifestWith(
  seed: number,
  rows: ManifestChange,
): Promise<{ readonly place: ManifestWorld; readonly manifest: Manifest }> {
  const place = manifestWorld(seed);
  const manifest = await place.open();
  const given = { durableLsn: lsn(100), nextStreamId: streamId(10) };
  await place.world.run(() => manifest.publish({ ...given, ...rows }));
  return { place, manifest };
}

export function databaseRow(stream: number, at = 0): DatabaseRow {
  return {
    stream: streamId(stream),
    state: "live",
    name: `tenant-${stream}`,
    engine: "sqlite",
    pageBytes: 4096,
    pageCount: 7,
    lsn: lsn(at),
    createdAtMs: 1_800_000_000_000,
    createdLsn: lsn(0),
    family: streamId(stream),
    flat: true,
  };
}

export function logRow(stream: number, at = 0): RecordLogRow {
  return {
    stream: streamId(stream),
    state: "live",
    name: `group-${stream}`,
    createdAtMs: 1_800_000_000_000,
    lsn: lsn(at),
    body: Uint8Array.of(1, 2, 3),
  };
}

/** A row of the page map that names nine pages of a chunk. */
export function mapRow(stream: number, rowIndex: number, chunk: number): MapRowChange {
  const locations = new Float64Array(512).fill(chunk * 2 ** 24 + 16, 0, PAGES);
  return { stream: streamId(stream), rowIndex, fromLsn: lsn(0), locations };
}

/** The same from another LSN on. */
export function versionOf(row: MapRowChange, fromLsn: number): MapRowChange {
  return { ...row, fromLsn: lsn(fromLsn) };
}

/** A chunk of which so many rows of the page map name nine pages. */
export function chunkRow(id: number, rows: number): ChunkRow {
  const pages = PAGES * rows;
  return {
    chunk: chunkId(id),
    kind: "pages",
    fileBytes: 999,
    pageCount: pages,
    livePages: pages,
    references: pages,
  };
}
