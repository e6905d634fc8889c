/**
 * THE CHAIN THAT AN EPOCH IS WRITING: a base, part by part, then batches. Decides and counts; puts
 * nothing.
 *
 *   reading the base ──► parts are put ──► whole: its first state ──► batches ──► outgrown
 *
 * (1) It is outgrown when the batches are larger than the base and not small, when there are many of
 *     them, or when it is old: what is older than the window goes chain by chain.
 */
import { KIB, MIB } from "../../base/units.ts";
import type {
  KeyValuePair,
  RemoteChainKey,
  RemoteChainRow,
  RemoteState,
} from "../../manifest/index.ts";
import { rowBytes } from "../format/row-blocks.ts";

/** Parts are cut at this size; one row may be larger. */
const PART_BYTES = 4096 * KIB;
const BATCHES_MAX = 256;
const SMALL_BYTES = 4 * MIB;
const CHAIN_MS_MIN = 60 * 60 * 1000;
const CHAINS_IN_WINDOW = 16;

export class ChainInMaking {
  readonly key: RemoteChainKey;
  /** While the base is being read. */
  reading: AsyncGenerator<readonly KeyValuePair[]> | undefined;
  #parts = 0;
  #baseBytes = 0;
  #batches = 0;
  #batchBytes = 0;
  #row: RemoteChainRow | undefined;
  #waiting: KeyValuePair[] = [];
  #waitingBytes = 0;

  constructor(key: RemoteChainKey, base: AsyncGenerator<readonly KeyValuePair[]>) {
    this.key = key;
    this.reading = base;
  }

  /** Undefined before its first state is in the bucket. */
  get row(): RemoteChainRow | undefined {
    return this.#row;
  }

  /** All parts have been made. */
  get isRead(): boolean {
    return this.reading === undefined && this.#waiting.length === 0;
  }

  /** See (1). */
  isOutgrown(nowMs: number, keepForMs: number): boolean {
    if (this.#row === undefined) return false;
    const ageMs = nowMs - this.#row.first.wallMs;
    return (
      this.#batches >= BATCHES_MAX ||
      this.#batchBytes > Math.max(SMALL_BYTES, this.#baseBytes) ||
      ageMs > Math.max(CHAIN_MS_MIN, keepForMs / CHAINS_IN_WINDOW)
    );
  }

  /** Takes in what comes next of the base, once `learn` was shown it. A failure ends the chain. */
  async readOn(learn: (rows: readonly KeyValuePair[]) => void): Promise<void> {
    const { done, value } = (await this.reading?.next()) ?? { done: true };
    if (done === true) {
      this.reading = undefined;
      return;
    }
    learn(value);
    for (const row of value) this.#waitingBytes += rowBytes(row);
    this.#waiting.push(...value);
  }

  /** Rows of the next part, when there are enough of them, or no more to come. */
  takePart(): { readonly part: number; readonly rows: readonly KeyValuePair[] } | undefined {
    const isFull = this.#waitingBytes >= PART_BYTES || this.reading === undefined;
    if (!isFull || this.#waiting.length === 0) return undefined;
    const part = { part: this.#parts, rows: this.#waiting };
    this.#parts += 1;
    [this.#waiting, this.#waitingBytes] = [[], 0];
    return part;
  }

  partMade(bytes: number): void {
    this.#baseBytes += bytes;
  }

  /** Its row once a state is in the bucket under that number. */
  rowWith(state: RemoteState, number: number, bytes = 0): RemoteChainRow {
    const row = this.#row;
    if (row !== undefined) {
      return { ...row, lastNumber: number, bytes: row.bytes + bytes, last: state };
    }
    const numbers = { wholeNumber: number, lastNumber: number };
    return { ...this.key, ...numbers, bytes: this.#baseBytes + bytes, first: state, last: state };
  }

  /** It is. */
  statePut(row: RemoteChainRow, bytes: number): void {
    if (this.#row === undefined) this.#baseBytes += bytes;
    else this.#batchBytes += bytes;
    this.#batches += 1;
    this.#row = row;
  }
}
