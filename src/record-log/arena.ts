/**
 * MEMORY OF ENTRIES: many small ones share a slab, so that an append makes no memory of its own. A
 * slab is let go when the last entry in it is.
 */
const SLAB_BYTES = 65_536;
/** What is larger gets memory of its own. */
const SHARED_BYTES_MAX = 8192;

export class Arena {
  #slab = new Uint8Array(0);
  #at = 0;

  /** Memory of this many bytes, zeroed or not, that nobody else is given before `keep`. */
  reserve(bytes: number): Uint8Array {
    if (bytes > SHARED_BYTES_MAX) return new Uint8Array(bytes);
    if (this.#at + bytes > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#at = 0;
    }
    return this.#slab.subarray(this.#at);
  }

  /** So many bytes of what was reserved last are in use. */
  keep(reserved: Uint8Array, bytes: number): void {
    if (reserved.buffer === this.#slab.buffer) this.#at += bytes;
  }
}
