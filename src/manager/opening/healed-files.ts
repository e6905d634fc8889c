/**
 * FILES THAT WERE DAMAGED HERE and were made whole from the sink: the newest of them, for people; and
 * word of each, for who did without it.
 */
import type { Clock } from "../../base/env.ts";
import type { ChunkId } from "../../base/units.ts";
import type { HealedChunk } from "../../page-store/index.ts";

export interface HealedFile {
  readonly file: string;
  /** What was wrong with it. */
  readonly why: string;
  readonly at: Date;
}

export class HealedFiles {
  readonly #clock: Clock;
  #last: HealedFile | undefined;
  #tell: (chunk: ChunkId) => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined if there was none since the store was opened. */
  get last(): HealedFile | undefined {
    return this.#last;
  }

  /** Whoever is to hear of each from now on. */
  tell(listener: (chunk: ChunkId) => void): void {
    this.#tell = listener;
  }

  add({ chunk, file, why }: HealedChunk): void {
    this.#last = { file, why, at: new Date(this.#clock.wallMs()) };
    this.#tell(chunk);
  }
}
