/**
 * PAGES THAT ARE AWAY, for tests: a page space of which one read, the n-th, finds its page away, or
 * fails otherwise. Asked again, the page is there.
 */
import { type MemoryPageSpace, type PageSpace, PagesAway } from "../page-store/index.ts";

export class AwaySpace {
  readonly space: PageSpace;
  /** Reads that were made. */
  reads = 0;
  /** Number of the read that misses; 0: none. */
  missAt = 0;
  misses = 0;
  /** Thrown in place of PagesAway. */
  error: Error | undefined;

  constructor(memory: MemoryPageSpace) {
    this.space = {
      get newestLsn() {
        return memory.newestLsn;
      },
      transactionMemoryBytes: memory.transactionMemoryBytes,
      pin: (atMost) => memory.pin(atMost),
      unpin: (snapshot) => memory.unpin(snapshot),
      takeBuffer: (pageBytes) => memory.takeBuffer(pageBytes),
      spill: () => memory.spill(),
      stage: (change) => memory.stage(change),
      read: (snapshot, pageNumber) => {
        this.reads += 1;
        if (this.reads === this.missAt) {
          this.misses += 1;
          throw (
            this.error ?? new PagesAway({ database: "it", pageNumber }, () => Promise.resolve())
          );
        }
        return memory.read(snapshot, pageNumber);
      },
    };
  }
}
