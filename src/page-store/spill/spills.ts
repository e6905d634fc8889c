/**
 * WHAT THE SPILLS OF A STORE HAVE IN COMMON, and what goes on behind their backs: files that are
 * being closed or removed while nobody waits.
 */
import { type ChunkId, chunkId } from "../../base/units.ts";
import type { ResolvedPageStoreLimits } from "../limits.ts";
import type { SpillGround } from "./spill.ts";
import type { ShelfPlace, SpillShelf } from "./spill-shelf.ts";

export interface SpillsParts {
  readonly place: ShelfPlace;
  readonly limits: ResolvedPageStoreLimits;
  readonly generation: () => number;
  readonly nextChunkId: () => ChunkId;
  readonly durableFolders: Set<string>;
}

export class Spills {
  readonly shelf: SpillShelf;
  readonly ground: SpillGround;
  readonly #errands = new Set<Promise<void>>();

  constructor(shelf: SpillShelf, { place, limits, ...parts }: SpillsParts) {
    this.shelf = shelf;
    const { chunkBytes: chunkBytesMax, maxTransactionBytes } = limits;
    const settleLater = (work: Promise<void>) => this.#settleLater(work);
    this.ground = { ...place, ...parts, chunkBytesMax, maxTransactionBytes, settleLater };
  }

  /** The lowest id that no chunk has, if `next` is that by the manifest. */
  freeId(next: ChunkId): ChunkId {
    return chunkId(Math.max(next, this.shelf.highest + 1));
  }

  /** What transactions spilled that a crash kept from committing. All of the log is replayed. */
  takeUnclaimed(): ChunkId[] {
    return this.shelf.takeUnclaimed();
  }

  async close(): Promise<void> {
    await Promise.all(this.#errands);
  }

  #settleLater(work: Promise<void>): void {
    this.#errands.add(work);
    void work.finally(() => this.#errands.delete(work));
  }
}
