/**
 * ROWS AS THEY ARE ASKED FOR. The connection and its snapshot are taken at the first `next` and
 * given back at the end, at an error, at `return` (a loop that is left early), when the database
 * closes under it, or when it is told to end (`expire`): its handle was closed, or it has been open
 * for too long.
 *
 * Where pages are away (page-waits.ts), the statement begins anew in the same snapshot when they are
 * here, and goes over the rows that were given: it is one that gives the same rows each time.
 */
import { assert } from "../../base/assert.ts";
import type { StorageError } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { PreparedStatement } from "../../sqlite/index.ts";
import { CallOrder } from "./call-order.ts";
import type { OpenDatabase } from "./open-database.ts";
import { withPages } from "./page-waits.ts";
import type { RowReader } from "./shapes.ts";

export interface Source {
  /** A statement that is stepped, or rows that are there already. */
  readonly rows: Stepped | readonly unknown[];
  /** Gives back what the rows came from. Called once. */
  readonly end: () => void;
}

interface Stepped {
  readonly statement: PreparedStatement;
  readonly read: RowReader;
  readonly first?: FirstRow | undefined;
}

/** A row that was taken ahead; without one, that there is none. */
export interface FirstRow {
  readonly row?: unknown;
}

type Result = IteratorResult<unknown, undefined>;
const DONE: Result = { done: true, value: undefined };

/** Takes what an iterator needs, which it does once. It may be told to end: see readers.ts. */
export type OpenSource = (expire: (error: StorageError) => void) => Promise<Source>;

/** Throws if what the rows are of has ended. */
export type Permit = () => void;

export class RowIterator implements AsyncIterableIterator<unknown> {
  readonly #database: OpenDatabase;
  readonly #open: OpenSource;
  readonly #permit: Permit | undefined;
  #source: Promise<Source> | undefined;
  /** Rows that were given. */
  #given = 0;
  /** Behind a row that waits for its pages. */
  readonly #calls = new CallOrder();
  #ended = false;
  /** Why it was ended, until somebody asks for the next row. */
  #expired: StorageError | undefined;

  constructor(database: OpenDatabase, open: OpenSource, permit?: Permit) {
    this.#database = database;
    this.#open = open;
    this.#permit = permit;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Result> {
    this.#assertFresh();
    if (this.#ended) return DONE;
    this.#database.assertOpen();
    this.#permit?.();
    this.#source ??= this.#open((error) => this.#expire(error));
    const source = await this.#source;
    if (this.#calls.isWaiting) return this.#calls.inOrder(() => this.#nextOf(source));
    return this.#nextOf(source);
  }

  #nextOf(source: Source): Result | Promise<Result> {
    // The loop may have been left, or the database closed, while the snapshot was waited for.
    this.#database.assertOpen();
    this.#assertFresh();
    if (this.#ended) return DONE;
    try {
      return this.#take(source);
    } catch (error) {
      if (error instanceof PagesAway) return this.#inTurn(source);
      this.#end(source);
      throw error;
    }
  }

  /** The next row. At the end of them, the source is given back. */
  #take(source: Source): Result {
    const { rows } = source;
    const row = "statement" in rows ? this.#step(rows) : rowAt(rows, this.#given);
    if (row.done) this.#end(source);
    else this.#given += 1;
    return row;
  }

  #step({ statement, read, first }: Stepped): Result {
    if (first === undefined || this.#given > 0) {
      return statement.step() ? { done: false, value: read(statement) } : DONE;
    }
    return "row" in first ? { done: false, value: first.row } : DONE;
  }

  /** Who asks for another row meanwhile waits for this one. */
  #inTurn(source: Source): Promise<Result> {
    const result = this.#takeAgain(source);
    this.#calls.waitFor(result);
    return result;
  }

  /** Goes over the rows that were given. */
  async #takeAgain(source: Source): Promise<Result> {
    try {
      return await withPages(this.#database.pages, () => {
        this.#database.assertOpen();
        this.#assertFresh();
        if (this.#ended) return DONE;
        if ("statement" in source.rows) {
          const { statement } = source.rows;
          statement.reset();
          for (let row = 0; row < this.#given; row += 1) {
            assert(statement.step(), "a statement gives as many rows as before");
          }
        }
        return this.#take(source);
      });
    } catch (error) {
      this.#end(source);
      throw error;
    }
  }

  async return(): Promise<Result> {
    if (!this.#ended && this.#source !== undefined) this.#end(await this.#source);
    this.#ended = true;
    return DONE;
  }

  /** The moment is given back now; the loop hears of it at its next step. */
  #expire(error: StorageError): void {
    if (this.#ended) return;
    this.#expired = error;
    void this.#source?.then(
      (source) => this.#end(source),
      () => undefined, // Who asked for the first row hears of that.
    );
  }

  #assertFresh(): void {
    const error = this.#expired;
    this.#expired = undefined;
    if (error !== undefined) throw error;
  }

  #end(source: Source): void {
    if (this.#ended) return;
    this.#ended = true;
    source.end();
  }
}

function rowAt(rows: readonly unknown[], index: number): Result {
  return index < rows.length ? { done: false, value: rows[index] } : DONE;
}
