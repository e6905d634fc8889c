/**
 * SPARE PAGE BUFFERS, by size. A commit needs a fresh buffer for every page, and an image that is
 * superseded leaves one behind: passing them on costs a twentieth of letting the collector do it,
 * for which each is an allocation outside of its heap.
 *
 * (1) A buffer that is given back is referred to by nobody. Its content is left as it is.
 */
const SPARE_BYTES_MAX = 16 * 1024 * 1024;

export class PageBuffers {
  readonly #spare = new Map<number, Uint8Array[]>();
  #spareBytes = 0;

  /** A buffer whose content is anything. */
  take(bytes: number): Uint8Array {
    const buffer = this.#spare.get(bytes)?.pop();
    if (buffer === undefined) return new Uint8Array(bytes);
    this.#spareBytes -= bytes;
    return buffer;
  }

  give(buffer: Uint8Array): void {
    // A view on part of something larger would keep the whole alive, and is not ours to hand out.
    if (buffer.byteLength !== buffer.buffer.byteLength) return;
    if (this.#spareBytes + buffer.length > SPARE_BYTES_MAX) return;
    const spare = this.#spare.get(buffer.length);
    if (spare === undefined) this.#spare.set(buffer.length, [buffer]);
    else spare.push(buffer);
    this.#spareBytes += buffer.length;
  }
}
