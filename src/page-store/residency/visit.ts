/** A VISIT: what was brought for one statement, which stays until that ends. */
import type { ChunkId } from "../../base/units.ts";
import type { ChunkPlaces } from "./chunk-places.ts";
import type { RemoteVisit } from "./remote-chunks.ts";

export class Visit implements RemoteVisit {
  misses = 0;
  readonly signal: AbortSignal | undefined;
  readonly #places: ChunkPlaces;
  readonly #held = new Set<ChunkId>();
  readonly #ended: () => void;
  #isOver = false;

  /** `ended`: what it held may be evicted now. */
  constructor(places: ChunkPlaces, ended: () => void, signal: AbortSignal | undefined) {
    this.#places = places;
    this.#ended = ended;
    this.signal = signal;
  }

  hold(chunk: ChunkId): void {
    if (this.#isOver || this.#held.has(chunk)) return;
    this.#held.add(chunk);
    this.#places.hold(chunk);
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const chunk of this.#held) this.#places.letGo(chunk);
    if (this.#held.size > 0) this.#ended();
    this.#held.clear();
  }
}
