/**
 * READS THAT LEAVE ROOM FOR OTHERS: no faster than the pace, in pieces, and what is computed over them
 * in slices.
 *
 * (1) What the device refuses to give is an answer, not an error: that is what is looked for.
 */
import type { Clock, File, Storage } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import { MIB } from "../../base/units.ts";
import { Pace } from "./pace.ts";

export interface PacedReadsOptions {
  readonly clock: Clock;
  readonly storage: Pick<Storage, "open">;
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
}

export type FileBytes =
  | { readonly type: "bytes"; readonly bytes: Uint8Array }
  | { readonly type: "missing" }
  | { readonly type: "unreadable"; readonly why: string };

export interface FileRange {
  readonly offset: number;
  readonly bytes: number;
}

const PIECE_BYTES = MIB;

export class PacedReads {
  readonly signal: AbortSignal;
  readonly #options: PacedReadsOptions;
  readonly #pace: Pace;
  #readBytes = 0;

  constructor(options: PacedReadsOptions) {
    this.#options = options;
    this.signal = options.signal;
    this.#pace = new Pace(options.bytesPerSecond);
  }

  /** Asked for so far. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** Resolves when so much may be read. Rejects with the signal's reason. */
  async take(bytes: number): Promise<void> {
    this.signal.throwIfAborted();
    const { clock } = this.#options;
    const waitMs = this.#pace.take(bytes, clock.monotonicMs());
    this.#readBytes += bytes;
    if (waitMs > 0) await clock.sleep(waitMs, this.signal);
  }

  /** A file, or a range of it as far as the file reaches. */
  async file(path: string, range?: FileRange): Promise<FileBytes> {
    let file: File | undefined;
    try {
      file = await this.#options.storage.open(path, "read");
      const size = await file.size();
      const from = range?.offset ?? 0;
      const to = range === undefined ? size : Math.min(size, from + range.bytes);
      return { type: "bytes", bytes: await this.#fill(file, { from, to }) };
    } catch (error) {
      this.signal.throwIfAborted();
      const code = systemCode(error);
      if (code === undefined) throw error;
      if (code === "ENOENT") return { type: "missing" };
      return { type: "unreadable", why: `it cannot be read: ${code}` };
    } finally {
      await file?.close().catch(() => undefined); // It was only read.
    }
  }

  /** What a check in pieces comes to; others run between them. */
  async sliced<T>(pieces: Generator<void, T>): Promise<T> {
    const slice = new TimeSlice(this.#options.clock);
    while (true) {
      const piece = pieces.next();
      if (piece.done === true) return piece.value;
      const pause = slice.step();
      if (pause === undefined) continue;
      await pause;
      this.signal.throwIfAborted();
    }
  }

  async turn(): Promise<void> {
    await nextTurn(this.#options.clock);
    this.signal.throwIfAborted();
  }

  async #fill(file: File, { from, to }: { from: number; to: number }): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, to - from));
    for (let done = 0; done < bytes.length; ) {
      const piece = bytes.subarray(done, done + PIECE_BYTES);
      await this.take(piece.length);
      const count = await file.read(piece, from + done);
      if (count === 0) return bytes.subarray(0, done);
      done += count;
    }
    return bytes;
  }
}
