/**
 * REQUESTS TO THE BUCKET for bytes of chunks: a bounded number at a time, counted, and ended when the
 * store closes.
 *
 * (1) At most AT_ONCE are under way, first come first served. So memory is bounded: a request brings
 *     no more than SPAN_BYTES_MAX.
 * (2) Once it is closed nobody waits for his turn, though requests may still be under way.
 */
import { StorageError } from "../../base/errors.ts";
import { type ChunkId, MIB } from "../../base/units.ts";
import type { ByteRange, RemoteChunks } from "./remote-chunks.ts";

export const SPAN_BYTES_MAX = 4 * MIB;
const AT_ONCE = 8;

export class Fetcher {
  readonly #remote: RemoteChunks;
  readonly #ending = new AbortController();
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #fetches = 0;
  #fetchedBytes = 0;

  constructor(remote: RemoteChunks) {
    this.#remote = remote;
  }

  get stats(): { readonly fetches: number; readonly fetchedBytes: number; inFlight: number } {
    const [fetches, fetchedBytes, inFlight] = [this.#fetches, this.#fetchedBytes, this.#underWay];
    return { fetches, fetchedBytes, inFlight };
  }

  get isClosed(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Rejects with BOP_CLOSED when the store closes. */
  async fetch(chunk: ChunkId, range: ByteRange): Promise<Uint8Array> {
    const { signal } = this.#ending;
    while (this.#underWay >= AT_ONCE && !signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    signal.throwIfAborted();
    this.#underWay += 1;
    try {
      const bytes = await this.#remote.fetch(chunk, range, signal);
      signal.throwIfAborted();
      if (bytes.length !== range.bytes) throw cutShort(chunk, range, bytes.length);
      this.#fetches += 1;
      this.#fetchedBytes += bytes.length;
      return bytes;
    } finally {
      this.#underWay -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Who waits is told BOP_CLOSED. Idempotent. */
  close(): void {
    this.#ending.abort(closedError());
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export function closedError(): StorageError<"BOP_CLOSED"> {
  const details = { what: "store" };
  return new StorageError("BOP_CLOSED", "the store was closed", { details });
}

function cutShort(chunk: ChunkId, { offset, bytes }: ByteRange, found: number): StorageError {
  const why = `of ${bytes} bytes from ${offset} on ${found} are there`;
  return new StorageError("BOP_SINK_CORRUPT", `chunk ${chunk}: ${why}`, {
    details: { store: "bucket", key: `chunk ${chunk}`, why },
  });
}
