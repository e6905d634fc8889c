/**
 * WRITES THE NUMBERS OF OUR EPOCH, one after the other. This is where a writer learns that it has
 * been replaced: the number that it wants next is taken, by a fence.
 *
 * (1) One put at a time, and number n + 1 only when n is known to be there: so what is there is
 *     dense, and at most one number of ours is ever open.
 * (2) As long as the outcome of a put is not known, its number keeps its body and its put id. An
 *     outcome that is unclear is neither success nor failure: `append` rejects, and the next call
 *     must bring the same body, which gets the answer that the first one did not hear.
 * (3) Whatever else is found under our number, be it a fence or data (a second process that believes
 *     to have this epoch, such as a copy of a virtual machine), ends this writer for good.
 */
import { assert } from "../../base/assert.ts";
import type { Random } from "../../base/env.ts";
import type { StorageError } from "../../base/errors.ts";
import { type Bucket, newPutId } from "./bucket.ts";
import { whoIsThere } from "./fenced.ts";

export interface NumberedWriterOptions {
  readonly bucket: Bucket;
  readonly kind: "manifest" | "wal";
  readonly epoch: number;
  readonly random: Random;
  /** Where it begins. Default 0: the epoch is new. */
  readonly number?: number;
}

interface Pending {
  readonly body: Uint8Array;
  readonly putId: string;
}

export class NumberedWriter {
  readonly kind: "manifest" | "wal";
  readonly epoch: number;
  readonly #bucket: Bucket;
  readonly #random: Random;
  #number: number;
  #pending: Pending | undefined;
  #isPutting = false;
  #fenced: StorageError<"BOP_FENCED"> | undefined;

  constructor({ bucket, kind, epoch, random, number = 0 }: NumberedWriterOptions) {
    this.kind = kind;
    this.epoch = epoch;
    this.#bucket = bucket;
    this.#random = random;
    this.#number = number;
  }

  /** The next one; so many objects of ours are there. */
  get number(): number {
    return this.#number;
  }

  /** The body whose outcome is not known. */
  get pending(): Uint8Array | undefined {
    return this.#pending?.body;
  }

  get fenced(): StorageError<"BOP_FENCED"> | undefined {
    return this.#fenced;
  }

  /** Its number, once it is there. BOP_FENCED if we are not the writer any more. See (2). */
  async append(
    body: Uint8Array,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<number> {
    if (this.#fenced !== undefined) throw this.#fenced;
    assert(!this.#isPutting, "one put of a sequence at a time");
    this.#pending ??= { body, putId: newPutId(this.#random) };
    assert(this.#pending.body === body, "a number keeps its body until its outcome is known");
    this.#isPutting = true;
    try {
      return await this.#put(this.#pending, signal);
    } finally {
      this.#isPutting = false;
    }
  }

  async #put({ body, putId }: Pending, signal: AbortSignal | undefined): Promise<number> {
    const { kind, epoch } = this;
    const number = this.#number;
    const place = { kind, epoch, number };
    const created = await this.#bucket.create(place, { body, putId, signal });
    if (created === "created") {
      this.#pending = undefined;
      this.#number = number + 1;
      return number;
    }
    const fenced = await whoIsThere(this.#bucket, place, signal);
    this.#pending = undefined;
    this.#fenced = fenced;
    throw fenced;
  }
}
