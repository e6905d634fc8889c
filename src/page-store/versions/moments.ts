/**
 * THE MOMENTS OF ONE DATABASE: its commits that a new snapshot may show, and the snapshots that are
 * pinned.
 *
 *   … │ forgotten │ newest durable ─ commit ─ commit ─ newest │
 *                  └────────────── may be pinned ────────────┘
 *
 * (1) A moment is pinned with the page map of that time. A checkpoint meanwhile gives it the new map
 *     if that is what it sees anyway, less what the overlay adds; else it keeps the one it has.
 * (2) Who asks for a moment below the newest durable one gets that one: it may be shown to anybody.
 *     Who had an older one pinned before has it still.
 * (3) A moment that snapshots or forks pin is kept here, in memory, until a checkpoint has written
 *     what it sees: from then on it is a version of the page map.
 */
import { assert, present } from "../../base/assert.ts";
import type { Lsn } from "../../base/units.ts";
import type { PageMap } from "../maps/page-map.ts";
import type { Snapshot } from "../page-space.ts";
import type { Onlooker } from "./overlay.ts";

export interface DatabaseSize {
  readonly pageCount: number;
  readonly pageBytes: number;
}

/** A commit of a database as a place to read at. */
export class Moment implements Snapshot, Onlooker {
  readonly lsn: Lsn;
  pageCount: number;
  pageBytes: number;
  map: PageMap;
  /** Of the newest commit that it sees. */
  commitLsn: Lsn;
  /** How often it is pinned. */
  pins = 0;

  constructor(lsn: Lsn, size: DatabaseSize, map: PageMap) {
    this.lsn = lsn;
    this.pageCount = size.pageCount;
    this.pageBytes = size.pageBytes;
    this.map = map;
    this.commitLsn = lsn;
  }

  /** The map alone says what it sees. */
  get isExact(): boolean {
    return this.commitLsn <= this.map.checkpointLsn;
  }

  /** A commit at or below it that it did not know of. */
  takeCommit(lsn: Lsn, { pageCount, pageBytes }: DatabaseSize): void {
    this.commitLsn = lsn;
    this.pageCount = pageCount;
    this.pageBytes = pageBytes;
  }

  get mapLsn(): Lsn {
    return this.map.checkpointLsn;
  }
}

/** What a checkpoint made of a database. */
export interface NewMaps {
  /** The map that it had. */
  readonly before: PageMap;
  readonly newest: PageMap;
  /** Of moments that are kept, ascending. */
  readonly layers: readonly PageMap[];
  /** The newest map is nobody's: what the database was last is not in it. */
  readonly isDropped: boolean;
}

/** What a checkpoint will make of a database. */
export interface NextMaps {
  /** Of the checkpoint. */
  readonly lsn?: Lsn;
  /** Station of the newest map: who sees it goes on to that. */
  readonly newest?: Lsn;
  /** Stations of all maps, ascending: who is kept goes on to the newest that he sees. */
  readonly layers?: readonly Lsn[];
  /** How often moments are pinned by those who end with it. */
  readonly over?: ReadonlyMap<Moment, number>;
}

const FORGOTTEN_MAX = 64;

export class Moments {
  #list: Moment[];
  /** Index of the oldest that may still be pinned. */
  #first = 0;
  readonly #pinned: Moment[] = [];
  /** See (3); ascending. Each is pinned once for being here. */
  readonly #kept: Moment[] = [];
  /** Pinned, but their maps alone say what they see: they ask nothing of the overlay. */
  readonly #exact = new Set<Moment>();

  constructor(first: Moment) {
    this.#list = [first];
  }

