/**
 * COMMITS OF THE PAST PUT TOGETHER INTO ONE, on the pages of the fork that they are for.
 *
 *     base of the fork ◄── commit, commit, … (deltas, whole pages, sizes) ──► changed pages ──► commit
 *
 * (1) A delta is put on what the commits before it have left, or on the base: its sum proves the page.
 * (2) Pages above the size that the database had at any commit between are zeros, whatever the base
 *     has there; a database that changed the size of its pages has nothing of its base.
 * (3) Pages of the base that are in the bucket are brought on the way.
 * (4) What is more than a few megabytes goes to the spill of the transaction: to stage so much at
 *     once would hold up everybody else.
 */
import type { Clock } from "../../base/env.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import { MIB, type PageNumber } from "../../base/units.ts";
import {
  type PageSpace,
  type PageSpill,
  PagesAway,
  type Snapshot,
} from "../../page-store/index.ts";
import type { Log, ReplayedCommit, ReplayedFrame } from "../../write/index.ts";
import { LongRead, type PageWaits } from "../queries/page-waits.ts";

export interface ReplayTarget {
  /** Of the fork; nobody else writes to it. */
  readonly space: PageSpace;
  readonly pages: PageWaits;
  readonly log: Pick<Log, "durable">;
  readonly clock: Clock;
  readonly assertWritable: () => void;
}

/** See (4). */
const MEMORY_BYTES_MAX = 8 * MIB;

/**
 * Resolves when the commit is durable; does nothing where there are no commits. "spilled": one of
 * them left its pages in chunks, which may be gone by now; nothing was committed then.
 */
export async function replayInto(
  { space, pages, log, clock, assertWritable }: ReplayTarget,
  commits: AsyncIterable<ReplayedCommit>,
): Promise<"done" | "spilled"> {
  const base = space.pin(space.newestLsn);
  const draft = new Draft(space, base);
  const reading = new LongRead(pages);
  const slice = new TimeSlice(clock);
  try {
    for await (const commit of commits) {
      for (const frame of draft.begin(commit)) {
        if (frame.kind === "spill") return "spilled";
        try {
          draft.take(frame);
        } catch (error) {
          if (!(error instanceof PagesAway)) throw error;
          await reading.run(() => draft.take(frame));
        }
        if (!slice.isOver) continue;
        await slice.next();
        assertWritable();
      }
    }
    const sealed = await draft.seal();
    if (sealed !== undefined) await log.durable(sealed);
    return "done";
  } finally {
    reading.end();
    draft.discard();
    space.unpin(base);
  }
}

class Draft {
  readonly #space: PageSpace;
  readonly #base: Snapshot;
  readonly #pages = new Map<number, Uint8Array>();
  #bytes = 0;
  #spill: PageSpill | undefined;
  #pageCount: number;
  #pageBytes: number;
  /** Pages of the base that still count. */
  #baseCount: number;
  #hasCommits = false;

  constructor(space: PageSpace, base: Snapshot) {
    this.#space = space;
    this.#base = base;
    this.#pageCount = this.#baseCount = base.pageCount;
    this.#pageBytes = base.pageBytes;
  }

  /** Takes the size that a commit leaves; returns its frames. */
  begin({ pageCount, pageBytes, frames }: ReplayedCommit): readonly ReplayedFrame[] {
    this.#hasCommits = true;
    if (pageBytes !== this.#pageBytes) this.#forgetAll(pageBytes);
    else if (pageCount < this.#pageCount) this.#truncate(pageCount);
    this.#pageCount = pageCount;
    return frames;
  }

  take(frame: ReplayedFrame): void {
    if (frame.kind === "page") this.#put(frame.pageNumber, frame.image.slice());
    else if (frame.kind === "delta") {
      this.#put(frame.pageNumber, frame.apply(this.#read(frame.pageNumber)));
    }
  }

  /** Undefined if there were no commits. */
  async seal() {
    if (!this.#hasCommits) return undefined;
    this.#coverBase();
    await this.#spill?.settle();
    const size = { pageCount: this.#pageCount, pageBytes: this.#pageBytes };
    const spill = this.#spill;
    const change = { base: this.#base, ...size, pages: this.#pages, ...(spill && { spill }) };
    const lsn = this.#space.stage(change).seal();
    spill?.close();
    return lsn;
  }

  /** Nothing after `seal`. */
  discard(): void {
    this.#spill?.discard();
  }

  #put(pageNumber: number, image: Uint8Array): void {
    if (!this.#pages.has(pageNumber)) this.#bytes += image.length;
    this.#pages.set(pageNumber, image);
    const { transactionMemoryBytes } = this.#space;
    if (this.#bytes <= Math.min(MEMORY_BYTES_MAX, transactionMemoryBytes)) return;
    this.#spill ??= this.#space.spill(this.#base, this.#pageBytes);
    this.#spill.put(this.#pages);
    this.#pages.clear();
    this.#bytes = 0;
  }

  /** See (1). */
  #read(pageNumber: PageNumber): Uint8Array {
    const changed = this.#pages.get(pageNumber) ?? this.#spill?.get(pageNumber);
    if (changed !== undefined) return changed;
    if (pageNumber > this.#baseCount) return new Uint8Array(this.#pageBytes);
    return this.#space.read(this.#base, pageNumber);
  }

  /** See (2): what the base has there would show through. */
  #coverBase(): void {
    const { pageCount, pageBytes } = this.#base;
    if (pageBytes !== this.#pageBytes) return; // The base is gone as a whole.
    const last = Math.min(pageCount, this.#pageCount);
    for (let page = this.#baseCount + 1; page <= last; page += 1) {
      const isThere = this.#pages.has(page) || this.#spill?.get(page) !== undefined;
      if (!isThere) this.#put(page, new Uint8Array(pageBytes));
    }
  }

  #truncate(pageCount: number): void {
    for (const [pageNumber, image] of this.#pages) {
      if (pageNumber <= pageCount) continue;
      this.#pages.delete(pageNumber);
      this.#bytes -= image.length;
    }
    this.#spill?.truncate(pageCount);
    this.#baseCount = Math.min(this.#baseCount, pageCount);
  }

  #forgetAll(pageBytes: number): void {
    this.#truncate(0);
    this.#spill?.discard();
    this.#spill = undefined;
    this.#pageBytes = pageBytes;
  }
}
