/**
 * THE MANIFEST AS A COMMIT IN THE MAKING WILL LEAVE IT: what the store holds, and over it the rows
 * that the batches of this commit put and remove.
 *
 * (1) Reads see what the batches before did, and this one so far.
 * (2) A batch that is undone leaves no trace: `begin` marks the place, `undo` goes back to it.
 * (3) `changes` tells what the batch since `begin` changed, each row once: as it was before the batch
 *     and as it is now. Rows that are as before are not told apart from changed ones.
 * (4) Nothing reaches the store but through `operations`.
 */
import { present } from "../../base/assert.ts";
import type { Sealed } from "../rows/envelope.ts";
import type { KeyRange } from "../rows/keys.ts";
import type { AnyTable, Operation, Table } from "../rows/table.ts";
import type { KeyValueOperation, KeyValuePair } from "../stores/key-value.ts";

/** What the store holds. */
export interface Base {
  get(key: Uint8Array): Uint8Array | undefined;
  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair>;
}

export interface RowChange<Row> {
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

interface Cell {
  readonly table: AnyTable;
  readonly key: Uint8Array;
  /** Undefined: removed. */
  readonly value: Uint8Array | undefined;
  readonly row: unknown;
}

/** A key as text that a Map can find: one character a byte. */
type KeyText = string;

export class Draft {
  /** Of the commit. */
  readonly generation: number;
  readonly #base: Base;
  readonly #file: string;
  readonly #cells = new Map<KeyText, Cell>();
  /** Of this batch, by table: cells as they were when it began; undefined for none. */
  #touched = new Map<AnyTable, Map<KeyText, Cell | undefined>>();
  /** Keys of all that was put, in order; undefined when it must be sorted anew. */
  #sorted: KeyText[] | undefined;

  constructor(base: Base, { generation, file }: { generation: number; file: string }) {
    this.#base = base;
    this.#file = file;
    this.generation = generation;
  }

  /** See (2). */
  begin(): void {
    this.#touched = new Map();
  }

  undo(): void {
    for (const touched of this.#touched.values()) {
      for (const [text, cell] of touched) {
        if (cell === undefined) this.#cells.delete(text);
        else this.#cells.set(text, cell);
      }
    }
    this.#touched = new Map();
    this.#sorted = undefined;
  }

  /** No row lies in the range. */
  isEmpty(range: KeyRange): boolean {
    return this.#keys(range).next().done === true;
  }

  get<Key, Row>(table: Table<Key, Row>, key: Key): Row | undefined {
    const bytes = table.encodeKey(key);
    const cell = this.#cells.get(textOf(bytes));
    if (cell !== undefined) return cell.row as Row | undefined;
    return this.#stored(table, bytes);
  }

  put<Key, Row>(table: Table<Key, Row>, row: Row): void {
    const { key, value } = table.encode(row, this.generation);
    this.#set({ table, key, value, row });
  }

  remove<Key, Row>(table: Table<Key, Row>, key: Key): void {
    this.#set({ table, key: table.encodeKey(key), value: undefined, row: undefined });
  }

  /** Carries one out; `removeRange` of many rows yields between them, so that it can be sliced. */
  *apply(operation: Operation): Generator<void> {
    const { table } = operation;
    if ("row" in operation) this.put(table, operation.row);
    else if ("key" in operation) this.remove(table, operation.key);
    else {
      for (const key of [...this.#keys(operation.range)]) {
        this.#set({ table, key, value: undefined, row: undefined });
        yield;
      }
    }
  }

  /** See (3). */
  *changes<Key, Row>(table: Table<Key, Row>): Generator<RowChange<Row>> {
    for (const [text, was] of this.#touched.get(table) ?? []) {
      const now = present(this.#cells.get(text), "what was touched has a cell");
      const before = was === undefined ? this.#stored(table, now.key) : was.row;
      yield { before: before as Row | undefined, after: now.row as Row | undefined };
    }
  }

  /** Rows that the commit will put or remove. */
  get size(): number {
    return this.#cells.size;
  }

  /** Everything that the commit is to do. */
  *operations(): Generator<KeyValueOperation> {
    for (const { key, value } of this.#cells.values()) {
      yield value === undefined ? { key } : { key, value };
    }
  }

  #set(cell: Cell): void {
    const text = textOf(cell.key);
    const was = this.#cells.get(text);
    let touched = this.#touched.get(cell.table);
    if (touched === undefined) {
      touched = new Map();
      this.#touched.set(cell.table, touched);
    }
    if (!touched.has(text)) touched.set(text, was);
    this.#cells.set(text, cell);
    if (was === undefined && cell.value !== undefined) this.#sorted = undefined;
  }

  #stored<Key, Row>(table: Table<Key, Row>, key: Uint8Array): Row | undefined {
    const value = this.#base.get(key);
    return value && table.decode({ key, value, file: this.#file } satisfies Sealed);
  }

  /** Keys of rows in a range, in no order. */
  *#keys({ from, to }: KeyRange): Generator<Uint8Array> {
    for (const { key } of this.#base.range(from, to)) {
      if (!this.#cells.has(textOf(key))) yield key;
    }
    const sorted = this.#sortedPuts();
    const end = textOf(to);
    for (let at = lowerBound(sorted, textOf(from)); at < sorted.length; at++) {
      const text = sorted[at] as KeyText;
      if (text >= end) return;
      const cell = this.#cells.get(text);
      if (cell?.value !== undefined) yield cell.key;
    }
  }

  #sortedPuts(): KeyText[] {
    this.#sorted ??= [...this.#cells].flatMap(([text, { value }]) => (value ? [text] : [])).sort();
    return this.#sorted;
  }
}

function textOf(key: Uint8Array): KeyText {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

function lowerBound(sorted: readonly KeyText[], key: KeyText): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as KeyText) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
