/**
 * A PAGE SPACE IN MEMORY that is easy to see through: the model with which the real one is
 * compared, and the ground under tests of everything above.
 *
 * (1) Every version of every page is kept for ever, under the LSN of its commit.
 * (2) A page that a commit cut off, or that was not written again when the size of pages changed,
 *     has a version without an image from then on, and reads as zeros.
 * (3) What a snapshot saw once it sees always: images are never changed after `seal`.
 */
import { assert, present } from "../base/assert.ts";
import { LSN_ZERO, type Lsn, lsnAfter, type PageNumber } from "../base/units.ts";
import type { PageSetChange, PageSpace, PageSpill, Snapshot, StagedCommit } from "./page-space.ts";

interface PageVersion {
  readonly lsn: Lsn;
  readonly image: Uint8Array | undefined;
}

/** What one commit adds to the LSN: the model has no frames, so any step will do. */
const STEP = 100;

export class MemoryPageSpace implements PageSpace {
  /** Set by tests of what happens beyond it. */
  transactionMemoryBytes = Number.POSITIVE_INFINITY;
  /** Spills that were neither closed nor discarded. */
  readonly spills = new Set<PageSpill>();
  readonly #moments: Snapshot[] = [{ lsn: LSN_ZERO, pageCount: 0, pageBytes: 0 }];
  readonly #versions = new Map<number, PageVersion[]>();
  readonly #pins = new Map<Snapshot, number>();
  #staged: StagedCommit | undefined;

  get newestLsn(): Lsn {
    return this.#newest().lsn;
  }

  /** Pins not given back yet. */
  get pinned(): number {
    let count = 0;
    for (const pins of this.#pins.values()) count += pins;
    return count;
  }

  pin(atMost: Lsn): Snapshot {
    const found = this.#moments.findLast((moment) => moment.lsn <= atMost);
    const snapshot = present(found, "no moment lies at or below zero");
    this.#pins.set(snapshot, (this.#pins.get(snapshot) ?? 0) + 1);
    return snapshot;
  }

  unpin(snapshot: Snapshot): void {
    const pins = this.#pins.get(snapshot) ?? 0;
    assert(pins > 0, "unpinned a snapshot that was not pinned");
    if (pins === 1) this.#pins.delete(snapshot);
    else this.#pins.set(snapshot, pins - 1);
  }

  read(snapshot: Snapshot, pageNumber: PageNumber): Uint8Array {
    assert(this.#pins.has(snapshot), "read through a snapshot that is not pinned");
    const versions = this.#versions.get(pageNumber) ?? [];
    const found = versions.findLast((version) => version.lsn <= snapshot.lsn);
    if (pageNumber > snapshot.pageCount || found?.image === undefined) {
      return new Uint8Array(snapshot.pageBytes);
    }
    assert(found.image.length === snapshot.pageBytes, "a page of another size");
    return found.image;
  }

  takeBuffer(pageBytes: number): Uint8Array {
    return new Uint8Array(pageBytes);
  }

  spill(): PageSpill {
    const spill = new MemorySpill(() => this.spills.delete(spill));
    this.spills.add(spill);
    return spill;
  }

  stage({ spill, ...inMemory }: PageSetChange): StagedCommit {
    const spilled = spill === undefined ? [] : (spill as MemorySpill).upTo(inMemory.pageCount);
    const change = { ...inMemory, pages: new Map([...spilled, ...inMemory.pages]) };
    const { base, pageCount, pageBytes, pages } = change;
    assert(this.#staged === undefined, "one commit is staged at a time");
    assert(base.lsn === this.newestLsn, "staged against a snapshot that is not the newest");
    for (const [pageNumber, image] of pages) {
      assert(
        pageNumber >= 1 && pageNumber <= pageCount,
        () => `page ${pageNumber} of ${pageCount}`,
      );
      assert(image.length === pageBytes, () => `page ${pageNumber} has ${image.length} bytes`);
    }
    const staged: StagedCommit = {
      seal: () => {
        this.#release(staged);
        return this.#publish(change);
      },
      discard: () => this.#release(staged),
    };
    this.#staged = staged;
    return staged;
  }

  #release(staged: StagedCommit): void {
    assert(this.#staged === staged, "a staged commit is sealed or discarded once");
    this.#staged = undefined;
  }

  #publish({ base, pageCount, pageBytes, pages }: PageSetChange): Lsn {
    const lsn = lsnAfter(this.newestLsn, STEP);
    for (const [pageNumber, image] of pages) this.#add(pageNumber, { lsn, image });
    for (const pageNumber of this.#versions.keys()) {
      if (pages.has(pageNumber)) continue;
      const resized = base.pageBytes !== pageBytes;
      if (resized || pageNumber > pageCount) this.#add(pageNumber, { lsn, image: undefined });
    }
    this.#moments.push({ lsn, pageCount, pageBytes });
    return lsn;
  }

  #add(pageNumber: number, version: PageVersion): void {
    const versions = this.#versions.get(pageNumber);
    if (versions === undefined) this.#versions.set(pageNumber, [version]);
    else versions.push(version);
  }

  #newest(): Snapshot {
    return present(this.#moments.at(-1), "the first moment is never taken away");
  }
}

class MemorySpill implements PageSpill {
  readonly #pages = new Map<number, Uint8Array>();
  readonly #end: () => void;

  constructor(end: () => void) {
    this.#end = end;
  }

  put(pages: ReadonlyMap<number, Uint8Array>): void {
    for (const [pageNumber, image] of pages) this.#pages.set(pageNumber, image.slice());
  }

  get(pageNumber: number): Uint8Array | undefined {
    return this.#pages.get(pageNumber);
  }

  async settle(): Promise<void> {}

  truncate(pageCount: number): void {
    for (const pageNumber of this.#pages.keys()) {
      if (pageNumber > pageCount) this.#pages.delete(pageNumber);
    }
  }

  upTo(pageCount: number): [number, Uint8Array][] {
    return [...this.#pages].filter(([pageNumber]) => pageNumber <= pageCount);
  }

  close(): void {
    this.#end();
  }

  discard(): void {
    this.#end();
  }
}
