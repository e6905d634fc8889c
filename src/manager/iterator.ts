/**
 * ROWS AS THEY ARE ASKED FOR. The connection and its snapshot are taken at the first `next` and
 * given back at the end, at an error, at `return` (a loop that is left early), or when the database
 * closes under it.
 */
import type { PreparedStatement } from "../sqlite/index.ts";
import type { OpenDatabase } from "./open-database.ts";
import type { RowReader } from "./shapes.ts";

export interface Source {
  /** A statement that is stepped, or rows that are there already. */
  readonly rows:
    | { readonly statement: PreparedStatement; readonly read: RowReader }
    | readonly unknown[];
  /** Gives back what the rows came from. Called once. */
  readonly end: () => void;
}

type Result = IteratorResult<unknown, undefined>;
const DONE: Result = { done: true, value: undefined };

export class RowIterator implements AsyncIterableIterator<unknown> {
  readonly #database: OpenDatabase;
  readonly #open: () => Promise<Source>;
  #source: Promise<Source> | undefined;
  #nextIndex = 0;
  #ended = false;

  constructor(database: OpenDatabase, open: () => Promise<Source>) {
    this.#database = database;
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Result> {
    if (this.#ended) return DONE;
    this.#database.assertOpen();
    this.#source ??= this.#open();
    const source = await this.#source;
    // The loop may have been left, or the database closed, while the snapshot was waited for.
    this.#database.assertOpen();
    if (this.#ended) return DONE;
    try {
      const { rows } = source;
      if ("statement" in rows) {
        if (rows.statement.step()) return { done: false, value: rows.read(rows.statement) };
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

  #end(source: Source): void {
    if (this.#ended) return;
    this.#ended = true;
    source.end();
  }
}
