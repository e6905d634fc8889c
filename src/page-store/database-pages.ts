/**
 * THE PAGES OF ONE DATABASE: the page space that SQLite sees, put together from its overlay, its page
 * map, the cache and the chunk files.
 *
 *   read:   overlay, newest version above the snapshot's map and at or below its LSN
 *           └ else the map's location ─► cache ─► chunk file ─► cache
 *           └ else, in a fork, what the origin reads at the moment of the fork
 *   write:  stage (page-frames.ts: frames into the log's buffer) ─► seal (versions into the overlay)
 *
 * (1) What a snapshot reads depends on its LSN and its map only; both are fixed when it is pinned.
 * (2) A fork that has no commit of its own is as large as its origin was. While the origin has not
 *     been replayed that is not known, and nothing but replay may happen to the fork.
 */
import { assert } from "../base/assert.ts";
import { type Lsn, lsnAfter, type PageNumber, type StreamId } from "../base/units.ts";
import type { ReplayedCommit } from "../write/index.ts";
import type { Commons } from "./commons.ts";
import { NOWHERE } from "./maps/location.ts";
import { type MapMoment, PageMap, type RowSource } from "./maps/page-map.ts";
import { loadMissed } from "./missed-page.ts";
import type { PageSetChange, PageSpace, PageSpill, Snapshot, StagedCommit } from "./page-space.ts";
import { Spill } from "./spill/spill.ts";
import { stageSpilled } from "./spill/spill-staging.ts";
import { SpilledCommits } from "./spill/spilled.ts";
import { type Base, ForkBase } from "./versions/fork-base.ts";
import {
  type DatabaseSize,
  Moment,
  Moments,
  type NewMaps,
  type NextMaps,
} from "./versions/moments.ts";
import { type Onlookers, Overlay, type Version } from "./versions/overlay.ts";
import { type LoggedDatabase, stagePages } from "./versions/page-frames.ts";
import { replayCommit } from "./versions/replay.ts";
import type { StagedPages } from "./versions/staging.ts";
import type { Sweepable, SweepProgress } from "./versions/sweeper.ts";
import { Truncations, truncatedTo } from "./versions/truncations.ts";

const PAGE_BYTES_MAX = 65_536;
const ZEROS = new Uint8Array(PAGE_BYTES_MAX);

export interface DatabaseStart {
  readonly stream: StreamId;
  /** Whose pages it may read, and may be read as. */
  readonly family: StreamId;
  readonly moment: MapMoment;
  /** "unknown": see (2); `learnBase` says it later. */
  readonly base: Base | "unknown" | undefined;
  /** It has no commit of its own in its map: it is as large as what it reads through. */
  readonly isBare: boolean;
}

export class DatabasePages implements PageSpace, LoggedDatabase, Sweepable {
  readonly commons: Commons;
  readonly stream: StreamId;
  readonly family: StreamId;
  readonly truncations = new Truncations();
  /** Commits that were too large for the overlay. */
  readonly spilled: SpilledCommits;
  readonly overlay: Overlay;
  readonly #moments: Moments;
  readonly #onlookers: Onlookers;
  readonly #source: RowSource;
  readonly #base: ForkBase;
  #map: PageMap;

