/**
 * SEQUENCES: who reads pages one after the other, seen from the pages that the cache did not have.
 *
 *   miss 7 ─► miss 8 ─► (8…11) ─► miss 12 ─► (12…19) ─► miss 20 ─► (20…35) ─► …
 *             └ follows 7         └ all of these were wanted: twice as many
 *
 * (1) A miss follows another of the same reader (a database at an LSN) if it lies behind it, and not
 *     more than GAP_PAGES behind what was read ahead. The first that does opens a window of
 *     WINDOW_MIN pages.
 * (2) The window doubles up to WINDOW_MAX while what was read ahead is used. It halves when more than
 *     half of what the reader has gone past was not asked for, or when a page was gone from the cache
 *     before it was; below WINDOW_MIN it closes, as it does when reading ahead failed. It stays closed
 *     for REST_MISSES that follow.
 * (3) At most SEQUENCES_MAX are remembered, PER_READER_MAX for one reader, since misses here and there
 *     look like the beginning of sequences. The one that had no miss for longest is forgotten first.
 *
 * Nothing is done for pages that are found, however they are read.
 */
const WINDOW_MIN = 4;
const WINDOW_MAX = 64;
const GAP_PAGES = 4;
const REST_MISSES = 16;
const SEQUENCES_MAX = 32;
const PER_READER_MAX = 4;

export interface Miss {
  readonly stream: number;
  /** Of the moment that is read at. */
  readonly readerLsn: number;
  readonly pageNumber: number;
}

/** A page that was read ahead. */
export interface AheadPage {
  readonly pageNumber: number;
  readonly location: number;
}

export class Sequence {
  readonly stream: number;
  readonly readerLsn: number;
  /** The newest page that was missed, and the newest that was read with it. */
  pageNumber: number;
  lastPage: number;
  /** Pages to read at once, the one that was missed among them; 0 if it stands alone. */
  window = 0;
  ahead: readonly AheadPage[] = [];
  #restMisses = 0;

  constructor({ stream, readerLsn, pageNumber }: Miss) {
    this.stream = stream;
    this.readerLsn = readerLsn;
    this.pageNumber = pageNumber;
    this.lastPage = pageNumber;
  }

  isOf({ stream, readerLsn }: Miss): boolean {
    return this.stream === stream && this.readerLsn === readerLsn;
  }

  isFollowedBy({ pageNumber }: Miss): boolean {
    return pageNumber > this.pageNumber && pageNumber <= this.lastPage + GAP_PAGES;
  }

  /** See (2). `isUnused`: a location holds a page that was read ahead and not asked for. */
  advance(pageNumber: number, isUnused: (location: number) => boolean): void {
    const passed = this.ahead.filter((page) => page.pageNumber < pageNumber);
    const unused = passed.filter(({ location }) => isUnused(location)).length;
    const isGone = this.ahead.some((page) => page.pageNumber === pageNumber);
    if (isGone || unused * 2 > passed.length) this.#shrink();
    else this.#grow();
    this.pageNumber = pageNumber;
    this.lastPage = pageNumber;
    this.ahead = [];
  }

  /** Reading ahead failed. */
  close(): void {
    this.window = 0;
    this.#restMisses = REST_MISSES;
  }

  /** What was read with the page that was missed, in order. */
  took(ahead: readonly AheadPage[]): void {
    this.ahead = ahead;
    this.lastPage = Math.max(this.pageNumber, ahead.at(-1)?.pageNumber ?? 0);
  }

  #grow(): void {
    if (this.#restMisses > 0) this.#restMisses -= 1;
    else this.window = Math.min(WINDOW_MAX, Math.max(WINDOW_MIN, this.window * 2));
  }

  #shrink(): void {
    if (this.window / 2 < WINDOW_MIN) this.close();
    else this.window /= 2;
  }
}

export class Sequences {
  /** In the order of their newest miss. */
  readonly #sequences: Sequence[] = [];

  /** The sequence that a miss belongs to, its window as it is now. */
  missed(miss: Miss, isUnused: (location: number) => boolean): Sequence {
    const sequences = this.#sequences;
    const index = sequences.findIndex((one) => one.isOf(miss) && one.isFollowedBy(miss));
    const [known] = index < 0 ? [] : sequences.splice(index, 1);
    known?.advance(miss.pageNumber, isUnused);
    if (known === undefined) this.#makeRoom(miss);
    const sequence = known ?? new Sequence(miss);
    sequences.push(sequence);
    return sequence;
  }

  #makeRoom(miss: Miss): void {
    const sequences = this.#sequences;
    const ofReader = sequences.filter((one) => one.isOf(miss)).length;
    const oldest = ofReader < PER_READER_MAX ? 0 : sequences.findIndex((one) => one.isOf(miss));
    if (ofReader >= PER_READER_MAX || sequences.length >= SEQUENCES_MAX)
      sequences.splice(oldest, 1);
  }
}
