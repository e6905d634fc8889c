/**
 * WHAT THERE IS OF A CHUNK, block by block. Pure.
 *
 *   mine ──► absent ──► here ──► absent, doubted ──► here ──► …     DOUBTS_MAX times; then whoever
 *     └ bad     └ fetched  └ not what it should be                  reads is told, and it begins anew
 *
 * (1) A block is BLOCK_BYTES long; the last one ends with the file.
 * (2) `mine`: the chunk's own file lies here, damaged somewhere. It is read but for what was found to
 *     be bad. Every record is checked by who reads it, so what is served is right wherever it came
 *     from. After BAD_MAX findings nothing of it is read any more.
 */
import { KIB } from "../../base/units.ts";
import type { ByteRange } from "./remote-chunks.ts";

export const BLOCK_BYTES = 64 * KIB;

/** Bytes may be damaged on their way: how often they are fetched again before that is said. */
const DOUBTS_MAX = 2;
const BAD_MAX = 64;

/** Where bytes are to be read: in what was fetched, or in the chunk's own file. */
export interface Piece extends ByteRange {
  readonly from: "part" | "mine";
}

export class Blocks {
  readonly fileBytes: number;
  /** See (2). */
  readonly hasMine: boolean;
  /** 1: it was fetched. */
  readonly #flags: Uint8Array;
  /** How often what was fetched was not what it should be. */
  readonly #doubts: Uint8Array;
  /** Of the chunk's own file. */
  readonly #bad: ByteRange[] = [];
  #here = 0;

  constructor(fileBytes: number, hasMine: boolean) {
    this.fileBytes = fileBytes;
    this.hasMine = hasMine;
    this.#flags = new Uint8Array(Math.ceil(fileBytes / BLOCK_BYTES));
    this.#doubts = new Uint8Array(this.#flags.length);
  }

  get count(): number {
    return this.#flags.length;
  }

  /** All was fetched. */
  get isWhole(): boolean {
    return this.#here === this.#flags.length;
  }

  /** That were fetched, in whole blocks. */
  get partBytes(): number {
    return Math.min(this.fileBytes, this.#here * BLOCK_BYTES);
  }

  /** It was fetched. */
  isHere(index: number): boolean {
    return this.#flags[index] === 1;
  }

  /** Blocks that reading a range needs and that are not to be had. */
  missing(range: ByteRange): number[] {
    return this.indexes(range).filter((index) => this.#sourceOf(index, range) === undefined);
  }

  /** Blocks that were not fetched, whatever lies in the chunk's own file. */
  unfetched(): number[] {
    return this.indexes({ offset: 0, bytes: this.fileBytes }).filter(
      (index) => !this.isHere(index),
    );
  }

  /** How to read a range, up to the first block that is not to be had. */
  pieces({ offset, bytes }: ByteRange): Piece[] {
    const pieces: { from: "part" | "mine"; offset: number; bytes: number }[] = [];
    const end = Math.min(offset + bytes, this.fileBytes);
    for (const index of this.indexes({ offset, bytes })) {
      const from = this.#sourceOf(index, { offset, bytes });
      if (from === undefined) break;
      const begin = Math.max(offset, index * BLOCK_BYTES);
      const length = Math.min(end, (index + 1) * BLOCK_BYTES) - begin;
      const last = pieces.at(-1);
      if (last?.from === from) last.bytes += length;
      else pieces.push({ from, offset: begin, bytes: length });
    }
    return pieces;
  }

  fetched(index: number): void {
    if (this.isHere(index)) return;
    this.#flags[index] = 1;
    this.#here += 1;
  }

  /**
   * What was read in a range is not what it should be. False if that is the last word for who reads:
   * it was fetched again and again. The next one begins anew.
   */
  damaged(range: ByteRange): boolean {
    const indexes = this.indexes(range);
    const ofMine = indexes.filter((index) => this.#sourceOf(index, range) === "mine");
    const doubted = indexes.filter((index) => {
      return !ofMine.includes(index) && this.isHere(index) && this.#doubt(index);
    });
    if (ofMine.length > 0) this.#bad.push(range);
    if (ofMine.length > 0 || doubted.length > 0) return true;
    for (const index of indexes) this.#forget(index);
    return false;
  }

  /**
   * All that was fetched does not make the chunk that it should. False if that is the last word: what
   * is here stays, and serves the pages that are right.
   */
  doubtAll(): boolean {
    let isOver = true;
    for (let index = 0; index < this.count; index += 1) {
      if (this.isHere(index) && this.#doubt(index)) isOver = false;
    }
    return !isOver;
  }

  /** Nothing that was fetched is trusted any more. */
  reset(): void {
    for (let index = 0; index < this.count; index += 1) this.#forget(index);
  }

  /** The device does not give them back: they are fetched again, as often as it takes. */
  lost(range: ByteRange): void {
    for (const index of this.indexes(range)) this.#drop(index);
  }

  /** Of the blocks that a range touches. */
  indexes({ offset, bytes }: ByteRange): number[] {
    const end = Math.min(offset + bytes, this.fileBytes);
    if (end <= offset) return [];
    const first = Math.floor(offset / BLOCK_BYTES);
    const count = Math.floor((end - 1) / BLOCK_BYTES) - first + 1;
    return Array.from({ length: count }, (_, step) => first + step);
  }

  /** Where a block lies in the file. */
  rangeOf(first: number, count: number): ByteRange {
    const offset = first * BLOCK_BYTES;
    return { offset, bytes: Math.min(this.fileBytes - offset, count * BLOCK_BYTES) };
  }

  /** Where the part of a range that lies in a block is read. */
  #sourceOf(index: number, range: ByteRange): "part" | "mine" | undefined {
    if (this.hasMine && !this.#isBad(index, range)) return "mine";
    return this.isHere(index) ? "part" : undefined;
  }

  #isBad(index: number, { offset, bytes }: ByteRange): boolean {
    if (this.#bad.length > BAD_MAX) return true;
    const begin = Math.max(offset, index * BLOCK_BYTES);
    const end = Math.min(offset + bytes, (index + 1) * BLOCK_BYTES);
    return this.#bad.some((bad) => bad.offset < end && begin < bad.offset + bad.bytes);
  }

  /** False if it was doubted too often. */
  #doubt(index: number): boolean {
    const doubts = this.#doubts[index] ?? 0;
    if (doubts >= DOUBTS_MAX) return false;
    this.#doubts[index] = doubts + 1;
    this.#drop(index);
    return true;
  }

  #forget(index: number): void {
    this.#doubts[index] = 0;
    this.#drop(index);
  }

  #drop(index: number): void {
    if (!this.isHere(index)) return;
    this.#flags[index] = 0;
    this.#here -= 1;
  }
}

/** Blocks that follow each other, at most `max` together. */
export function runsOf(indexes: readonly number[], max: number): [first: number, count: number][] {
  const runs: [number, number][] = [];
  for (const index of indexes) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === index && last[1] < max) last[1] += 1;
    else runs.push([index, 1]);
  }
  return runs;
}