  constructor(commons: Commons, { stream, family, moment, base, isBare }: DatabaseStart) {
    this.commons = commons;
    this.stream = stream;
    this.family = family;
    this.spilled = new SpilledCommits(commons);
    this.#base = new ForkBase(base, isBare);
    const load = (rowIndex: number, atMost: Lsn) =>
      commons.loadRow(stream, rowIndex, atMost)?.locations ?? this.#base.row(rowIndex);
    this.#source = { stream, family, shelf: commons.rows, load };
    this.#map = PageMap.stored(this.#source, moment);
    this.#moments = new Moments(new Moment(moment.station, this.#map, this.#map));
    this.overlay = new Overlay((version, pageNumber) => this.#dropped(version, pageNumber));
    this.#onlookers = this.#makeOnlookers();
  }

  get newestLsn(): Lsn {
    return this.#moments.newest.lsn;
  }

  /** Its newest commit, which stays as it is when others follow. */
  get newest(): Moment {
    return this.#moments.newest;
  }

  get size(): DatabaseSize {
    return this.#moments.newest;
  }

  get map(): PageMap {
    return this.#map;
  }

  get base(): Base | undefined {
    return this.#base.now;
  }

  get isBaseUnknown(): boolean {
    return this.#base.isUnknown;
  }

  /** Its map is all that there is of it. */
  get isClean(): boolean {
    return this.newestLsn <= this.#map.checkpointLsn;
  }

  /** Moments that pins want of it, and no map has yet; ascending. */
  get kept(): readonly Moment[] {
    return this.#moments.kept;
  }

  /** See (2). */
  learnBase(base: Base): void {
    const before = this.#map;
    const { first, isBare } = this.#base;
    this.#base.learn(base);
    before.letGo();
    if (!isBare) return;
    const { pageCount, pageBytes } = base.moment;
    const { checkpointLsn, station } = before;
    this.#map = PageMap.stored(this.#source, { checkpointLsn, station, pageCount, pageBytes });
    this.#moments.replaceMap(before, this.#map);
    if (first === undefined) return;
    const end = truncatedTo(this.#map, first.size);
    if (end !== undefined) this.truncations.addFirst(first.lsn, end);
  }

  /** All that it reads is its own now. */
  leaveBase(): void {
    if (this.base === undefined) return;
    this.#base.leave();
    this.commons.rows.letGoFamilies(new Set([this.family]));
  }

  pin(atMost: Lsn): Snapshot {
    this.#moments.forgetBelow(this.commons.durableLsn);
    const moment = this.#moments.pin(atMost, this.#map);
    this.commons.openSnapshots += 1;
    return moment;
  }

  unpin(snapshot: Snapshot): void {
    this.commons.openSnapshots -= 1;
    this.unfreeze(own(snapshot));
  }

  /** A pin wants a moment. One below the newest commit is kept already, or the map has it. */
  keep(lsn: Lsn): void {
    if (lsn <= this.#map.checkpointLsn || lsn < this.newestLsn) return;
    this.#moments.keep(lsn, this.#map);
  }

  /** A moment that is kept, or of which there is a map: the current one, or `version`. */
  freeze(lsn: Lsn, version: MapMoment | undefined): Moment {
    const kept = this.#moments.kept.find((moment) => moment.lsn === lsn);
    if (kept !== undefined) {
      this.#moments.pinAgain(kept);
      return kept;
    }
    const isCurrent = version === undefined || version.station === this.#map.station;
    const map = isCurrent ? this.#map : this.mapAt(version);
    assert(map.station <= lsn, "a map of a later moment");
    return this.#moments.pinExact(lsn, map);
  }

  /** The map of a version. */
  mapAt(moment: MapMoment): PageMap {
    return PageMap.stored(this.#source, moment);
  }

  /** It was dropped, and its newest state is no longer kept: the one before is the newest now. */
  stepBack(moment: MapMoment): void {
    this.#map = this.mapAt(moment);
  }

  freezeAgain(moment: Moment): void {
    assert(moment.pins > 0, "a moment that is not frozen");
    moment.pins += 1;
  }

  unfreeze(moment: Moment): void {
    if (!this.#moments.unpin(moment) || moment.map === this.#map) return;
    this.spilled.forget(this.#map.checkpointLsn, this.#moments.pinned);
    this.commons.sweeper.request(this);
  }

  /** See Moments.stationsInUse. */
  stationsInUse(next?: NextMaps): Lsn[] {
    return this.#moments.stationsInUse(next);
  }

  takeBuffer(pageBytes: number): Uint8Array {
    return this.commons.buffers.take(pageBytes);
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
    if (location <= NOWHERE) {
      const inherited = location === NOWHERE ? undefined : this.#base.read(pageNumber);
      return inherited ?? ZEROS.subarray(0, pageBytes);
    }
    const image = this.commons.cache.get(location);
    return image ?? loadMissed(this, own(snapshot), { pageNumber, location });
  }

  get transactionMemoryBytes(): number {
    return this.commons.transactionMemoryBytes;
  }

  spill(base: Snapshot, pageBytes: number): PageSpill {
    const { family: stream } = this;
    return new Spill(this.commons.spillGround, { stream, pageBytes, lsn: lsnAfter(base.lsn, 1) });
  }

  stage(change: PageSetChange): StagedCommit {
    const { base, spill } = change;
    assert(base.lsn === this.newestLsn, "staged against a snapshot that is not the newest");
    if (spill === undefined) return stagePages(this, change);
    return stageSpilled(this, this.commons, { ...change, spill });
  }

  /** Makes a commit that recovery read. Throws BOP_CORRUPT if it does not fit what is there. */
  replay(commit: ReplayedCommit): void {
    if (commit.lsn <= this.#map.checkpointLsn) return;
    replayCommit(this, commit, this.commons);
    for (const moment of this.#moments.kept) {
      if (moment.lsn >= commit.lsn) moment.takeCommit(commit.lsn, commit);
    }
  }

  publish(lsn: Lsn, size: DatabaseSize, pages: StagedPages): void {
    const commons = this.commons;
    this.#noteTruncation(lsn, size);
    const { pageNumbers, versions, chains, spilled } = pages;
    if (spilled !== undefined) this.spilled.add(lsn, spilled);
    for (let index = 0; index < versions.length; index += 1) {
      const version = versions[index] as Version;
      const pageNumber = pageNumbers[index] as number;
      version.lsn = lsn;
      commons.overlayBytes += version.image.length;
      const chain = this.overlay.push(pageNumber, chains[index], version);
      if (version.older !== undefined) this.overlay.prune(pageNumber, chain, this.#onlookers);
    }
    this.#moments.add(new Moment(lsn, size, this.#map));
    if (spilled !== undefined && commons.keepsHistory) this.keep(lsn);
    this.#moments.forgetBelow(commons.durableLsn);
    if (!commons.dirty.has(this.stream)) commons.dirty.set(this.stream, lsn);
  }

  /**
   * The version that a checkpoint writes into a map at `lsn` that comes after one at `after`;
   * undefined if that one has it, or it is gone.
   */
  checkpointVersion(pageNumber: number, after: Lsn, lsn: Lsn): Version | undefined {
    const version = this.overlay.find(pageNumber, lsn);
    if (version === undefined || version.lsn <= after) return undefined;
    if (this.#isSpilled(pageNumber, version.lsn, lsn)) return undefined;
    return this.truncations.hides(pageNumber, version.lsn, lsn) ? undefined : version;
  }

  /** A checkpoint is published: from now on snapshots read through its maps. */
  install(maps: Omit<NewMaps, "before">): void {
    const before = this.#map;
    const { newest } = maps;
    this.spilled.uncount(before.checkpointLsn, newest.checkpointLsn);
    this.#map = newest;
    this.#moments.moveOn({ before, ...maps });
    const { dirty, sweeper } = this.commons;
    let oldestLsn: Lsn = newest.checkpointLsn;
    for (const moment of this.#moments.pinned) {
      if (moment.mapLsn < oldestLsn) oldestLsn = moment.mapLsn;
    }
    this.truncations.forget(oldestLsn);
    this.spilled.forget(newest.checkpointLsn, this.#moments.pinned);
    if (this.newestLsn <= newest.checkpointLsn) dirty.delete(this.stream);
    else dirty.set(this.stream, newest.checkpointLsn);
    sweeper.request(this);
  }

  /** See PageStore.dropAbove. */
  dropAbove(lsn: Lsn): void {
    this.#moments.forgetBelow(this.commons.durableLsn);
    this.#moments.dropAbove(lsn);
    this.overlay.dropAbove(lsn);
    this.truncations.dropAbove(lsn);
    this.spilled.dropAbove(lsn);
  }

  /** Nobody reads it for now: of its map nothing is kept that can be loaded again. */
  rest(): void {
    this.#map.letGo();
  }

  /** The database was dropped, and nothing of it is needed any more. */
  end(): void {
    this.spilled.end(this.#map.checkpointLsn);
    this.leaveBase();
  }

  sweep(progress: SweepProgress, pages: number): void {
    this.overlay.sweep(progress, pages, this.#onlookers);
  }

  /** A commit above `after` that was spilled has the page. */
  #isSpilled(pageNumber: number, after: Lsn, upTo: Lsn): boolean {
    return !this.spilled.none && this.spilled.find(pageNumber, after, upTo) !== undefined;
  }

  #noteTruncation(lsn: Lsn, size: DatabaseSize): void {
    this.#base.noteCommit(lsn, size);
    const end = truncatedTo(this.#moments.newest, size);
    if (end !== undefined) this.truncations.add(lsn, end);
    if (this.truncations.none) return;
    this.truncations.collapse(() => {
      const { durableLsn, heldLsn } = this.commons;
      const pinned = this.#moments.pinned.map((moment) => moment.lsn);
      return Math.min(durableLsn, heldLsn ?? durableLsn, ...pinned);
    });
  }

  #dropped(version: Version, pageNumber: number): void {
    const { buffers, cache } = this.commons;
    const { image, location } = version;
    this.commons.overlayBytes -= image.length;
    // What the map now names there is this image: it may well be read again soon.
    const named = location !== NOWHERE && this.#map.location(pageNumber) === location;
    if (named) cache.insert(location, image);
    buffers.give(image);
  }

  #makeOnlookers(): Onlookers {
    const commons = this.commons;
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
}

function own(snapshot: Snapshot): Moment {
  assert(snapshot instanceof Moment && snapshot.pins > 0, "a snapshot that is not pinned");
  return snapshot;
}
