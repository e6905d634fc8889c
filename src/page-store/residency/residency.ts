/**
 * RESIDENCY: which chunks have their files here, which are in the bucket only, and how a read that
 * cannot wait gets at those.
 *
 *   read ─► chunk here? ─ yes ─► file
 *             └ no, or damaged ─► what was fetched ─ absent ─► BytesAway ─► PagesAway ─► bring ─► again
 *                                                                               (bringer.ts)
 * (1) Where a chunk is, is a fact and no setting: see chunk-places.ts.
 * (2) What a read finds to be damaged here is served from the bucket, if that has it, and the chunk is
 *     fetched behind its back until it is whole. Sound pages of it are served from here meanwhile.
 * (3) What the bucket does not give concerns the statement that needs it, and nobody else.
 * (4) A store without a bucket has none of this: its chunks are here, or damaged.
 */
import { assert } from "../../base/assert.ts";
import type { Clock, File, Storage } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import { Bringer, type MissedRecord } from "./bringer.ts";
import { ChunkPlaces, type NamedChunk } from "./chunk-places.ts";
import { FetchedChunk } from "./fetched-chunk.ts";
import { Fetcher } from "./fetcher.ts";
import { Keeper } from "./keeper.ts";
import { OpenedChunk } from "./opened-chunk.ts";
import { type BytesAway, PagesAway } from "./pages-away.ts";
import { Patience } from "./patience.ts";
import type {
  ByteRange,
  HealedChunk,
  HealOutcome,
  RemoteChunks,
  RemoteVisit,
  ResidencyStats,
} from "./remote-chunks.ts";
import { ResidentFile } from "./resident-file.ts";
import { Visit } from "./visit.ts";

export interface ResidencyOptions {
  readonly clock: Clock;
  /** Not one that tries again later to delete: what is deleted here may come back. */
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly remote: RemoteChunks | undefined;
  readonly diskBytes: number | undefined;
  /** The mirror of the manifest has what that has; does not reject. */
  readonly settle: () => Promise<void>;
  readonly reserveBytes: number;
  readonly pathOf: (chunk: ChunkId) => string;
  /** Rows name these when the store is opened; `isMissing`: there is no file. */
  readonly named: Iterable<NamedChunk>;
  readonly isMissing: (chunk: ChunkId) => boolean;
  /** The files through which pages are read. */
  readonly files: () => {
    closeFile(chunk: ChunkId): Promise<void>;
    readonly openChunks: Iterable<ChunkId>;
  };
  readonly onHealed: ((healed: HealedChunk) => void) | undefined;
}

interface World {
  readonly remote: RemoteChunks;
  readonly fetcher: Fetcher;
  readonly keeper: Keeper;
  readonly bringer: Bringer;
}

export interface OpenChunkOptions {
  /** Ends the waiting of its reads. */
  readonly signal?: AbortSignal;
  /** The chunk is not evicted before it is closed. */
  readonly hold?: boolean;
}

export class Residency {
  /** Of compactions. */
  readonly patience: Patience;
  readonly #options: ResidencyOptions;
  readonly #places = new ChunkPlaces();
  /** Undefined: see (4). */
  readonly #world: World | undefined;
  readonly #opened = new Map<ChunkId, Set<OpenedChunk>>();
  #parts = 0;

  constructor(options: ResidencyOptions) {
    this.#options = options;
    this.patience = new Patience(options.clock);
    const { remote, files, named, isMissing } = options;
    if (remote === undefined) return;
    this.#places.named(named, isMissing);
    const fetcher = new Fetcher(remote);
    const keeper = new Keeper({
      ...options,
      remote,
      fetcher,
      places: this.#places,
      moved: (chunk) => this.#moved(chunk),
      open: () => files().openChunks,
    });
    const bringer = new Bringer({
      ...options,
      places: this.#places,
      fetcher,
      keeper,
      fetched: (chunk) => this.#fetchedChunk(chunk),
    });
    this.#world = { remote, fetcher, keeper, bringer };
  }

  /** There is a bucket that chunks can be read from. */
  get hasRemote(): boolean {
    return this.#world !== undefined;
  }

  /** Some chunk is not here, or not trusted. Damage can make it true at any moment. */
  get mayHaveRemotePages(): boolean {
    return this.#places.hasAway;
  }

