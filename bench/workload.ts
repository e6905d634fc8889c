/**
 * WORKLOAD: rows that are known by their number, so that every one of them can be verified.
 */
import assert from "node:assert/strict";

export const NOTE_TABLE =
  "create table note (id integer primary key, owner integer not null, body text not null)";
export const NOTE_INDEX = "create index note_body on note (body)";
export const NOTE_INSERT = "insert into note (id, owner, body) values (?, ?, ?)";
export const NOTE_ROWS = "select id, owner, body from note order by id";

export interface Note {
  readonly id: number;
  readonly owner: number;
  readonly body: string;
}

export function note(id: number): Note {
  return { id, owner: id % 97, body: textOf(id) };
}

/** 24 characters that look random and depend on the number alone. */
export function textOf(id: number): string {
  let text = "";
  for (let word = 0; word < 3; word++)
    text += scramble(id * 3 + word)
      .toString(36)
      .padStart(8, "0");
  return text;
}

/** A bijection on 32 bits that leaves no order (the finalizer of MurmurHash3, public domain). */
export function scramble(n: number): number {
  let x = n | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Rows in order of id: exactly the notes of `ids`, each with its own values. */
export function verifyNotes(rows: Iterable<unknown>, ids: Iterable<number>): void {
  const found = rows[Symbol.iterator]();
  for (const id of ids) {
    const next = found.next();
    assert(!next.done, `row ${id} is missing`);
    const { id: foundId, owner, body } = next.value as Note;
    const expected = note(id);
    const right = foundId === id && owner === expected.owner && body === expected.body;
    assert(right, `row ${id} is ${JSON.stringify(next.value)}`);
  }
  assert(found.next().done, "there are rows that nobody wrote");
}

export function* numbers(from: number, to: number): Generator<number> {
  for (let n = from; n < to; n++) yield n;
}
