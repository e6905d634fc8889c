/**
 * MEMORY OF ENTRIES: many small ones share a slab, so that an append makes no memory of its own. A
 * slab is let go when the last entry in it is.
 */
import { NO_BYTES, type StoredEntry } from "./operations.ts";

const SLAB_BYTES = 65_536;
/** What is larger gets memory of its own. */
const SHARED_BYTES_MAX = 8192;

/** An entry in a slab: where its payload lies, as numbers. A view is made when somebody looks. */
export class SlabEntry implements StoredEntry {
  readonly term: bigint;
  readonly field = NO_BYTES;
  readonly payloadBytes: number;
  readonly #slab: Uint8Array;
  readonly #at: number;

  constructor(term: bigint, { slab, at, bytes }: SlabPlace) {
    this.term = term;
    this.#slab = slab;
    this.#at = at;
    this.payloadBytes = bytes;
  }

  get payload(): Uint8Array {
    return this.#slab.subarray(this.#at, this.#at + this.payloadBytes);
  }
}

interface SlabPlace {
  readonly slab: Uint8Array;
  readonly at: number;
  readonly bytes: number;
}

/** Without a view being made for it. */
export function payloadBytesOf(entry: StoredEntry): number {
  return entry instanceof SlabEntry ? entry.payloadBytes : entry.payload.length;
}

export class Arena {
  #slab = new Uint8Array(0);
  #at = 0;

  /** Copies a payload that is no larger than SHARED_BYTES_MAX. */
  store(term: bigint, payload: Uint8Array): SlabEntry {
    const bytes = payload.length;
    if (this.#at + bytes > this.#slab.length) this.#renew();
    const at = this.#at;
    this.#slab.set(payload, at);
    this.#at += bytes;
    return new SlabEntry(term, { slab: this.#slab, at, bytes });
  }

  /** Memory of this many bytes, zeroed or not, that nobody else is given before `keep`. */
  reserve(bytes: number): Uint8Array {
    if (bytes > SHARED_BYTES_MAX) return new Uint8Array(bytes);
    if (this.#at + bytes > this.#slab.length) this.#renew();
    return this.#slab.subarray(this.#at);
  }

  /** So many bytes of what was reserved last are in use. */
  keep(reserved: Uint8Array, bytes: number): void {
    if (reserved.buffer === this.#slab.buffer) this.#at += bytes;
  }

  #renew(): void {
    this.#slab = new Uint8Array(SLAB_BYTES);
    this.#at = 0;
  }
}
