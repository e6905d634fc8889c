/**
 * ROWS AS TEXT, in the mode that was asked for:
 *
 *   table   columns drawn for people: NULL shown, numbers right, long values cut to the terminal
 *   line    a row as lines of `column = value`, for rows that are too wide
 *   list    values with | between them, no header: for scripts
 *   csv     RFC 4180 with a header; NULL is empty, a blob is x'…'
 *   json    an array of objects; integers keep all their digits, a blob is { "base64": "…" }
 *
 * (1) Rows are written as they come; no mode keeps more of them than the table measures.
 * (2) `table` and `line` are for people and show control characters as escapes; the others are for
 *     programs and give the bytes that are there.
 */
import type { SqlValue } from "../../sqlite/index.ts";
import { type Cell, TableWriter } from "../table.ts";
import { visible } from "../visible.ts";

export const ROW_MODES = ["table", "line", "list", "csv", "json"] as const;
export type RowMode = (typeof ROW_MODES)[number];

export interface RowWriter {
  row(values: readonly SqlValue[]): void;
  /** Nothing is written after it. */
  end(): void;
}

export interface RowTarget {
  readonly columns: readonly string[];
  /** Columns of the terminal; undefined: as wide as it takes. */
  readonly width: number | undefined;
  readonly write: (text: string) => void;
}

export function isRowMode(text: string): text is RowMode {
  return (ROW_MODES as readonly string[]).includes(text);
}

export function rowWriter(mode: RowMode, target: RowTarget): RowWriter {
  return WRITERS[mode](target);
}

const WRITERS: Readonly<Record<RowMode, (target: RowTarget) => RowWriter>> = {
  table: tableRows,
  line: lineRows,
  list: listRows,
  csv: csvRows,
  json: jsonRows,
};

/** A value as people read it: NULL in words, a blob as SQL writes it, 1.0 as a real. */
export function valueText(value: SqlValue): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return value;
  if (typeof value === "number") return realText(value);
  return typeof value === "bigint" ? value.toString() : blobText(value);
}

function tableRows({ columns, width, write }: RowTarget): RowWriter {
  const table = new TableWriter({ head: columns, width, write });
  return {
    row: (values) => table.row(values.map(cellOf)),
    end: () => table.end(),
  };
}

function lineRows({ columns, write }: RowTarget): RowWriter {
  const widest = Math.max(0, ...columns.map((name) => name.length));
  let separator = "";
  return {
    row: (values) => {
      const lines = values.map(
        (value, at) => `${(columns[at] ?? "").padStart(widest)} = ${visible(valueText(value))}\n`,
      );
      write(`${separator}${lines.join("")}`);
      separator = "\n";
    },
    end: () => {},
  };
}

function listRows({ write }: RowTarget): RowWriter {
  const text = (value: SqlValue) => (value === null ? "" : valueText(value));
  return { row: (values) => write(`${values.map(text).join("|")}\n`), end: () => {} };
}

function csvRows({ columns, write }: RowTarget): RowWriter {
  const line = (fields: readonly string[]) => write(`${fields.map(csvField).join(",")}\r\n`);
  line(columns);
  return {
    row: (values) => line(values.map((value) => (value === null ? "" : valueText(value)))),
    end: () => {},
  };
}

function jsonRows({ columns, write }: RowTarget): RowWriter {
  const keys = distinct(columns).map((name) => JSON.stringify(name));
  let separator = "[";
  return {
    row: (values) => {
      const members = values.map((value, at) => `${keys[at]}:${jsonText(value)}`);
      write(`${separator}{${members.join(",")}}`);
      separator = ",\n";
    },
    end: () => write(separator === "[" ? "[]\n" : "]\n"),
  };
}

function cellOf(value: SqlValue): Cell {
  const isNumber = typeof value === "number" || typeof value === "bigint";
  return { text: valueText(value), isNumber };
}

function realText(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "Inf" : "-Inf";
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function blobText(bytes: Uint8Array): string {
  return `x'${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}'`;
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function jsonText(value: SqlValue): string {
  if (typeof value === "bigint") return value.toString();
  // JSON has no infinity, but every reader makes one of a number beyond all doubles.
  if (typeof value === "number" && !Number.isFinite(value)) return value > 0 ? "1e999" : "-1e999";
  if (typeof value === "number") return realText(value);
  if (value === null || typeof value === "string") return JSON.stringify(value);
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return `{"base64":"${bytes.toString("base64")}"}`;
}

/** An object has a key once: `a, a` becomes `a, a:1`. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let key = name;
    for (let count = 1; taken.has(key); count += 1) key = `${name}:${count}`;
    taken.add(key);
    return key;
  });
}
