/**
 * WHERE A CONNECTION KEEPS ITS COUNTERS. SQLite has a function that sets last_insert_rowid(), and
 * none for changes() and total_changes(). Sessions that share a connection need both, so the two
 * fields are looked for in the connection's struct when an engine is made: the pair of 64-bit
 * numbers that follows the public functions through several changes, and that they follow when it
 * is written to.
 */
import { assert } from "../../base/assert.ts";
import type { Heap } from "./heap.ts";
import type { Pointer, RawFunctions } from "./raw.ts";

/** Enough for the part of the struct that the counters are in. */
const SEARCHED_BYTES = 512;

export class CounterFields {
  readonly #heap: Heap;
  /** Distance of the two fields from the connection's address, in 8-byte words. */
  readonly #changesWord: number;

  constructor(heap: Heap, changesWord: number) {
    this.#heap = heap;
    this.#changesWord = changesWord;
  }

  write(db: Pointer, changes: number, totalChanges: number): void {
    const word = (db >> 3) + this.#changesWord;
    this.#heap.i64[word] = BigInt(changes);
    this.#heap.i64[word + 1] = BigInt(totalChanges);
  }
}

export interface CounterProbe {
  readonly c: RawFunctions;
  readonly heap: Heap;
  readonly db: Pointer;
  /** Runs SQL on `db`, which nobody else uses. */
  readonly run: (sql: string) => void;
}

export function findCounterFields({ c, heap, db, run }: CounterProbe): CounterFields {
  assert(db % 8 === 0, "a connection at an odd address");
  run("create table probe (x)");
  let words = Array.from({ length: SEARCHED_BYTES / 8 }, (_, index) => index);
  const changes = [
    "insert into probe values (1), (2), (3), (4), (5), (6), (7)",
    "update probe set x = 0 where x > 4",
    "delete from probe where x > 2",
  ];
  for (const sql of changes) {
    run(sql);
    const [last, total] = [c.sqlite3_changes64(db), c.sqlite3_total_changes64(db)];
    words = words.filter((word) => {
      const at = (db >> 3) + word;
      return heap.i64[at] === last && heap.i64[at + 1] === total;
    });
  }
  const [word, second] = words;
  assert(word !== undefined && second === undefined, "the change counters were not found");
  const fields = new CounterFields(heap, word);
  fields.write(db, 41, 4100);
  assert(c.sqlite3_changes64(db) === 41n, "changes() does not follow its field");
  assert(c.sqlite3_total_changes64(db) === 4100n, "total_changes() does not follow its field");
  return fields;
}
