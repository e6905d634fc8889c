/**
 * BRINGS PAGES that a read has missed from the bucket, for the visit of a statement, and with them
 * those that it is likely to want next (page-plan.ts).
 *
 * (1) A statement always gets on: what is brought for its visit stays until the visit ends, though
 *     the budget of the disk is exceeded meanwhile.
 * (2) What is needed is brought, or refused with the reason; of the rest nobody hears, and where the
 *     disk has no room for it it is not asked for.
 */
import { assert } from "../../base/assert.ts";
import type { Storage } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { type ChunkId, MIB } from "../../base/units.ts";
import { recordBytes } from "../../chunk/index.ts";
import { BLOCK_BYTES } from "./blocks.ts";
import type { ChunkPlaces } from "./chunk-places.ts";
import type { FetchedChunk } from "./fetched-chunk.ts";
import { closedError, type Fetcher } from "./fetcher.ts";
import type { Keeper } from "./keeper.ts";
import { untilAborted } from "./opened-chunk.ts";
import { type PageFrom, planPages, WINDOW_BYTES_MAX } from "./page-plan.ts";
import type { BytesAway } from "./pages-away.ts";
import type { ByteRange, RemoteVisit } from "./remote-chunks.ts";
import { Visit } from "./visit.ts";

export interface BringerGround {
  readonly storage: Storage;
  readonly directory: string;
  readonly diskBytes: number | undefined;
  readonly reserveBytes: number;
  readonly places: ChunkPlaces;
  readonly fetcher: Fetcher;
  readonly keeper: Keeper;
  /** What there is of a chunk that is away or distrusted. Undefined if the bucket does not have it. */
  readonly fetched: (chunk: ChunkId) => FetchedChunk | undefined;
}

/** A page whose record is not here. */
export interface MissedRecord extends PageFrom {
  readonly database: string | undefined;
}

interface Wanted {
  /** Of the page that was missed, and what of it is needed. */
  readonly chunk: ChunkId;
  readonly first: readonly number[];
  readonly plan: ReadonlyMap<ChunkId, ReadonlySet<number>>;
}

/** Chunks up to here are fetched wholly at once. */
const SMALL_CHUNK_BYTES = MIB;
const NONE: readonly number[] = [];

export class Bringer {
  readonly #ground: BringerGround;
  #misses = 0;

  constructor(ground: BringerGround) {
    this.#ground = ground;
  }

  /** Pages that were missed. */
  get misses(): number {
    return this.#misses;
  }

  /** Resolves when the page that was missed can be read, with what is likely to be wanted next. */
  async bring(visit: RemoteVisit, away: BytesAway, page: MissedRecord): Promise<void> {
    assert(visit instanceof Visit, "a visit of this store");
    const { fetcher, keeper, diskBytes = Number.POSITIVE_INFINITY } = this.#ground;
    visit.signal?.throwIfAborted();
    if (fetcher.isClosed) throw closedError();
    visit.misses += 1;
    this.#misses += 1;
    const plan = planPages(page, {
      missing: (chunk, range) => this.#missing(chunk, range),
      recordBytes: recordBytes(page.pageBytes, "deflate"),
      misses: visit.misses,
      windowBytesMax: Math.min(WINDOW_BYTES_MAX, diskBytes / 2),
    });
    const first = this.#missing(away.chunk, away);
    const work = this.#fetchAll(visit, { chunk: away.chunk, first, plan });
    // It goes on for others when this one has stopped to wait, and then nobody hears how it ends.
    work.catch(() => undefined);
    await untilAborted(work, visit.signal);
    keeper.evictSoon();
  }

  async #fetchAll(visit: Visit, wanted: Wanted): Promise<void> {
    const { places, keeper } = this.#ground;
    const { chunk, first, plan } = wanted;
    const chunks = [...new Set([chunk, ...plan.keys()])];
    for (const each of chunks) {
      visit.hold(each);
      places.used(each);
    }
    const rest = (await this.#hasRoom(wanted)) ? [...plan] : [];
    const needed = places.fetched(chunk)?.bring(first) ?? Promise.resolve();
    const others = Promise.allSettled(
      rest.map(([each, blocks]) => places.fetched(each)?.bring([...blocks])),
    );
    await needed;
    await others;
    for (const each of chunks) {
      const fetched = places.fetched(each);
      if (fetched?.blocks.isWhole) keeper.promoteSoon(fetched);
    }
  }

  /** For all that is planned; else for what is needed, or BOP_DISK_FULL. */
  async #hasRoom({ first, plan }: Wanted): Promise<boolean> {
    const { storage, directory, reserveBytes, keeper } = this.#ground;
    const free = async () => {
      const bytes = await storage.freeBytes(directory).catch(() => Number.POSITIVE_INFINITY);
      return bytes - reserveBytes;
    };
    let count = first.length;
    for (const blocks of plan.values()) count += blocks.size;
    const lackingBytes = count * BLOCK_BYTES - (await free());
    if (lackingBytes <= 0) return true;
    await keeper.makeRoom(lackingBytes);
    const freeBytes = await free();
    if (freeBytes >= count * BLOCK_BYTES) return true;
    if (freeBytes >= first.length * BLOCK_BYTES) return false;
    const details = { operation: "fetch", file: directory };
    const message = "the device has no room for pages that are in the bucket";
    throw new StorageError("BOP_DISK_FULL", message, { details });
  }

  /** Blocks to fetch so that a range can be read: of small chunks all. */
  #missing(chunk: ChunkId, range: ByteRange): readonly number[] {
    const { places } = this.#ground;
    const known = places.fetched(chunk);
    if (known === undefined && !places.isAway(chunk)) return NONE;
    const fetched = known ?? this.#ground.fetched(chunk);
    if (fetched === undefined) return NONE;
    const { blocks } = fetched;
    const missing = blocks.missing(range);
    if (missing.length === 0) return NONE;
    if (blocks.fileBytes <= SMALL_CHUNK_BYTES) return blocks.unfetched();
    // Whoever opens the file looks at its beginning.
    const [first] = blocks.missing({ offset: 0, bytes: 1 });
    return first === undefined || missing[0] === first ? missing : [first, ...missing];
  }
}