  /** Without a bucket all is zero. */
  get stats(): ResidencyStats {
    let [localBytes, bothBytes, remoteBytes] = [0, 0, 0];
    const { remote, fetcher, keeper, bringer } = this.#world ?? {};
    for (const chunk of this.#places.local) {
      const bytes = this.#places.localBytesOf(chunk) ?? 0;
      if (remote?.find(chunk) === undefined) localBytes += bytes;
      else bothBytes += bytes;
    }
    for (const chunk of this.#places.away) remoteBytes += remote?.find(chunk)?.fileBytes ?? 0;
    return {
      localBytes,
      bothBytes,
      remoteBytes,
      partBytes: this.#places.partBytes,
      misses: bringer?.misses ?? 0,
      ...(fetcher?.stats ?? { fetches: 0, fetchedBytes: 0, inFlight: 0 }),
      ...(keeper?.stats ?? { evictedChunks: 0, healedChunks: 0 }),
    };
  }

  /** One for each statement, for all of its runs. To be ended. `signal` ends its waiting. */
  visit(signal?: AbortSignal): RemoteVisit {
    return new Visit(this.#places, () => this.#world?.keeper.evictSoon(), signal);
  }

  /** The whole file lies here. */
  isHere(chunk: ChunkId): boolean {
    return !this.#places.isAway(chunk);
  }

  /**
   * For who can wait: reads fetch what is not here. Rejects with the system's own error if there is
   * no such chunk; its reads with that, BOP_SINK_…, BOP_DISK_FULL, BOP_CLOSED or the signal's reason.
   */
  async open(chunk: ChunkId, { signal, hold }: OpenChunkOptions = {}): Promise<File> {
    const { storage, pathOf } = this.#options;
    if (this.#world === undefined) return storage.open(pathOf(chunk), "read");
    if (hold) this.#places.hold(chunk);
    const source = {
      open: () => this.#openNow(chunk),
      refused: (range: ByteRange, why: string) => this.damaged(chunk, range, why),
      closed: () => {
        if (hold) this.#places.letGo(chunk);
        this.#opened.get(chunk)?.delete(opened);
        if (this.#opened.get(chunk)?.size === 0) this.#opened.delete(chunk);
      },
    };
    const opened = new OpenedChunk(source, signal);
    this.#opened.set(chunk, (this.#opened.get(chunk) ?? new Set()).add(opened));
    try {
      await opened.size();
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** For who cannot wait. Undefined: its file is here. Reads throw BytesAway. */
  openSync(chunk: ChunkId): File | undefined {
    this.#places.used(chunk);
    if (this.#world === undefined || this.#isSound(chunk)) return undefined;
    const fetched = this.#fetchedChunk(chunk);
    return fetched && this.#fileOf(fetched);
  }

  /** There is no file, though there should be. Undefined if it cannot be had elsewhere. */
  lost(chunk: ChunkId): File | undefined {
    const world = this.#world;
    if (world === undefined || world.remote.find(chunk) === undefined) return undefined;
    const isExpected = this.#places.isAway(chunk) || world.keeper.isLeaving(chunk);
    this.#places.isAwayNow(chunk);
    const fetched = this.#fetchedChunk(chunk);
    if (fetched !== undefined && !isExpected) void world.keeper.heal(chunk, "the file is missing");
    return fetched && this.#fileOf(fetched);
  }

  /**
   * What was read there is not what it should be. True if it can be read again, from elsewhere; a
   * file that is open is to be opened again for it.
   */
  damaged(chunk: ChunkId, range: ByteRange, why: string): boolean {
    const world = this.#world;
    if (world === undefined) return false;
    const known = this.#places.fetched(chunk);
    if (known !== undefined) {
      return known.blocks.missing(range).length > 0 || known.blocks.damaged(range);
    }
    const fetched = this.#fetchedChunk(chunk);
    if (fetched === undefined) return false;
    fetched.blocks.damaged(range);
    void world.keeper.heal(chunk, why);
    return true;
  }

  isInBucket(chunk: ChunkId): boolean {
    return this.#world?.remote.find(chunk) !== undefined;
  }

  pagesAway(away: BytesAway, page: MissedRecord): PagesAway {
    const world = this.#world;
    assert(world !== undefined, "pages are away only where there is a bucket");
    return new PagesAway(page, (visit) => world.bringer.bring(visit, away, page));
  }

  /** Somebody found it damaged here. Resolves when it is whole, or cannot be made so now. */
  async distrust(chunk: ChunkId, why: string): Promise<HealOutcome> {
    const world = this.#world;
    const fetched = this.#fetchedChunk(chunk);
    if (world === undefined || fetched === undefined) return "no copy";
    if (world.keeper.isHealing(chunk)) return world.keeper.heal(chunk, why);
    fetched.blocks.reset();
    // What came of one that is not here was damaged on its way: whoever reads it fetches it again.
    if (this.#places.isAway(chunk)) return "unavailable";
    return world.keeper.heal(chunk, why);
  }

  /** Files go until the disk is within its budget; healings that failed are tried again. */
  async evict(): Promise<void> {
    this.#world?.keeper.tend();
    await this.#world?.keeper.evict();
  }

  /** Rows name these now, and their files are here. */
  named(chunks: Iterable<NamedChunk>): void {
    if (this.#world !== undefined) this.#places.named(chunks);
  }

  /** Nothing names it any more; its file is about to be removed. */
  async forget(chunk: ChunkId): Promise<void> {
    await this.#world?.keeper.forget(chunk);
  }

  /** It is not worth a compaction now: it is away or damaged, and the bucket did not answer lately. */
  rests(chunk: ChunkId): boolean {
    return !this.#isSound(chunk) && this.patience.isOver;
  }

  /** Whoever waits for the bucket is told BOP_CLOSED. Idempotent. */
  stop(): void {
    this.#world?.fetcher.close();
  }

  /** Behind `stop`. What was fetched in part is a leftover, which the next open removes. */
  async close(): Promise<void> {
    this.stop();
    await this.#world?.keeper.close();
  }

  /** Its file is here, and nobody has found it to be damaged. */
  #isSound(chunk: ChunkId): boolean {
    return !this.#places.isAway(chunk) && this.#places.fetched(chunk) === undefined;
  }

  async #openNow(chunk: ChunkId): Promise<File> {
    const { storage, pathOf } = this.#options;
    const known = this.openSync(chunk);
    if (known !== undefined) return known;
    try {
      return await storage.open(pathOf(chunk), "read");
    } catch (error) {
      const elsewhere = systemCode(error) === "ENOENT" ? this.lost(chunk) : undefined;
      if (elsewhere === undefined) throw error;
      return elsewhere;
    }
  }

  #fileOf(fetched: FetchedChunk): File {
    const { storage, pathOf } = this.#options;
    return new ResidentFile(fetched, { storage, path: pathOf(fetched.chunk) });
  }

  /** What there is of a chunk that is away or distrusted. Undefined if the bucket does not have it. */
  #fetchedChunk(chunk: ChunkId): FetchedChunk | undefined {
    const known = this.#places.fetched(chunk);
    if (known !== undefined || this.#world === undefined) return known;
    const { remote, fetcher, keeper } = this.#world;
    const found = remote.find(chunk);
    if (found === undefined) return undefined;
    const { storage, directory, pathOf } = this.#options;
    const newPartPath = () => {
      this.#parts += 1;
      return `${directory}/tmp/${chunk}-${this.#parts}.part`;
    };
    const makeRoom = (bytes: number) => keeper.makeRoom(bytes);
    const ground = { storage, fetcher, newPartPath, makeRoom };
    const minePath = this.#places.isAway(chunk) ? undefined : pathOf(chunk);
    const fetched = new FetchedChunk(ground, { chunk, fileBytes: found.fileBytes, minePath });
    this.#places.addFetched(fetched);
    void this.#moved(chunk); // Nobody goes on reading a file that is damaged, or deleted.
    return fetched;
  }

  /** It is to be read from another place: open files of it are opened again. */
  async #moved(chunk: ChunkId): Promise<void> {
    for (const opened of this.#opened.get(chunk) ?? []) opened.moved();
    await this.#options
      .files()
      .closeFile(chunk)
      .catch(() => undefined); // It was only read.
  }
}
