/**
 * WHAT THE ROWS THAT WERE SHIPPED SAY OF THE BUCKET, kept while the store is open: which chunks a state
 * needs and the bucket lacks, what is garbage there, which chains there are.
 *
 * (1) It is as of the newest cut of the feed: what it says is garbage is so in that state.
 * (2) A chunk lies in the bucket under one key: that of its row, or that of its garbage while that is
 *     not announced. It is never put a second time while one of them is known.
 * (3) A row that was written after the cut that names its chunk goes with that cut all the same, until a
 *     later one has shown it, or shown that it is gone again.
 * (4) A chunk is safe when a state of this epoch that is in the bucket names it and says where it lies:
 *     what was learned after a state was made is not, until the next one is there.
 */
import type { ChunkId } from "../../base/units.ts";
import {
  type EpochRow,
  type KeyValueOperation,
  type RemoteChainRow,
  type RemoteChunkRow,
  type RemoteGarbageRow,
  remoteFactOf,
} from "../../manifest/index.ts";
import { parseKey } from "../../sink/index.ts";
import type { Steps } from "../format/steps.ts";

const STEP_ROWS = 128;

export interface UnseenRow {
  readonly row: RemoteChunkRow;
  /** Of the commit that wrote it. */
  readonly generation: number;
}

export class BucketView {
  readonly #file: string;
  readonly #named = new Set<ChunkId>();
  readonly #missing = new Set<ChunkId>();
  readonly #remote = new Map<ChunkId, RemoteChunkRow>();
  readonly #unseen = new Map<ChunkId, UnseenRow>();
  /** See (4): in no state that was made; and in none before the one that is under way. */
  readonly #fresh = new Set<ChunkId>();
  readonly #underWay = new Set<ChunkId>();
  readonly #garbage = new Map<string, RemoteGarbageRow>();
  /** Epochs of the keys of chunks that are garbage. */
  readonly #left = new Map<ChunkId, number>();
  readonly #chains = new Map<string, RemoteChainRow>();
  readonly #epochs = new Map<number, EpochRow>();

  /** `file`: where the rows come from, for messages. */
  constructor(file: string) {
    this.#file = file;
  }

  /** A base begins: all rows come anew. */
  clear(): void {
    const { values } = this.#parts();
    for (const each of values) each.clear();
  }

  learn(rows: Iterable<KeyValueOperation>): void {
    for (const operation of rows) this.#learn(operation);
  }

  /** The same of very many, in steps. */
  *learnSteps(rows: readonly KeyValueOperation[]): Steps<void> {
    for (const [index, operation] of rows.entries()) {
      this.#learn(operation);
      if (index % STEP_ROWS === 0) yield;
    }
  }

  /** A row was written here that no cut has shown yet. */
  put(row: RemoteChunkRow, generation: number): void {
    this.#setRemote(row);
    this.#unseen.set(row.chunk, { row, generation });
    this.#missing.delete(row.chunk);
  }

  /** See (3). */
  get unseen(): Iterable<UnseenRow> {
    return this.#unseen.values();
  }

  /** A state was made of all that is known here. See (4). */
  stateMade(): void {
    for (const chunk of this.#fresh) this.#underWay.add(chunk);
    this.#fresh.clear();
  }

  /** It is in the bucket. */
  statePut(): void {
    this.#underWay.clear();
  }

  /** See (4). */
  isSafe(chunk: ChunkId): boolean {
    const isThere = this.#named.has(chunk) && this.#remote.has(chunk);
    return isThere && !this.#fresh.has(chunk) && !this.#underWay.has(chunk);
  }

  putChain(chain: RemoteChainRow): void {
    this.#chains.set(keyOf(chain), chain);
  }

  /** Chunks that the page map names and the bucket lacks. */
  get missing(): readonly ChunkId[] {
    return [...this.#missing];
  }

  isMissing(chunk: ChunkId): boolean {
    return this.#missing.has(chunk);
  }

  /** Of the key under which it lies there; undefined if it does not. */
  epochOf(chunk: ChunkId): number | undefined {
    return this.#remote.get(chunk)?.epoch ?? this.#left.get(chunk);
  }

  /** A row tells of this object of a chunk. */
  knowsObject(key: string): boolean {
    const place = parseKey(key);
    const isNamed = place?.kind === "chunk" && this.epochOf(place.id as ChunkId) === place.epoch;
    return isNamed || this.#garbage.has(key);
  }

  get garbage(): Iterable<RemoteGarbageRow> {
    return this.#garbage.values();
  }

  get chains(): Iterable<RemoteChainRow> {
    return this.#chains.values();
  }

  get epochs(): Iterable<EpochRow> {
    return this.#epochs.values();
  }

  /** What commits spilled below an LSN, and no checkpoint has taken over. */
  spilledBelow(checkpointLsn: number): RemoteChunkRow[] {
    return [...this.#remote.values()].filter(({ chunk, namedLsn }) => {
      return namedLsn > 0 && namedLsn <= checkpointLsn && !this.#named.has(chunk);
    });
  }

  #learn(operation: KeyValueOperation): void {
    const fact = remoteFactOf(operation, this.#file);
    switch (fact?.of) {
      case "chunk":
        this.#learnNamed(fact.key, fact.row !== undefined);
        this.#weigh(fact.key);
        return;
      case "remote chunk":
        this.#unseen.delete(fact.key);
        if (fact.row === undefined) this.#remote.delete(fact.key);
        else this.#setRemote(fact.row);
        this.#weigh(fact.key);
        return;
      case "garbage":
        this.#learnGarbage(fact.key, fact.row);
        return;
      case "chain":
        if (fact.row === undefined) this.#chains.delete(keyOf(fact.key));
        else this.#chains.set(keyOf(fact.key), fact.row);
        return;
      case "epoch":
        if (fact.row === undefined) this.#epochs.delete(fact.key);
        else this.#epochs.set(fact.key, fact.row);
        return;
    }
  }

  #learnNamed(chunk: ChunkId, isNamed: boolean): void {
    if (isNamed && !this.#named.has(chunk)) this.#fresh.add(chunk);
    if (isNamed) this.#named.add(chunk);
    else this.#named.delete(chunk);
  }

  #setRemote(row: RemoteChunkRow): void {
    const known = this.#remote.get(row.chunk);
    if (known?.epoch !== row.epoch) this.#fresh.add(row.chunk);
    this.#remote.set(row.chunk, row);
  }

  #weigh(chunk: ChunkId): void {
    const isMissing = this.#named.has(chunk) && !this.#remote.has(chunk);
    if (isMissing) this.#missing.add(chunk);
    else this.#missing.delete(chunk);
  }

  #learnGarbage(key: string, row: RemoteGarbageRow | undefined): void {
    const place = parseKey(key);
    if (row === undefined) this.#garbage.delete(key);
    else this.#garbage.set(key, row);
    if (place?.kind !== "chunk") return;
    const chunk = place.id as ChunkId;
    if (row?.state === "unreferenced") this.#left.set(chunk, place.epoch);
    else if (this.#left.get(chunk) === place.epoch) this.#left.delete(chunk);
  }

  #parts() {
    const sets = [this.#named, this.#missing, this.#fresh, this.#underWay];
    const maps = [
      this.#remote,
      this.#unseen,
      this.#garbage,
      this.#left,
      this.#chains,
      this.#epochs,
    ];
    return { values: [...sets, ...maps] };
  }
}

const keyOf = ({ epoch, number }: { epoch: number; number: number }): string =>
  `${epoch}/${number}`;
