/**
 * THE MOMENTS OF ONE DATABASE: its commits that a new snapshot may show, and the snapshots that are
 * pinned.
 *
 *   … │ forgotten │ newest durable ─ commit ─ commit ─ newest │
 *                  └────────────── may be pinned ────────────┘
 *
 * (1) A moment is pinned with the page map of that time and keeps it: a checkpoint meanwhile changes
 *     nothing for who reads through it.
 * (2) Who asks for a moment below the newest durable one gets that one: it may be shown to anybody.
 *     Who had an older one pinned before has it still.
 */
import { assert, present } from "../base/assert.ts";
import type { Lsn } from "../base/units.ts";
import type { Onlooker } from "./overlay.ts";
import type { PageMap } from "./page-map.ts";
import type { Snapshot } from "./page-space.ts";

export interface DatabaseSize {
  readonly pageCount: number;
  readonly pageBytes: number;
}

/** A commit of a database as a place to read at. */
export class Moment implements Snapshot, Onlooker {
  readonly lsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly map: PageMap;
  /** How often it is pinned. */
  pins = 0;

  constructor(lsn: Lsn, size: DatabaseSize, map: PageMap) {
    this.lsn = lsn;
    this.pageCount = size.pageCount;
    this.pageBytes = size.pageBytes;
    this.map = map;
  }

  get mapLsn(): Lsn {
    return this.map.checkpointLsn;
  }
}

const FORGOTTEN_MAX = 64;

export class Moments {
  #list: Moment[];
  /** Index of the oldest that may still be pinned. */
  #first = 0;
  readonly #pinned: Moment[] = [];

  constructor(first: Moment) {
    this.#list = [first];
  }

  get newest(): Moment {
    return present(this.#list.at(-1), "the newest moment is never forgotten");
  }

  /** Moments that are pinned, in no order. */
  get pinned(): readonly Moment[] {
    return this.#pinned;
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
    moment.pins += 1;
    if (moment.pins === 1) this.#pinned.push(moment);
    return moment;
  }

  /** True if that was the last pin of the moment. */
  unpin(moment: Moment): boolean {
    assert(moment.pins > 0, "unpinned a snapshot that was not pinned");
    moment.pins -= 1;
    if (moment.pins > 0) return false;
    const index = this.#pinned.indexOf(moment);
    assert(index >= 0, "a pinned moment is listed");
    const last = present(this.#pinned.pop(), "there is at least this one");
    if (last !== moment) this.#pinned[index] = last;
    return true;
  }

  #isAtMost(index: number, atMost: number): boolean {
    const moment = this.#list[index];
    return moment !== undefined && moment.lsn <= atMost;
  }
}
