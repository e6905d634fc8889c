/**
 * ROWS AS THEY ARE ASKED FOR. The connection and its snapshot are taken at the first `next` and
 * given back at the end, at an error, at `return` (a loop that is left early), when the database
 * closes under it, or when it has been open for too long (`expire`).
 */
import type { StorageError } from "../../base/errors.ts";
import type { PreparedStatement } from "../../sqlite/index.ts";
import type { OpenDatabase } from "./open-database.ts";
import type { RowReader } from "./shapes.ts";

export interface Source {
  /** A statement that is stepped, or rows that are there already. */
  readonly rows:
    | {
        readonly statement: PreparedStatement;
        readonly read: RowReader;
        readonly first?: FirstRow | undefined;
      }
    | readonly unknown[];
  /** Gives back what the rows came from. Called once. */
  readonly end: () => void;
}

/** A row that was taken ahead; without one, that there is none. */
export interface FirstRow {
  readonly row?: unknown;
}

type Result = IteratorResult<unknown, undefined>;
const DONE: Result = { done: true, value: undefined };

/** Takes what an iterator needs, which it does once. It may be told to end: see readers.ts. */
export type OpenSource = (expire: (error: StorageError) => void) => Promise<Source>;

export class RowIterator implements AsyncIterableIterator<unknown> {
  readonly #database: OpenDatabase;
  readonly #open: OpenSource;
  #source: Promise<Source> | undefined;
  #nextIndex = 0;
  #ended = false;
  /** Why it was ended, until somebody asks for the next row. */
  #expired: StorageError | undefined;

  constructor(database: OpenDatabase, open: OpenSource) {
    this.#database = database;
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Result> {
    this.#assertFresh();
    if (this.#ended) return DONE;
    this.#database.assertOpen();
    this.#source ??= this.#open((error) => this.#expire(error));
    const source = await this.#source;
    // The loop may have been left, or the database closed, while the snapshot was waited for.
    this.#database.assertOpen();
    this.#assertFresh();
    if (this.#ended) return DONE;
    try {
      const { rows } = source;
      if ("statement" in rows) {
        const { statement, read, first } = rows;
        const isFirst = first !== undefined && this.#nextIndex++ === 0;
        if (isFirst && "row" in first) return { done: false, value: first.row };
        if (!isFirst && statement.step()) return { done: false, value: read(statement) };
      } else if (this.#nextIndex < rows.length) {
        return { done: false, value: rows[this.#nextIndex++] };
      }
    } catch (error) {
      this.#end(source);
      throw error;
    }
    this.#end(source);
    return DONE;
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
