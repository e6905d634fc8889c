/**
 * THE PAGES OF ONE DATABASE: the page space that SQLite sees, put together from its overlay, its page
 * map, the cache and the chunk files.
 *
 *   read:   overlay, newest version above the snapshot's map and at or below its LSN
 *           └ else the map's location ─► cache ─► chunk file ─► cache
 *   write:  stage (frames into the log's buffer) ─► seal (versions into the overlay)
 *
 * (1) What a snapshot reads depends on its LSN and its map only; both are fixed when it is pinned.
 * (2) A delta is made only against the newest version, in memory, above the last checkpoint that was
 *     begun, and at most `deltasMax` deltas away from a full image.
 * (3) An image that is what is there already makes no frame and no version: SQLite writes such.
 */
import { assert } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import { type Lsn, lsnAfter, type PageNumber, type StreamId } from "../base/units.ts";
import {
  LOGGED_WHOLE,
  type ReplayedCommit,
  type ReplayedFrame,
  type StagedFrames,
  UNCHANGED,
} from "../write/index.ts";
import type { Commons } from "./commons.ts";
import { NOWHERE } from "./location.ts";
import { type DatabaseSize, Moment, Moments } from "./moments.ts";
import { type Chain, newVersion, type Onlookers, Overlay, type Version } from "./overlay.ts";
import type { PageMap } from "./page-map.ts";
import type { PageSetChange, PageSpace, PageSpill, Snapshot, StagedCommit } from "./page-space.ts";
import { Spill, tooLarge } from "./spill.ts";
import { stageSpilled } from "./spill-staging.ts";
import { SpilledCommits, type SpilledPages } from "./spilled.ts";
import type { StagedPages, StagingDatabase } from "./staging.ts";
import type { Sweepable, SweepProgress } from "./sweeper.ts";
import { Truncations } from "./truncations.ts";

const PAGE_BYTES_MAX = 65_536;
const ZEROS = new Uint8Array(PAGE_BYTES_MAX);

export class DatabasePages implements PageSpace, StagingDatabase, Sweepable {
  readonly stream: StreamId;
  readonly truncations = new Truncations();
  /** Commits that were too large for the overlay. */
  readonly spilled = new SpilledCommits();
  readonly overlay: Overlay;
  readonly #commons: Commons;
  readonly #moments: Moments;
  readonly #onlookers: Onlookers;
  #map: PageMap;

