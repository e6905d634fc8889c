/**
 * A BUCKET, READ: states of the manifest, and the log. It only reads, and needs nothing but the
 * bucket: neither the store nor whoever writes to it.
 *
 * (1) It sees the bucket as it is when it is first asked; what is put later is seen after `refresh`.
 * (2) What it gives out was checked, and belongs to the history that counts: nothing behind a fence
 *     does. Damage and what is missing are BOP_SINK_CORRUPT, with the key of the object.
 * (3) What is not asked for is not read; `reads` tells how much was.
 *
 * (4) The ends of the objects of a state are read once for all ranges of keys that are asked for, until
 *     another state is.
 *
 * Known: the keys of a kind are listed once, which is a request for every thousand objects kept.
 */
import type { KeyValuePair } from "../../manifest/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import type { SpilledChunk } from "../format/log-object.ts";
import type { ManifestHeader } from "../format/object-header.ts";
import { readBucketIdentity } from "../lineage/bucket.ts";
import { type LogEnd, LogMap, type LogRange, type LogStart } from "./log-map.ts";
import { type CommitRange, type CommitSpan, type LogPart, LogReader } from "./log-reader.ts";
import { ObjectReader, type ReadCounts } from "./object-reader.ts";
import { StateMap } from "./state-map.ts";
import { type KeyBounds, readEnds, type StateEnds, stateRows } from "./state-rows.ts";

export interface BucketReaderOptions {
  readonly signal?: AbortSignal | undefined;
}

interface LogPlace {
  readonly map: LogMap;
  readonly reader: LogReader;
}

export class BucketReader {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  readonly createdAtMs: number;
  readonly #reader: ObjectReader;
  #log: Promise<LogPlace> | undefined;
  #states: Promise<StateMap> | undefined;
  /** See (4). */
  #ends: { readonly of: string; readonly read: Promise<StateEnds> } | undefined;

  private constructor(
    reader: ObjectReader,
    { storeId, createdAtMs }: { readonly storeId: Uint8Array; readonly createdAtMs: number },
  ) {
    this.#reader = reader;
    this.storeId = storeId;
    this.createdAtMs = createdAtMs;
  }

  /** Undefined if no store has ever shipped anything there. The store stays its caller's. */
  static async open(
    store: ObjectStore,
    { signal }: BucketReaderOptions = {},
  ): Promise<BucketReader | undefined> {
    const identity = await readBucketIdentity(store, { signal });
    if (identity === undefined) return undefined;
    return new BucketReader(new ObjectReader(identity.storeId, { store, signal }), identity);
  }

  /** Without secrets, for messages. */
  get location(): string {
    return this.#reader.location;
  }

  get reads(): ReadCounts {
    return this.#reader.counts;
  }

  /** See (1). */
  refresh(): void {
    this.#log = undefined;
    this.#states = undefined;
    this.#ends = undefined;
  }

  /** The newest moment; undefined if no log was ever shipped. */
  async logEnd(): Promise<LogEnd | undefined> {
    const last = await (await this.#logPlace()).map.last();
    return last && { lsn: last.endLsn, wallMs: last.lastWallMs };
  }

  /** How far the log goes without a hole from an LSN on; undefined if it is not there. */
  async reach(fromLsn: number): Promise<LogEnd | undefined> {
    return (await this.#logPlace()).map.reach(fromLsn);
  }

  /** Where the log goes on from an LSN: there, or behind a hole; undefined if nowhere. */
  async goesOnAt(lsn: number): Promise<LogStart | undefined> {
    return (await this.#logPlace()).map.goesOnAt(lsn);
  }

  /**
   * End of the last batch that is there of that time or before; undefined if none is. What was written
   * behind it until then may not be there: see `goesOnAt`.
   */
  async lsnAt(wallMs: number): Promise<number | undefined> {
    return (await this.#logPlace()).reader.lsnAt(wallMs);
  }

  /** From the batch in which `fromLsn` lies, in order, up to the one in which `toLsn` does. */
  async *log(range: LogRange): AsyncGenerator<LogPart> {
    yield* (await this.#logPlace()).reader.log(range);
  }

  /** The chunks that the log of a range names, without reading the log. */
  async spilled(range: LogRange): Promise<SpilledChunk[]> {
    return (await this.#logPlace()).reader.spilled(range);
  }

  /** The commits of a stream, above one LSN and at or below another, in order. */
  async commits(stream: number, range: CommitRange): Promise<CommitSpan[]> {
    return (await this.#logPlace()).reader.commits(stream, range);
  }

  /** The batches that have something of these commits, which are in order; no others are read. */
  async *batchesOf(spans: readonly CommitSpan[]): AsyncGenerator<LogPart> {
    yield* (await this.#logPlace()).reader.batchesOf(spans);
  }

  /** Newest first. */
  async *states(): AsyncGenerator<ManifestHeader> {
    yield* (await this.#stateMap()).states();
  }

  /** The newest state of which no row names an LSN above this one. */
  async stateAt(maxLsn: number): Promise<ManifestHeader | undefined> {
    return (await this.#stateMap()).newest((header) => header.maxLsn <= maxLsn);
  }

  /** The rows of a state in order of key; all, or those in a range of keys. */
  async *rows(
    state: Pick<ManifestHeader, "epoch" | "number">,
    bounds?: KeyBounds,
  ): AsyncGenerator<KeyValuePair> {
    const map = await this.#stateMap();
    const found = await map.at(state);
    const { epoch, number } = state;
    if (found === undefined) throw this.#reader.missing({ kind: "manifest", epoch, number });
    yield* stateRows(this.#reader, await this.#endsOf(found, map), bounds);
  }

  /** See (4). */
  #endsOf(state: ManifestHeader, map: StateMap): Promise<StateEnds> {
    const of = `${state.epoch}/${state.number}`;
    if (this.#ends?.of !== of) {
      const read = readEnds(this.#reader, { state, chain: map.chain(state) });
      const ends = { of, read };
      this.#ends = ends;
      read.catch(() => {
        if (this.#ends === ends) this.#ends = undefined;
      });
    }
    return this.#ends?.read as Promise<StateEnds>;
  }

  #logPlace(): Promise<LogPlace> {
    this.#log ??= this.#load(async () => {
      const map = await LogMap.load(this.#reader);
      return { map, reader: new LogReader(this.#reader, map) };
    });
    return this.#log;
  }

  #stateMap(): Promise<StateMap> {
    this.#states ??= this.#load(() => StateMap.load(this.#reader));
    return this.#states;
  }

  /** What could not be read is read anew by whoever asks next. */
  #load<T>(load: () => Promise<T>): Promise<T> {
    const loading = load();
    loading.catch(() => this.refresh());
    return loading;
  }
}
