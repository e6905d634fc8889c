/**
 * ONE DATABASE OUT OF A BUCKET, at a moment: its pages, for whoever makes a database of them again.
 *
 *   point ─► its rows, and those of what it reads through ─► a manifest of them, in memory
 *            its commits since the checkpoint              ─► a page store over the bucket's chunks
 *                                                          ─► pages, fetched as they are asked for
 *
 * (1) It is read as the store itself would read it: by the page store, from chunks and overlay. So a
 *     fork reads through its origin, and what a large transaction left in chunks is found there.
 * (2) What is read depends on this database and those that it was forked from, and on how long the
 *     log since the checkpoint is; not on how many other databases there are.
 * (3) Every page has passed its checksum, or the read ends with BOP_CORRUPT or BOP_SINK_CORRUPT.
 * (4) Memory: commits since the checkpoint, and what the pages of one call take in chunks.
 */
import { present } from "../base/assert.ts";
import type { Env } from "../base/env.ts";
import { StorageError } from "../base/errors.ts";
import { type ChunkId, type Lsn, MIB, pageNumber, segmentSequence } from "../base/units.ts";
import { recordBytes } from "../chunk/index.ts";
import {
  decodeCatalogueEntry,
  type Manifest,
  type ManifestContents,
  memoryStores,
  openManifest,
  writeManifest,
} from "../manifest/index.ts";
import {
  chunkOf,
  NOWHERE,
  offsetOf,
  openPageStore,
  type PageSpace,
  type PageStore,
  type Snapshot,
} from "../page-store/index.ts";
import type { CountedStore, ReadCounts } from "../sink/index.ts";
import type { ReplayedCommit } from "../wal/index.ts";
import type { ReadableBucket } from "./bucket.ts";
import { BucketChunks, type ChunkBytes, NotHere, type RemoteChunk } from "./bucket-chunks.ts";
import { DatabaseRows, type FamilyRows } from "./database-rows.ts";
import { type EntryAt, type FamilyMember, familyAt } from "./family.ts";
import { PageLocations } from "./page-locations.ts";
import { findPoint, type RestoreMoment, type RestorePoint } from "./points.ts";
import { commitsOf, type StreamCommits } from "./stream-commits.ts";

export interface DatabaseRestore {
  readonly env: Env;
  readonly bucket: ReadableBucket;
  /** The one that `bucket` reads from. */
  readonly objects: CountedStore;
  readonly database: string;
  readonly at?: RestoreMoment | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Pages of a database as it was. Close it. */
export interface PastDatabase {
  readonly engine: "sqlite" | "libsql";
  readonly pageBytes: number;
  readonly pageCount: number;
  /** The moment, and whether it is the newest that the bucket has. */
  readonly lsn: Lsn;
  readonly isNewest: boolean;
  readonly reads: ReadCounts;
  /** What reading all pages will take from chunks: bytes, and requests. */
  plan(): { readonly bytes: number; readonly requests: number };
  /** Both included; the images are the caller's. */
  pages(from: number, to: number): Promise<Uint8Array[]>;
  /** Nothing changes a bucket's past. */
  assertUnchanged(): Promise<void>;
  close(): Promise<void>;
}

/** Pages that are planned for together; `pages` is asked for as many. */
const PLANNED_BYTES = 4 * MIB;
/** Nobody reads a page twice. */
const CACHE_BYTES = 4 * MIB;
const CATALOGUE = 0;

/** Throws BOP_NO_RESTORE_POINT, BOP_NOT_FOUND, BOP_SINK_… and BOP_CORRUPT. */
export async function openPastDatabase(options: DatabaseRestore): Promise<PastDatabase> {
  const { bucket, database: name } = options;
  const point = await findPoint(bucket, options.at);
  const { upToLsn } = point;
  const rows = new DatabaseRows(bucket, point.state);
  const marks = await rows.marks();
  const entries = await entriesOf(bucket, { afterLsn: marks.state.catalogueLsn, upToLsn });
  const family = await familyAt(rows, { name, upToLsn, entries });
  const ofFamily = await rows.familyRows(family.map(({ stream }) => stream));
  const { checkpointLsn } = marks.state;
  const ranges = family.map((member) => ({
    stream: member.stream,
    afterLsn: checkpointLsn,
    upToLsn: member.upToLsn,
  }));
  const log = await commitsOf(bucket, ranges);
  const manifest = await manifestOf(options, { marks, ofFamily });
  try {
    return await Past.open({ options, point, family, manifest, ofFamily, log });
  } catch (error) {
    await manifest.close();
    throw error;
  }
}

/** What was done to the catalogue. */
async function entriesOf(
  bucket: ReadableBucket,
  range: { readonly afterLsn: Lsn; readonly upToLsn: Lsn },
): Promise<EntryAt[]> {
  const { commits } = await commitsOf(bucket, [{ stream: CATALOGUE, ...range }]);
  return commits.flatMap(({ lsn: at, frames }) =>
    frames.flatMap((frame) =>
      frame.kind === "entry" ? [{ lsn: at, entry: decodeCatalogueEntry(frame.payload) }] : [],
    ),
  );
}

/** The rows as a manifest in memory. */
async function manifestOf(
  { env }: DatabaseRestore,
  { marks, ofFamily }: { readonly marks: ManifestContents; readonly ofFamily: FamilyRows },
): Promise<Manifest> {
  const openStore = memoryStores(env.random).openerFor(env);
  const directory = "bucket";
  const store = await openStore(directory);
  const { durableLsn } = marks.state;
  const facts = { generationFloor: 0, durableLsn, segments: [segmentSequence(1)] };
  await writeManifest(store, { ...marks, rows: ofFamily.rows }, facts);
  await store.close();
  return openManifest({ openStore, directory, storeIdForNew: marks.storeId, clock: env.clock });
}

interface PastParts {
  readonly options: DatabaseRestore;
  readonly point: RestorePoint;
  readonly family: readonly [FamilyMember, ...FamilyMember[]];
  readonly manifest: Manifest;
  readonly ofFamily: FamilyRows;
  readonly log: StreamCommits;
}

class Past implements PastDatabase {
  readonly engine: "sqlite" | "libsql";
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly lsn: Lsn;
  readonly isNewest: boolean;
  readonly #parts: PastParts;
  readonly #store: PageStore;
  readonly #chunks: BucketChunks;
  readonly #space: PageSpace;
  readonly #snapshot: Snapshot;
  readonly #locations: PageLocations;