  constructor(commons: Commons, map: PageMap, newestLsn: Lsn) {
    this.stream = map.stream;
    this.#commons = commons;
    this.#map = map;
    this.#moments = new Moments(new Moment(newestLsn, map, map));
    this.overlay = new Overlay((version, pageNumber) => this.#dropped(version, pageNumber));
    this.#onlookers = this.#makeOnlookers();
  }

  get newestLsn(): Lsn {
    return this.#moments.newest.lsn;
  }

  get size(): DatabaseSize {
    return this.#moments.newest;
  }

  get map(): PageMap {
    return this.#map;
  }

  pin(atMost: Lsn): Snapshot {
    this.#moments.forgetBelow(this.#commons.durableLsn);
    const moment = this.#moments.pin(atMost, this.#map);
    this.#commons.openSnapshots += 1;
    return moment;
  }

  unpin(snapshot: Snapshot): void {
    const moment = own(snapshot);
    this.#commons.openSnapshots -= 1;
    if (!this.#moments.unpin(moment) || moment.map === this.#map) return;
    if (this.#moments.pinned.some(({ map }) => map === moment.map)) return;
    this.#commons.superseded.delete(moment.map);
    this.spilled.forget(this.#map.checkpointLsn, this.#moments.pinned);
    this.#commons.sweeper.request(this);
  }

  takeBuffer(pageBytes: number): Uint8Array {
    return this.#commons.buffers.take(pageBytes);
  }

  read(snapshot: Snapshot, pageNumber: PageNumber): Uint8Array {
    const { lsn, map, pageCount, pageBytes } = own(snapshot);
    assert(pageNumber >= 1, "the first page is page 1");
    if (pageNumber > pageCount) return ZEROS.subarray(0, pageBytes);
    const version = this.overlay.find(pageNumber, lsn);
    const mapLsn = map.checkpointLsn;
    const inOverlay = version !== undefined && version.lsn > mapLsn;
    const foundLsn = inOverlay ? version.lsn : mapLsn;
    const spilled = this.spilled.none ? undefined : this.spilled.find(pageNumber, foundLsn, lsn);
    if (!this.truncations.none) {
      const writtenLsn = spilled?.lsn ?? foundLsn;
      if (this.truncations.hides(pageNumber, writtenLsn, lsn)) return ZEROS.subarray(0, pageBytes);
    }
    if (inOverlay && spilled === undefined) return version.image;
    const location = spilled?.pages.location(pageNumber) ?? map.location(pageNumber);
    if (location === NOWHERE) return ZEROS.subarray(0, pageBytes);
    return this.#commons.cache.get(location) ?? this.#load(pageNumber, location, pageBytes);
  }

  get transactionMemoryBytes(): number {
    return this.#commons.transactionMemoryBytes;
  }

  spill(base: Snapshot, pageBytes: number): PageSpill {
    const { stream } = this;
    return new Spill(this.#commons.spillGround, { stream, pageBytes, lsn: lsnAfter(base.lsn, 1) });
  }

  stage(change: PageSetChange): StagedCommit {
    const { base, pageCount, pageBytes, pages } = change;
    const { staging, log, maxTransactionBytes } = this.#commons;
    assert(base.lsn === this.newestLsn, "staged against a snapshot that is not the newest");
    const { spill } = change;
    if (spill !== undefined) return stageSpilled(this, this.#commons, { ...change, spill });
    const bytes = pages.size * pageBytes;
    if (bytes > maxTransactionBytes) throw tooLarge(bytes, maxTransactionBytes);
    const frames = log.stage(this.stream);
    staging.begin(this, { pageCount, pageBytes }, frames);
    try {
      for (const [pageNumber, image] of pages) {
        assert(image.length === pageBytes, () => `page ${pageNumber} has ${image.length} bytes`);
        if (pageNumber <= pageCount) this.#stagePage(pageNumber as PageNumber, image, frames);
      }
    } catch (error) {
      staging.discard();
      throw error;
    }
    return staging;
  }

  /** Makes a commit that recovery read. Throws BOP_CORRUPT if it does not fit what is there. */
  replay(commit: ReplayedCommit): void {
    const { staging, buffers } = this.#commons;
    if (commit.lsn <= this.#map.checkpointLsn) return;
    staging.begin(this, { pageCount: commit.pageCount, pageBytes: commit.pageBytes }, undefined);
    try {
      for (const frame of commit.frames) {
        if (frame.kind === "spill") continue;
        if (frame.kind === "entry") throw this.#unexpected(commit, "an entry of the catalogue");
        if (frame.kind === "records") throw this.#unexpected(commit, "records of a log");
        const chain = this.overlay.chain(frame.pageNumber);
        if (frame.kind === "delta") {
          staging.add(frame.pageNumber, chain, this.#replayDelta(commit, frame, chain));
          continue;
        }
        const image = buffers.take(frame.image.length);
        image.set(frame.image);
        staging.add(frame.pageNumber, chain, newVersion(image, { deltas: 0, sum: undefined }));
      }
      staging.spilled = this.#commons.shelf.claim(commit);
    } catch (error) {
      staging.discard();
      throw error;
    }
    staging.sealReplayed(commit.lsn);
  }

  publish(lsn: Lsn, size: DatabaseSize, pages: StagedPages): void {
    const commons = this.#commons;
    this.#noteTruncation(lsn, size);
    const { pageNumbers, versions, chains, spilled } = pages;
    if (spilled !== undefined) this.#publishSpilled(lsn, spilled);
    for (let index = 0; index < versions.length; index += 1) {
      const version = versions[index] as Version;
      const pageNumber = pageNumbers[index] as number;
      version.lsn = lsn;
      commons.overlayBytes += version.image.length;
      const chain = this.overlay.push(pageNumber, chains[index], version);
      if (version.older !== undefined) this.overlay.prune(pageNumber, chain, this.#onlookers);
    }
    this.#moments.add(new Moment(lsn, size, this.#map));
    this.#moments.forgetBelow(commons.durableLsn);
    if (!commons.dirty.has(this.stream)) commons.dirty.set(this.stream, lsn);
  }

  /** The version that a checkpoint at `lsn` writes; undefined if the map has it, or it is gone. */
  checkpointVersion(pageNumber: number, lsn: Lsn): Version | undefined {
    const version = this.overlay.find(pageNumber, lsn);
    if (version === undefined || version.lsn <= this.#map.checkpointLsn) return undefined;
    if (this.#isSpilled(pageNumber, version.lsn, lsn)) return undefined;
    return this.truncations.hides(pageNumber, version.lsn, lsn) ? undefined : version;
  }

  /** A checkpoint is published: from now on snapshots read through its map. */
  install(map: PageMap): void {
    const before = this.#map;
    this.#commons.spilledBytes -= this.spilled.fileBytes(before.checkpointLsn, map.checkpointLsn);
    this.#map = map;
    const { superseded, dirty, sweeper } = this.#commons;
    let oldestLsn: Lsn = map.checkpointLsn;
    for (const moment of this.#moments.pinned) {
      if (moment.mapLsn < oldestLsn) oldestLsn = moment.mapLsn;
      if (moment.map === before) superseded.set(before, map.checkpointLsn);
    }
    this.truncations.forget(oldestLsn);
    this.spilled.forget(map.checkpointLsn, this.#moments.pinned);
    if (this.newestLsn <= map.checkpointLsn) dirty.delete(this.stream);
    else dirty.set(this.stream, map.checkpointLsn);
    sweeper.request(this);
  }

  /** See PageStore.dropAbove. */
  dropAbove(lsn: Lsn): void {
    this.#moments.forgetBelow(this.#commons.durableLsn);
    this.#moments.dropAbove(lsn);
    this.overlay.dropAbove(lsn);
    this.truncations.dropAbove(lsn);
    this.#commons.spilledBytes -= this.spilled.fileBytes(lsn, Number.POSITIVE_INFINITY);
    this.spilled.dropAbove(lsn);
  }

  /** Nobody reads it for now: of its map nothing is kept that can be loaded again. */
  rest(): void {
    if (this.#commons.heldLsn === undefined) this.#map.letGo();
  }

  /** The database was dropped, and a checkpoint has taken its chunks. */
  forgetSpilled(): void {
    const mapLsn = this.#map.checkpointLsn;
    this.#commons.spilledBytes -= this.spilled.fileBytes(mapLsn, Number.POSITIVE_INFINITY);
  }

  sweep(progress: SweepProgress, pages: number): void {
    progress.rest ??= this.overlay.pageNumbers();
    for (let visited = 0; visited < pages; visited += 1) {
      const next = progress.rest.next();
      if (next.done) {
        progress.done = true;
        return;
      }
      const chain = this.overlay.chain(next.value);
      if (chain !== undefined) this.overlay.prune(next.value, chain, this.#onlookers);
    }
  }

  #stagePage(pageNumber: PageNumber, image: Uint8Array, frames: StagedFrames): void {
    const { staging, deltaFloorLsn, deltasMax } = this.#commons;
    const chain = this.overlay.chain(pageNumber);
    const base = this.#baseOf(pageNumber, chain, image.length);
    let deltas = 0;
    let sum: number | undefined;
    if (base !== undefined && base.lsn > deltaFloorLsn && base.deltas < deltasMax) {
      const change = { baseLsn: base.lsn, base: base.image, baseSum: base.sum, image };
      const logged = frames.delta(pageNumber, change);
      if (logged === UNCHANGED) {
        staging.addUnchanged(image);
        return;
      }
      if (logged !== LOGGED_WHOLE) {
        deltas = base.deltas + 1;
        sum = logged;
      }
    } else {
      const there = base?.image ?? this.#cached(pageNumber, image.length);
      if (there !== undefined && Buffer.compare(there, image) === 0) {
        staging.addUnchanged(image);
        return;
      }
      frames.page(pageNumber, image);
    }
    staging.add(pageNumber, chain, newVersion(image, { deltas, sum }));
  }

  /** The newest version of a page, if it is what the page is now. */
  #baseOf(pageNumber: number, chain: Chain | undefined, pageBytes: number): Version | undefined {
    const version = chain?.newest;
    if (version === undefined || version.lsn <= this.#map.checkpointLsn) return undefined;
    if (version.image.length !== pageBytes || this.#hidesNow(pageNumber, version.lsn)) {
      return undefined;
    }
    if (this.#isSpilled(pageNumber, version.lsn, this.newestLsn)) return undefined;
    return version;
  }

  /** The checkpointed image of a page without newer versions, if that costs no read. */
  #cached(pageNumber: number, pageBytes: number): Uint8Array | undefined {
    const mapLsn = this.#map.checkpointLsn;
    if (this.#hidesNow(pageNumber, mapLsn)) return undefined;
    const newest = this.overlay.chain(pageNumber)?.newest;
    if (newest !== undefined && newest.lsn > mapLsn) return undefined;
    if (this.#isSpilled(pageNumber, mapLsn, this.newestLsn)) return undefined;
    const location = this.#map.location(pageNumber);
    const image = location === NOWHERE ? undefined : this.#commons.cache.peek(location);
    return image?.length === pageBytes ? image : undefined;
  }

  #hidesNow(pageNumber: number, writtenLsn: Lsn): boolean {
    return !this.truncations.none && this.truncations.hides(pageNumber, writtenLsn, this.newestLsn);
  }

  /** A commit above `after` that was spilled has the page. */
  #isSpilled(pageNumber: number, after: Lsn, upTo: Lsn): boolean {
    return !this.spilled.none && this.spilled.find(pageNumber, after, upTo) !== undefined;
  }

  #publishSpilled(lsn: Lsn, spilled: SpilledPages): void {
    this.spilled.add(lsn, spilled);
    this.#commons.spilledBytes += spilled.fileBytes;
    this.#commons.spilledCommits += 1;
  }

  #load(pageNumber: number, location: number, pageBytes: number): Uint8Array {
    const { buffers, cache, files, nameOf } = this.#commons;
    const into = buffers.take(pageBytes);
    const { stream } = this;
    files.read({ stream, pageNumber, location, into, database: nameOf(stream) });
    if (!cache.insert(location, into)) buffers.give(into);
    return into;
  }

  #replayDelta(
    commit: ReplayedCommit,
    frame: Extract<ReplayedFrame, { kind: "delta" }>,
    chain: Chain | undefined,
  ): Version {
    const base = chain?.newest;
    if (base === undefined || base.lsn !== frame.baseLsn) {
      throw this.#unexpected(commit, `the base of a delta of page ${frame.pageNumber}`);
    }
    return newVersion(frame.apply(base.image), { deltas: base.deltas + 1, sum: frame.sum });
  }

  #noteTruncation(lsn: Lsn, size: DatabaseSize): void {
    const before = this.#moments.newest;
    if (size.pageBytes !== before.pageBytes) {
      if (before.pageBytes !== 0) this.truncations.add(lsn, 0);
    } else if (size.pageCount < before.pageCount) {
      this.truncations.add(lsn, size.pageCount);
    }
    if (this.truncations.none) return;
    this.truncations.collapse(() => {
      const { durableLsn, heldLsn } = this.#commons;
      const pinned = this.#moments.pinned.map((moment) => moment.lsn);
      return Math.min(durableLsn, heldLsn ?? durableLsn, ...pinned);
    });
  }

  #dropped(version: Version, pageNumber: number): void {
    const { buffers, cache } = this.#commons;
    const { image, location } = version;
    this.#commons.overlayBytes -= image.length;
    // What the map now names there is this image: it may well be read again soon.
    const named = location !== NOWHERE && this.#map.location(pageNumber) === location;
    if (!named || !cache.insert(location, image)) buffers.give(image);
  }

  #makeOnlookers(): Onlookers {
    const commons = this.#commons;
    const mapLsn = () => this.#map.checkpointLsn;
    const pins = this.#moments.pinned;
    return {
      get durableLsn() {
        return commons.durableLsn;
      },
      get heldLsn() {
        return commons.heldLsn;
      },
      get mapLsn() {
        return mapLsn();
      },
      pins,
    };
  }

  #unexpected(commit: ReplayedCommit, why: string): StorageError {
    const database = this.#commons.nameOf(this.stream);
    return new StorageError("BOP_CORRUPT", `the log at ${commit.lsn}: ${why} is not as expected`, {
      details: {
        file: "wal",
        offset: commit.lsn,
        why,
        ...(database === undefined ? {} : { database }),
      },
    });
  }
}

function own(snapshot: Snapshot): Moment {
  assert(snapshot instanceof Moment && snapshot.pins > 0, "a snapshot that is not pinned");
  return snapshot;
}
