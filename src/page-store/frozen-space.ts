/**
 * A DATABASE AS IT WAS AT ONE MOMENT: a page space with one snapshot, which nobody stages on.
 *
 * (1) Until it is closed, whatever the moment needs stays.
 */
import { AssertionError, assert } from "../base/assert.ts";
import type { Lsn, PageNumber } from "../base/units.ts";
import type { DatabasePages } from "./database-pages.ts";
import type { FrozenSpace, PageSpill, Snapshot, StagedCommit } from "./page-space.ts";
import type { Moment } from "./versions/moments.ts";

export class FrozenPages implements FrozenSpace {
  readonly #database: DatabasePages;
  readonly #moment: Moment;
  #isClosed = false;

  /** `moment` was frozen for it. */
  constructor(database: DatabasePages, moment: Moment) {
    this.#database = database;
    this.#moment = moment;
  }

  get newestLsn(): Lsn {
    return this.#moment.lsn;
  }

  get transactionMemoryBytes(): number {
    return this.#database.transactionMemoryBytes;
  }

  pin(): Snapshot {
    assert(!this.#isClosed, "a moment that was given back");
    this.#database.freezeAgain(this.#moment);
    return this.#moment;
  }

  unpin(snapshot: Snapshot): void {
    assert(snapshot === this.#moment, "a snapshot of another moment");
    this.#database.unfreeze(this.#moment);
  }

  read(snapshot: Snapshot, pageNumber: PageNumber): Uint8Array {
    return this.#database.read(snapshot, pageNumber);
  }

  takeBuffer(pageBytes: number): Uint8Array {
    return this.#database.takeBuffer(pageBytes);
  }

  spill(): PageSpill {
    throw new AssertionError("a moment that has passed is written to");
  }

  stage(): StagedCommit {
    throw new AssertionError("a moment that has passed is written to");
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#database.unfreeze(this.#moment);
  }
}
