/**
 * WHAT A FORK READS THROUGH: its origin at the moment of the fork, and nothing for all other databases.
 *
 *   unknown ──learn──► known ──leave──► none         until the origin has been replayed it is unknown
 *
 * (1) A fork without a commit of its own is as large as its origin was. While that is not known,
 *     commits are replayed on it nevertheless: what the first of them cut off is made up for later.
 */
import type { Lsn, PageNumber, StreamId } from "../../base/units.ts";
import { EMPTY_ROW, THROUGH_ROW } from "../maps/page-map.ts";
import type { DatabaseSize, Moment } from "./moments.ts";

/** An origin, as far as its forks go. */
export interface Origin {
  readonly stream: StreamId;
  /** What it reads through itself. */
  readonly base: Base | undefined;
  read(moment: Moment, pageNumber: PageNumber): Uint8Array;
  unfreeze(moment: Moment): void;
}

export interface Base {
  readonly database: Origin;
  /** Frozen for the fork. */
  readonly moment: Moment;
}

interface FirstCommit {
  readonly lsn: Lsn;
  readonly size: DatabaseSize;
}

export class ForkBase {
  /** No commit of its own is in its map. */
  readonly isBare: boolean;
  #base: Base | undefined;
  #isUnknown: boolean;
  #first: FirstCommit | undefined;

  constructor(base: Base | "unknown" | undefined, isBare: boolean) {
    this.isBare = isBare;
    this.#isUnknown = base === "unknown";
    this.#base = base === "unknown" ? undefined : base;
  }

  get now(): Base | undefined {
    return this.#base;
  }

  get isUnknown(): boolean {
    return this.#isUnknown;
  }

  /** The first commit that was replayed while the base was unknown, if that matters. */
  get first(): FirstCommit | undefined {
    return this.#first;
  }

  noteCommit(lsn: Lsn, size: DatabaseSize): void {
    if (this.#isUnknown && this.isBare) this.#first ??= { lsn, size };
  }

  learn(base: Base): void {
    this.#base = base;
    this.#isUnknown = false;
  }

  leave(): void {
    this.#base?.database.unfreeze(this.#base.moment);
    this.#base = undefined;
  }

  /** A page that the fork never had itself; undefined if the origin had none there. */
  read(pageNumber: PageNumber): Uint8Array | undefined {
    const base = this.#base;
    if (base === undefined || pageNumber > base.moment.pageCount) return undefined;
    return base.database.read(base.moment, pageNumber);
  }

  /** A row that was never written by the fork: the origin's, or none that is known as a row yet. */
  row(rowIndex: number): Float64Array {
    if (this.#base === undefined) return EMPTY_ROW;
    const { moment } = this.#base;
    return moment.isExact ? moment.map.row(rowIndex) : THROUGH_ROW;
  }
}
