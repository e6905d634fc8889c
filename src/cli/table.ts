/**
 * TABLES FOR PEOPLE, drawn as the rows come:
 *
 *     id │ name          │ price
 *     ───┼───────────────┼──────
 *      1 │ Outlaw Road   │  0.99
 *
 * (1) The first rows (up to MEASURED_ROWS) set the widths; later cells that do not fit are cut with
 *     an ellipsis, so that memory and time stay flat however many rows come. cli-table3 keeps all
 *     cells and takes 10 seconds for 10,000 rows of 5 (measured), hence this.
 * (2) A table is never wider than it is told: the widest columns give way first, each keeping at
 *     least COLUMN_WIDTH_MIN.
 * (3) Every cell is made visible first: values cannot speak to the terminal.
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
    const natural = this.#head.map((title, at) =>
      Math.max(1, displayWidth(title), ...rows.map((row) => displayWidth(row[at]?.text ?? ""))),
    );
    this.#widths = this.#width === undefined ? natural : fitted(natural, this.#width);
    this.#rightAligned = this.#head.map(
      (_, at) => rows.length > 0 && rows.every((row) => isRight(row[at])),
    );
    this.#draw(this.#head.map((text) => ({ text, isNumber: false })));
    this.#write(`${this.#widths.map((width) => "─".repeat(width)).join("─┼─")}\n`);
    for (const row of rows) this.#draw(row);
  }

  #draw(cells: readonly Cell[]): void {
    const parts = this.#widths.map((width, at) => {
      const text = cutToWidth(cells[at]?.text ?? "", width);
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

/** Takes from the widest until all fit; columns that cannot all be shown stay at their minimum. */
function fitted(natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const separators = SEPARATOR.length * (widths.length - 1);
  let excess = widths.reduce((sum, one) => sum + one, separators) - width;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= COLUMN_WIDTH_MIN) break;
    const second = Math.max(COLUMN_WIDTH_MIN, ...widths.filter((one) => one < widest));
    const at = widths.indexOf(widest);
    const sharers = widths.filter((one) => one === widest).length;
    const cut = Math.max(1, Math.min(widest - second, Math.floor(excess / sharers)));
    widths[at] = widest - Math.min(cut, excess);
    excess -= Math.min(cut, excess);
  }
  return widths;
}