  get newest(): Moment {
    return present(this.#list.at(-1), "the newest moment is never forgotten");
  }

  /** Moments that are pinned and may need the overlay, in no order. */
  get pinned(): readonly Moment[] {
    return this.#pinned;
  }

  get kept(): readonly Moment[] {
    return this.#kept;
  }

  add(moment: Moment): void {
    assert(moment.lsn > this.newest.lsn, "a commit that is not newer");
    this.#list.push(moment);
  }

  forgetBelow(durableLsn: number): void {
    while (this.#isAtMost(this.#first + 1, durableLsn)) this.#first += 1;
    if (this.#first < FORGOTTEN_MAX) return;
    this.#list = this.#list.slice(this.#first);
    this.#first = 0;
  }

  /** Forgets moments above `lsn`, which is not below the durable one. */
  dropAbove(lsn: Lsn): void {
    while (this.newest.lsn > lsn && this.#list.length - 1 > this.#first) this.#list.pop();
  }

  pin(atMost: Lsn, map: PageMap): Moment {
    let index = this.#list.length - 1;
    if (this.newest.lsn > atMost) {
      index = this.#first;
      while (this.#isAtMost(index + 1, atMost)) index += 1;
    }
    let moment = present(this.#list[index], "there is a moment at every index");
    if (moment.map !== map) {
      moment = new Moment(moment.lsn, moment, map);
      this.#list[index] = moment;
    }
    this.pinAgain(moment);
    return moment;
  }

  pinAgain(moment: Moment): void {
    moment.pins += 1;
    if (moment.pins === 1) this.#pinned.push(moment);
  }

  /** Pins a moment of which there is a map. */
  pinExact(lsn: Lsn, map: PageMap): Moment {
    const moment = new Moment(lsn, map, map);
    moment.commitLsn = map.station;
    moment.pins = 1;
    this.#exact.add(moment);
    return moment;
  }

  /** True if that was the last pin of the moment. */
  unpin(moment: Moment): boolean {
    assert(moment.pins > 0, "unpinned a snapshot that was not pinned");
    moment.pins -= 1;
    if (moment.pins > 0) return false;
    if (!this.#exact.delete(moment)) this.#takeOut(moment);
    return true;
  }

  /** Keeps a moment at or above the newest commit that is known. Once is enough. */
  keep(lsn: Lsn, map: PageMap): void {
    if (this.#kept.some((moment) => moment.lsn === lsn)) return;
    const moment = new Moment(lsn, this.newest, map);
    moment.commitLsn = this.newest.commitLsn;
    this.pinAgain(moment);
    this.#kept.push(moment);
    this.#kept.sort((a, b) => a.lsn - b.lsn);
  }

  /** Stops to keep those of which that can be said. */
  stopKeeping(isOver: (moment: Moment) => boolean): void {
    for (const moment of this.#kept.filter(isOver)) {
      this.#kept.splice(this.#kept.indexOf(moment), 1);
      this.unpin(moment);
    }
  }

  /** See (1): a checkpoint is there. */
  moveOn({ before, newest, layers, isDropped }: NewMaps): void {
    for (const moment of [...this.#pinned]) {
      if (moment.map !== before) continue;
      if (!isDropped && moment.commitLsn >= newest.station) moment.map = newest;
      else if (this.#kept.includes(moment)) moment.map = mapOf(moment, layers) ?? before;
    }
    this.stopKeeping(({ lsn }) => lsn <= newest.checkpointLsn);
    for (const moment of [...this.#pinned]) {
      if (!moment.isExact) continue;
      this.#takeOut(moment);
      this.#exact.add(moment);
    }
  }

  /** The map of before was made of guesses: nobody has looked through it yet. */
  replaceMap(before: PageMap, map: PageMap): void {
    const seen = [...this.#list, ...this.#pinned];
    for (const moment of seen.filter((each) => each.map === before)) {
      moment.map = map;
      if (moment.commitLsn === map.station) moment.takeCommit(map.station, map);
    }
  }

  /** Stations of maps that somebody reads through, or goes on to read through: see moveOn. */
  stationsInUse({ lsn, newest, layers = [], over }: NextMaps = {}): Lsn[] {
    const stations = new Set<Lsn>();
    for (const { map, pins } of this.#exactBut(over)) if (pins > 0) stations.add(map.station);
    for (const moment of this.#pinned) {
      const { commitLsn, map } = moment;
      if (newest !== undefined && commitLsn >= newest) continue;
      const isKept = this.#kept.includes(moment);
      const isWritten = isKept && lsn !== undefined && moment.lsn <= lsn;
      // What only a pin wants is for the pin to say.
      const pins = moment.pins - (over?.get(moment) ?? 0) - (isWritten ? 1 : 0);
      if (pins === 0) continue;
      const next = isKept ? layers.findLast((station) => station <= commitLsn) : undefined;
      stations.add(next ?? map.station);
    }
    return [...stations];
  }

  *#exactBut(over: ReadonlyMap<Moment, number> = new Map()) {
    for (const moment of this.#exact) {
      yield { map: moment.map, pins: moment.pins - (over.get(moment) ?? 0) };
    }
  }

  #takeOut(moment: Moment): void {
    const index = this.#pinned.indexOf(moment);
    assert(index >= 0, "a pinned moment is listed");
    const last = present(this.#pinned.pop(), "there is at least this one");
    if (last !== moment) this.#pinned[index] = last;
  }

  #isAtMost(index: number, atMost: number): boolean {
    const moment = this.#list[index];
    return moment !== undefined && moment.lsn <= atMost;
  }
}

/** The newest of the maps that a moment sees, if that is above the map that it has. */
function mapOf({ commitLsn }: Moment, layers: readonly PageMap[]): PageMap | undefined {
  return layers.findLast(({ station }) => station <= commitLsn);
}
