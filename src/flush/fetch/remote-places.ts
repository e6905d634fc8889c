/**
 * WHERE EACH CHUNK LIES IN THE BUCKET, as the rows of the manifest say at this moment: those that are
 * named, and those that are garbage and may not be gone yet.
 *
 * (1) It is as of the newest commit, not of what was shipped: what a row says is there was put.
 * (2) Garbage counts until its row goes: whoever began to read a chunk before it died may end. What was
 *     announced before the store was opened has no such reader, and may be gone.
 * (3) What is orphaned may be another chunk of the same id (bucket-orphans.ts).
 */
import type { ChunkId } from "../../base/units.ts";
import {
  isRemotePlace,
  type KeyValueOperation,
  type ManifestState,
  type RemoteChunkRow,
  type RemoteGarbageRow,
  remoteFactOf,
} from "../../manifest/index.ts";
import { parseKey } from "../../sink/index.ts";

export interface RemotePlace {
  /** Of the key. */
  readonly epoch: number;
  readonly fileBytes: number;
}

/** Rows as they were when the store was opened. */
export type RemoteRows = Pick<ManifestState, "remoteChunks" | "remoteGarbage" | "shipping">;

export class RemotePlaces {
  readonly #file: string;
  readonly #named = new Map<ChunkId, RemotePlace>();
  readonly #left = new Map<ChunkId, RemotePlace>();
  #bucket: string | undefined;

  /** `file`: where the rows come from, for messages. */
  constructor(rows: RemoteRows, file: string) {
    this.#file = file;
    this.#bucket = rows.shipping?.bucket;
    for (const row of rows.remoteChunks) this.#named.set(row.chunk, placeOf(row));
    for (const row of rows.remoteGarbage) this.#learnGarbage(row.key, row);
  }

  /** Which bucket the rows speak of; undefined if the store never shipped. */
  get bucket(): string | undefined {
    return this.#bucket;
  }

  find(chunk: ChunkId): RemotePlace | undefined {
    return this.#named.get(chunk) ?? this.#left.get(chunk);
  }

  /** A state, or the log, may name it. */
  isNamed(chunk: ChunkId): boolean {
    return this.#named.has(chunk);
  }

  /** A commit has taken place. */
  learn(rows: Iterable<KeyValueOperation>): void {
    for (const operation of rows) {
      if (!isRemotePlace(operation)) continue;
      const fact = remoteFactOf(operation, this.#file);
      if (fact?.of === "shipping") this.#bucket = fact.row?.bucket;
      else if (fact?.of === "garbage") this.#learnGarbage(fact.key, fact.row);
      else if (fact?.of === "remote chunk") {
        if (fact.row === undefined) this.#named.delete(fact.key);
        else this.#named.set(fact.key, placeOf(fact.row));
      }
    }
  }

  #learnGarbage(key: string, row: RemoteGarbageRow | undefined): void {
    const place = parseKey(key);
    if (place?.kind !== "chunk") return;
    const chunk = place.id as ChunkId;
    const isKnown = this.#left.get(chunk)?.epoch === place.epoch;
    if (row === undefined && isKnown) this.#left.delete(chunk);
    if (row?.state !== "unreferenced") return; // See (2) and (3).
    this.#left.set(chunk, { epoch: place.epoch, fileBytes: row.bytes });
  }
}

const placeOf = ({ epoch, fileBytes }: RemoteChunkRow): RemotePlace => ({ epoch, fileBytes });
