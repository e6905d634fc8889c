/**
 * WHAT THE SPILLS OF A STORE HAVE IN COMMON, and what goes on behind their backs: files that are
 * being closed or removed while nobody waits.
 */
import { type ChunkId, chunkId } from "../../base/units.ts";
import type { ManifestState } from "../../manifest/index.ts";
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

/** What the manifest says. */
type GivenIds = Pick<ManifestState, "nextChunkId" | "remoteChunks">;

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

  /**
   * The lowest id that no chunk has, here or in the bucket: ids of spills are in no state of the manifest
   * before a checkpoint takes them over. One that only a row of the bucket tells of was put by a writer
   * whose log ended before the commit that names it.
   */
  freeId({ nextChunkId, remoteChunks }: GivenIds): ChunkId {
    let highest = Math.max(nextChunkId - 1, this.shelf.highest);
    for (const { chunk } of remoteChunks) highest = Math.max(highest, chunk);
    return chunkId(highest + 1);
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