  private constructor(parts: PastParts, store: PageStore, chunks: BucketChunks) {
    const { family, point, manifest } = parts;
    const [{ stream, engine, pageBytes }] = family;
    this.#parts = parts;
    this.#store = store;
    this.#chunks = chunks;
    this.#space = store.space(stream);
    this.#snapshot = this.#space.pin(this.#space.newestLsn);
    this.#locations = new PageLocations(manifest, family);
    this.engine = engine;
    this.pageCount = this.#snapshot.pageCount;
    this.pageBytes = this.pageCount === 0 ? pageBytes : this.#snapshot.pageBytes;
    this.lsn = point.upToLsn;
    this.isNewest = point.isNewest;
  }

  static async open(parts: PastParts): Promise<Past> {
    const { options, manifest, ofFamily, log, family } = parts;
    const { env, objects, bucket, signal } = options;
    const spilled = spilledChunks(log, bucket.location);
    const chunks = new BucketChunks(objects, [...ofFamily.chunks, ...spilled], signal);
    const storage = chunks.storageOver(env.storage);
    const store = await openPageStore({
      env: { ...env, storage },
      directory: chunks.directory,
      storeId: bucket.storeId,
      manifest,
      limits: { cacheBytes: CACHE_BYTES },
    });
    const forks = family.filter(({ row, origin }) => row === undefined && origin !== undefined);
    for (const { stream, origin, family: root, pageBytes } of forks) {
      const from = present(origin, "a fork has an origin");
      store.fork({ stream, origin: from, family: root, pageBytes });
    }
    for (const commit of log.commits) store.replay(commit);
    return new Past(parts, store, chunks);
  }

  get reads(): ReadCounts {
    return this.#parts.options.objects.reads;
  }

  plan(): { readonly bytes: number; readonly requests: number } {
    let [bytes, requests] = [0, 0];
    const step = Math.max(1, Math.floor(PLANNED_BYTES / Math.max(1, this.pageBytes)));
    for (let from = 1; from <= this.pageCount; from += step) {
      const parts = this.#chunks.plan(
        this.#wanted(from, Math.min(this.pageCount, from + step - 1)),
      );
      requests += parts.length;
      bytes += parts.reduce((sum, part) => sum + part.bytes, 0);
    }
    return { bytes, requests };
  }

  async pages(from: number, to: number): Promise<Uint8Array[]> {
    await this.#chunks.hold(this.#wanted(from, to));
    const images: Uint8Array[] = [];
    for (let page = from; page <= to; page += 1) images.push(await this.#page(page));
    this.#chunks.letGo();
    return images;
  }

  async assertUnchanged(): Promise<void> {}

  async close(): Promise<void> {
    this.#space.unpin(this.#snapshot);
    await this.#store.close();
    await this.#parts.manifest.close();
  }

  /** What was not planned for is fetched, and the page is read again. */
  async #page(page: number): Promise<Uint8Array> {
    for (;;) {
      try {
        return this.#space.read(this.#snapshot, pageNumber(page)).slice();
      } catch (error) {
        const cause = error instanceof StorageError ? error.cause : error;
        if (!(cause instanceof NotHere)) throw error;
        await this.#chunks.holdMissing(cause.wanted);
      }
    }
  }

  /** Where the pages lie, as far as rows tell. */
  #wanted(from: number, to: number): ChunkBytes[] {
    const bytes = recordBytes(this.pageBytes, "deflate");
    const wanted: ChunkBytes[] = [];
    for (let page = from; page <= to; page += 1) {
      const location = this.#locations.of(page);
      if (location === NOWHERE) continue;
      wanted.push({ chunk: chunkOf(location), offset: offsetOf(location), bytes });
    }
    return wanted;
  }
}

/** Those that the commits name. */
function spilledChunks({ commits, spilled }: StreamCommits, location: string): RemoteChunk[] {
  const epochs = new Map(spilled.map(({ chunk, epoch }) => [chunk, epoch]));
  return commits
    .flatMap((commit) => spillsOf(commit))
    .map(({ chunk, fileBytes }) => {
      const epoch = epochs.get(chunk);
      if (epoch !== undefined) return { chunk, epoch, fileBytes, spilled: true };
      const why = "a commit names it, and no object of the log says where it lies";
      const details = { store: location, key: `chunks/${chunk}`, why };
      throw new StorageError("BOP_SINK_CORRUPT", `chunk ${chunk} of ${location}: ${why}`, {
        details,
      });
    });
}

function spillsOf({ frames }: ReplayedCommit): { chunk: ChunkId; fileBytes: number }[] {
  return frames.flatMap((frame) =>
    frame.kind === "spill" ? [{ chunk: frame.chunk as ChunkId, fileBytes: frame.fileBytes }] : [],
  );
}
