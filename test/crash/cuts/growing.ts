/** Bytes that grow when something is written behind their end, with zeros between. */

const FIRST_BYTES = 4096;

export class Growing {
  #memory: Uint8Array;
  #length: number;

  constructor(bytes: Uint8Array) {
    this.#memory = bytes;
    this.#length = bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.#length);
  }

  write(at: number, bytes: Uint8Array): void {
    if (at + bytes.length > this.#length) this.resize(at + bytes.length);
    this.#memory.set(bytes, at);
  }

  resize(length: number): void {
    if (length > this.#memory.length) {
      const grown = new Uint8Array(Math.max(length, FIRST_BYTES, this.#memory.length * 2));
      grown.set(this.bytes);
      this.#memory = grown;
    } else if (length < this.#length) this.#memory.fill(0, length, this.#length);
    this.#length = length;
  }
}
