/**
 * WHAT ONE DATABASE NEEDS OF A STATE OF THE MANIFEST: its own rows and those of what it reads through,
 * the chunks that these name, and nothing of anybody else.
 */
import { type ChunkId, chunkId, type StreamId } from "../base/units.ts";
import {
  type ChunkRow,
  chunksOfMapRow,
  chunksOfRows,
  databaseOfRow,
  FAMILY_ROWS,
  type KeyValuePair,
  type ManifestContents,
  manifestOfRows,
  mapRowOfRow,
  newManifest,
  remoteChunksOfRows,
  streamOfNameRow,
} from "../manifest/index.ts";
import type { BucketState, KeyBounds, ReadableBucket } from "./bucket.ts";
import type { RemoteChunk } from "./bucket-chunks.ts";
import type { RowLookup } from "./family.ts";

/** Ids of chunks that lie this close are asked for together. */
const CHUNK_GAP = 1000;
const CATALOGUE = 0 as StreamId;

export class DatabaseRows implements RowLookup {
  readonly #bucket: ReadableBucket;
  readonly #state: BucketState | undefined;
  readonly #databases = new Map<StreamId, KeyValuePair>();

  /** Without a state there are no rows. */
  constructor(bucket: ReadableBucket, state: BucketState | undefined) {
    this.#bucket = bucket;
    this.#state = state;
  }

  /** How far things were; no other rows. */
  async marks(): Promise<ManifestContents> {
    if (this.#state === undefined) return newManifest(this.#bucket.storeId);
    return manifestOfRows(await this.#read(FAMILY_ROWS.ofStore()), this.#bucket.location);
  }

  async byName(name: string): Promise<StreamId | undefined> {
    const file = this.#bucket.location;
    for (const pair of await this.#read(FAMILY_ROWS.ofName(name))) {
      const stream = streamOfNameRow(pair, { name, file });
      if (stream !== undefined) return stream;
    }
    return undefined;
  }

  async byStream(stream: StreamId) {
    const [pair] = await this.#read(FAMILY_ROWS.ofDatabase(stream));
    if (pair === undefined) return undefined;
    this.#databases.set(stream, pair);
    return databaseOfRow(pair, this.#bucket.location);
  }

  /** Rows of these databases, each of which was asked for `byStream`, and of their chunks. */
  async familyRows(streams: readonly StreamId[]): Promise<FamilyRows> {
    const { location } = this.#bucket;
    const rows = streams.flatMap((stream) => this.#databases.get(stream) ?? []);
    rows.push(...(await this.#read(FAMILY_ROWS.mapVersions(CATALOGUE))));
    const named = new Set<ChunkId>();
    for (const stream of streams) {
      if (!this.#databases.has(stream)) continue;
      rows.push(...(await this.#read(FAMILY_ROWS.mapVersions(stream))));
      const mapRows = await this.#read(FAMILY_ROWS.mapRows(stream));
      rows.push(...mapRows);
      for (const pair of mapRows) {
        for (const chunk of chunksOfMapRow(mapRowOfRow(pair, location))) named.add(chunk);
      }
    }
    const found: ChunkRow[] = [];
    const epochs = new Map<ChunkId, number>();
    for (const span of spansOf(named)) {
      const [ofChunks, ofKeys] = FAMILY_ROWS.chunks(span);
      const pairs = await this.#read(ofChunks);
      rows.push(
        ...pairs.filter((pair) => named.has(chunksOfRows([pair], location)[0]?.chunk as ChunkId)),
      );
      found.push(...chunksOfRows(pairs, location));
      for (const { chunk, epoch } of remoteChunksOfRows(await this.#read(ofKeys), location)) {
        epochs.set(chunk, epoch);
      }
    }
    const chunks = found.flatMap(({ chunk, fileBytes }): RemoteChunk[] => {
      const epoch = epochs.get(chunk);
      if (!named.has(chunk) || epoch === undefined) return [];
      return [{ chunk, epoch, fileBytes, spilled: false }];
    });
    return { rows, chunks };
  }

  async #read(bounds: KeyBounds): Promise<KeyValuePair[]> {
    const pairs: KeyValuePair[] = [];
    if (this.#state === undefined) return pairs;
    for await (const pair of this.#bucket.rows(this.#state, bounds)) pairs.push(pair);
    return pairs;
  }
}

export interface FamilyRows {
  readonly rows: readonly KeyValuePair[];
  readonly chunks: readonly RemoteChunk[];
}

/** Ids, in runs that are asked for together. */
function spansOf(chunks: ReadonlySet<ChunkId>): { first: ChunkId; last: ChunkId }[] {
  const spans: { first: ChunkId; last: ChunkId }[] = [];
  for (const chunk of [...chunks].sort((a, b) => a - b)) {
    const span = spans.at(-1);
    if (span !== undefined && chunk - span.last <= CHUNK_GAP) span.last = chunk;
    else spans.push({ first: chunkId(chunk), last: chunkId(chunk) });
  }
  return spans;
}
