/**
 * THE SHELL WITHOUT THE TERMINAL: lines in, text out. `terminal.ts` and `pipe.ts` drive it.
 *
 * (1) A line belongs to the statement that is open; else it may be a command, which begins with a
 *     dot. Lines are taken one at a time, each when the one before has been answered.
 * (2) One connection serves the whole session, so that BEGIN, temporary tables and pragmas last from
 *     line to line.
 * (3) An error ends the line it came from: what else stood on it is not run.
 * (4) A read whose reader has left stops: its rows may have no end. That somebody left is heard between
 *     two turns of the event loop, which rows alone would never end.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { runDotCommand } from "./dot-commands.ts";
import { errorText } from "./error-text.ts";
import { rowWriter } from "./rows.ts";
import type { LineOutcome, ShellOptions } from "./shell.ts";
import { StatementSplitter } from "./splitter.ts";

/** See (4): seldom enough to cost nothing. */
const ROWS_PER_TURN = 256;

export class ShellSession {
  readonly #options: ShellOptions;
  readonly #splitter = new StatementSplitter();

  constructor(options: ShellOptions) {
    this.#options = options;
  }

  /** True if no statement is open. */
  get isFresh(): boolean {
    return this.#splitter.isBetween;
  }

  get prompt(): string {
    const { databaseName, connection } = this.#options;
    const mark = connection.inTransaction ? "*" : "";
    const prompt = `${databaseName}${mark}> `;
    return this.isFresh ? prompt : `${this.#splitter.awaits.padStart(prompt.length - 2)}> `;
  }

  /** Takes one line; resolves when all that it completes has been run and written. */
  async line(text: string): Promise<LineOutcome> {
    if (this.isFresh && text.trimStart().startsWith(".")) {
      this.#splitter.reset();
      return this.#attempt(() => runDotCommand(text.trim(), this.#options));
    }
    for (const statement of this.#splitter.push(text)) {
      const sql = statement.trim();
      const outcome = await this.#attempt(() => this.#run(sql), sql);
      if (outcome !== "ok") {
        this.#splitter.reset();
        return outcome;
      }
    }
    return "ok";
  }

  /** Runs what was typed without its semicolon: the end of a pipe ends a statement, too. */
  async end(): Promise<LineOutcome> {
    const sql = this.#splitter.pending.trim();
    const isFresh = this.isFresh;
    this.#splitter.reset();
    return isFresh ? "ok" : this.#attempt(() => this.#run(sql), sql);
  }

  /** Forgets an open statement. */
  cancel(): void {
    this.#splitter.reset();
  }

  async #attempt(work: () => Promise<LineOutcome>, sql?: string): Promise<LineOutcome> {
    try {
      return await work();
    } catch (error) {
      this.#options.writeError(errorText(error, sql));
      return "failed";
    }
  }

  async #run(sql: string): Promise<LineOutcome> {
    if (isBlank(sql)) return "ok";
    const startedMs = performance.now();
    const { connection, write, isChatty, settings } = this.#options;
    const { columns, isReadonly } = await connection.describe(sql);
    if (isReadonly && columns.length > 0) {
      const names = columns.map(({ name }) => name);
      await this.#read(sql, names);
    } else {
      const result = await connection.execute(sql);
      if (result.columns.length > 0) {
        const writer = this.#writer(result.columns.map(({ name }) => name));
        for (const row of result.rows) writer.row(row);
        writer.end();
      } else if (isChatty && result.changes > 0) {
        write(result.changes === 1 ? "1 row changed\n" : `${result.changes} rows changed\n`);
      }
    }
    if (settings.showTime) write(`time: ${(performance.now() - startedMs).toFixed(1)} ms\n`);
    return "ok";
  }

  /** Writes rows as they come. Those before an error are whole: a JSON array is closed behind them. */
  async #read(sql: string, columns: readonly string[]): Promise<void> {
    const { connection, isClosed } = this.#options;
    const writer = this.#writer(columns);
    let rowCount = 0;
    try {
      for await (const row of connection.prepare(sql).raw().integers("bigint").iterate()) {
        writer.row(row);
        rowCount += 1;
        if (rowCount % ROWS_PER_TURN === 0) await nextTurn();
        if (isClosed()) break; // See (4).
      }
    } catch (error) {
      if (rowCount > 0) writer.end();
      throw error;
    }
    writer.end();
  }

  #writer(columns: readonly string[]) {
    const { settings, terminalWidth, write } = this.#options;
    const width = settings.width ?? terminalWidth();
    return rowWriter(settings.mode, { columns, width, write });
  }
}

/** A semicolon alone, or comments and one: nothing to run. */
function isBlank(sql: string): boolean {
  const splitter = new StatementSplitter();
  splitter.push(sql.replace(/;\s*$/, ""));
  return splitter.isBetween;
}
