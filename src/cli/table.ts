/**
 * TABLES FOR PEOPLE, drawn as the rows come:
 *
 *     id │ name          │ price
 *     ───┼───────────────┼──────
 *      1 │ Outlaw Road   │  0.99
 *
 * (1) The first rows (up to MEASURED_ROWS) set the widths, so that memory and time stay flat however
 *     many rows come. cli-table3 keeps all cells and takes 10 seconds for 10,000 rows of 5
 *     (measured), hence this.
 * (2) Where there is a width to fit, text is cut with an ellipsis: the widest columns give way first,
 *     each keeping COLUMN_WIDTH_MIN. Where there is none, nothing is cut.
 * (3) A number is never cut, since what is left of it is another number. Rather a line is too long.
 * (4) Every cell is made visible first: values cannot speak to the terminal.
 */
import { cutToWidth, displayWidth, visible } from "./visible.ts";

export interface TableOptions {
  readonly head: readonly string[];
  /** Columns of the terminal; undefined: as wide as it takes. */
  readonly width: number | undefined;
  readonly write: (text: string) => void;
}

export interface Cell {
  readonly text: string;
  /** Numbers stand right. */
  readonly isNumber: boolean;
}

const MEASURED_ROWS = 1000;
const COLUMN_WIDTH_MIN = 4;
const SEPARATOR = " │ ";

export class TableWriter {
  readonly #head: readonly string[];
  readonly #width: number | undefined;
  readonly #write: (text: string) => void;
  #waiting: (readonly Cell[])[] | undefined = [];
  #widths: readonly number[] = [];
  #rightAligned: readonly boolean[] = [];

  constructor({ head, width, write }: TableOptions) {
    this.#head = head.map(visible);
    this.#width = width;
    this.#write = write;
  }

  row(cells: readonly Cell[]): void {
    const shown = cells.map(({ text, isNumber }) => ({ text: visible(text), isNumber }));
    if (this.#waiting === undefined) {
      this.#draw(shown);
      return;
    }
    this.#waiting.push(shown);
    if (this.#waiting.length === MEASURED_ROWS) this.#measure(this.#waiting);
  }

  /** Draws what still waits; a table without rows is its header. */
  end(): void {
    if (this.#waiting !== undefined) this.#measure(this.#waiting);
  }

  #measure(rows: readonly (readonly Cell[])[]): void {
    this.#waiting = undefined;
    this.#rightAligned = this.#head.map(
      (_, at) => rows.length > 0 && rows.every((row) => isRight(row[at])),
    );
    const widest = (at: number) =>
      Math.max(1, ...rows.map((row) => displayWidth(row[at]?.text ?? "")));
    const columns = this.#head.map((title, at) => {
      const natural = Math.max(widest(at), displayWidth(title));
      const least = this.#rightAligned[at] === true ? widest(at) : COLUMN_WIDTH_MIN;
      return { natural, least: Math.min(natural, least) };
    });
    this.#widths = fitted(columns, this.#width ?? Number.POSITIVE_INFINITY);
    this.#draw(this.#head.map(textCell));
    this.#write(`${this.#widths.map((width) => "─".repeat(width)).join("─┼─")}\n`);
    for (const row of rows) this.#draw(row);
  }

  #draw(cells: readonly Cell[]): void {
    const parts = this.#widths.map((width, at) => {
      const { text: whole, isNumber } = cells[at] ?? textCell("");
      const text = isNumber || this.#width === undefined ? whole : cutToWidth(whole, width);
      const space = " ".repeat(Math.max(0, width - displayWidth(text)));
      return this.#rightAligned[at] === true ? `${space}${text}` : `${text}${space}`;
    });
    this.#write(`${parts.join(SEPARATOR).trimEnd()}\n`);
  }
}

/** A whole small table as text: what `bop list` and `bop status` print. */
export function tableText(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  let text = "";
  const table = new TableWriter({ head, width: undefined, write: (part) => (text += part) });
  for (const row of rows) table.row(row);
  table.end();
  return text;
}

export const textCell = (text: string): Cell => ({ text, isNumber: false });
export const numberCell = (text: string): Cell => ({ text, isNumber: true });

function isRight(cell: Cell | undefined): boolean {
  return cell === undefined || cell.isNumber || cell.text === "NULL";
}

interface ColumnWidth {
  /** What its cells take. */
  readonly natural: number;
  readonly least: number;
}

/** Takes from the widest until all fit, or until none can give more. */
function fitted(columns: readonly ColumnWidth[], width: number): number[] {
  const widths = columns.map(({ natural, least }) => Math.max(least, Math.min(natural, width)));
  const spare = (at: number) => (widths[at] ?? 0) - (columns[at]?.least ?? 0);
  const separators = SEPARATOR.length * (widths.length - 1);
  let excess = widths.reduce((sum, one) => sum + one, separators) - width;
  for (; excess > 0; excess -= 1) {
    const widest = Math.max(...widths.filter((_, at) => spare(at) > 0));
    const at = widths.findIndex((one, index) => one === widest && spare(index) > 0);
    if (at === -1) break;
    widths[at] = widest - 1;
  }
  return widths;
}
