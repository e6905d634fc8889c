/**
 * THE TRAIL OF THE LOG: where each commit lies that was sealed, until the segment that its commit
 * frame lies in is sealed and has an index (segment-index.ts).
 *
 * (1) Entries stand in order of LSN; commits do not overlap.
 * (2) Noting one writes five numbers into memory that is there already: it is done at every commit.
 */
import { assert, present } from "../base/assert.ts";
import type { Lsn } from "../base/units.ts";

/** One commit: its frames, commit frame included, take the log from `firstLsn` to `lsn`. */
export interface CommitPosition {
  readonly stream: number;
  readonly firstLsn: number;
  readonly lsn: number;
  readonly pageCount: number;
  readonly pageBytes: number;
}

const FIELDS = 5;
const LSN_FIELD = 2;
const CHUNK_COMMITS = 2048;
/** What an entry takes in an index: two varints, of up to a gap within a large segment. */
const INDEX_BYTES_TYPICAL = 6;

export class CommitTrail {
  /** Each filled from the front; the first may be empty at its front already. */
  readonly #chunks: Float64Array[] = [];
  #taken = 0;
  #end = CHUNK_COMMITS * FIELDS;
  #newest: Float64Array | undefined;
  #spare: Float64Array | undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** About what an index of these would take. */
  get indexBytes(): number {
    return this.#count * INDEX_BYTES_TYPICAL;
  }

  note({ stream, firstLsn, lsn, pageCount, pageBytes }: CommitPosition): void {
    if (this.#end === CHUNK_COMMITS * FIELDS) this.#grow();
    const chunk = this.#newest as Float64Array;
    let at = this.#end;
    chunk[at++] = stream;
    chunk[at++] = firstLsn;
    chunk[at++] = lsn;
    chunk[at++] = pageCount;
    chunk[at++] = pageBytes;
    this.#end = at;
    this.#count += 1;
  }

  /** Takes up to `limit` of the oldest entries at or below `upTo`; returns how many there were. */
  take(upTo: Lsn, { limit, to }: TakeTrail): number {
    let given = 0;
    while (given < limit && this.#count > 0) {
      const chunk = present(this.#chunks[0], "entries lie in chunks");
      const at = this.#taken;
      if ((chunk[at + LSN_FIELD] as number) > upTo) break;
      to(positionAt(chunk, at));
      given += 1;
      this.#dropFirst();
    }
    return given;
  }

  #dropFirst(): void {
    this.#taken += FIELDS;
    this.#count -= 1;
    const isNewest = this.#chunks.length === 1;
    assert(!isNewest || this.#taken <= this.#end, "more was taken than was noted");
    if (this.#taken < (isNewest ? this.#end : CHUNK_COMMITS * FIELDS)) return;
    this.#spare = this.#chunks.shift();
    this.#taken = 0;
    if (isNewest) this.#end = CHUNK_COMMITS * FIELDS;
  }

  #grow(): void {
    this.#newest = this.#spare ?? new Float64Array(CHUNK_COMMITS * FIELDS);
    this.#spare = undefined;
    this.#chunks.push(this.#newest);
    this.#end = 0;
  }
}

export interface TakeTrail {
  readonly limit: number;
  readonly to: (position: CommitPosition) => void;
}

function positionAt(chunk: Float64Array, at: number): CommitPosition {
  const [stream = 0, firstLsn = 0, lsn = 0, pageCount = 0, pageBytes = 0] = chunk.subarray(
    at,
    at + FIELDS,
  );
  return { stream, firstLsn, lsn, pageCount, pageBytes };
}
