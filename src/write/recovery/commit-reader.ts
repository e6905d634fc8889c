/**
 * COMMITS READ A SECOND TIME, by where they lie: recovery has checked every byte of the log and
 * knows where the commits are; this reads the few that are asked for, and checks what it read again.
 *
 * (1) What is read is whole cells of batches (batch-table.ts). A cell that is not what it was when
 *     recovery read it is BOP_CORRUPT.
 * (2) The newest batch, if nothing proves that it is durable, comes from memory: it has been written
 *     to a fresh segment, and what the old one shows may be gone.
 * (3) Recovery has just read what is asked for, so that memory mostly has it, and a trip through the
 *     thread pool would take longer than the read. It is read within the call, until a read shows
 *     that the device was asked: then the next ones go through the pool, several at a time.
 * (4) A segment is not let go while anything here may read it: no checkpoint begins before all
 *     commits have been handed out and nobody reads any more (Backlog.finish).
 */
import { present } from "../../base/assert.ts";
import type { Clock, File, Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { KIB, MIB } from "../../base/units.ts";
import { BATCH_HEADER, type CommitAssembler, corrupt } from "../../wal/index.ts";
import { type BatchPlace, CELL_BYTES, payloadOffset } from "./batch-table.ts";
import type { CheckedSegment, UnprovenBatch } from "./walk.ts";

export interface CheckedLog {
  readonly storage: Storage;
  readonly segments: readonly CheckedSegment[];
  readonly unproven: UnprovenBatch | undefined;
}

/** A stretch of the log. */
export interface Stretch {
  readonly fromLsn: number;
  readonly toLsn: number;
}

export interface WholeBatch {
  readonly startLsn: number;
  readonly payload: Uint8Array;
  readonly place: { readonly file: string; readonly offset: number };
}

/** Most that one read takes, but for batches that are larger. */
const READ_BYTES = MIB;
/** Reads under way at a time: one thread of the pool is left to the log. */
const READS_AHEAD = 3;
/** What lies this close is read along. */
const GAP_BYTES = 32 * KIB;
/** A read within the call that took longer came from the device. */
const QUICK_MS = 0.5;
/** Reads that go through the pool before the next one is tried within the call. */
const POOLED_READS = 64;
const HEADER_BYTES = BATCH_HEADER.sizeBytes;

/** Part of a payload that is to be read. */
interface Piece {
  readonly segment: CheckedSegment;
  readonly batch: BatchPlace;
  /** Bytes of the payload that are wanted, and the whole cells around them. */
  readonly from: number;
  readonly to: number;
  readonly cellFrom: number;
  readonly cellTo: number;
}

type Give = (piece: Piece, cells: Uint8Array) => void;

export class CommitReader {
  readonly #log: CheckedLog;
  readonly #clock: Clock;
  readonly #files = new Map<CheckedSegment, Promise<File>>();
  /** Those of `#files` that are open. */
  readonly #opened = new Map<CheckedSegment, File>();
  /** See (3). */
  #pooledReads = 0;

  constructor(log: CheckedLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Gives the assembler all frames of stretches, in order, that begin and end with a commit. */
  async read(stretches: readonly Stretch[], assembler: CommitAssembler): Promise<void> {
    const pieces = stretches.flatMap((stretch) => this.#pieces(stretch));
    await this.#inReads(pieces, ({ segment, batch, from, to, cellFrom }, cells) => {
      const payload = cells.subarray(from - cellFrom, to - cellFrom);
      const place = { file: segment.path, offset: payloadOffset(batch) + from };
      assembler.take({ startLsn: batch.startLsn + from, payload, place });
    });
  }

  /** All batches from the one that an LSN lies in, a read's worth at a time. */
  async *batches(fromLsn: number): AsyncGenerator<WholeBatch> {
    for (const segment of this.#log.segments) {
      if (segment.endLsn <= fromLsn) continue;
      const pieces = piecesOf(segment, { fromLsn: 0, toLsn: Number.POSITIVE_INFINITY });
      for (let at = firstEndingAbove(pieces, fromLsn); at < pieces.length; ) {
        const end = endOfRead(pieces, at);
        const found: WholeBatch[] = [];
        const group = pieces.slice(at, end);
        this.#give(group, await this.#load(group), ({ batch }, payload) => {
          const place = { file: segment.path, offset: payloadOffset(batch) };
          found.push({ startLsn: batch.startLsn, payload, place });
        });
        yield* found;
        at = end;
      }
    }
  }

  async close(): Promise<void> {
    const files = await Promise.allSettled(this.#files.values());
    this.#files.clear();
    this.#opened.clear();
    for (const opened of files) {
      if (opened.status === "fulfilled") await opened.value.close().catch(() => undefined);
    }
  }

  #pieces(stretch: Stretch): Piece[] {
    return this.#log.segments.flatMap((segment) => {
      const { firstLsn, endLsn } = segment;
      if (endLsn <= stretch.fromLsn || firstLsn >= stretch.toLsn) return [];
      return piecesOf(segment, stretch);
    });
  }

  /** A few reads are under way at a time; what they brought is given in order. */
  async #inReads(pieces: readonly Piece[], give: Give): Promise<void> {
    const reads: { readonly pieces: readonly Piece[]; readonly bytes: Promise<Uint8Array> }[] = [];
    for (let at = 0; at < pieces.length || reads.length > 0; ) {
      while (at < pieces.length && reads.length < READS_AHEAD) {
        const end = endOfRead(pieces, at);
        const group = pieces.slice(at, end);
        const within = reads.length === 0 ? this.#loadWithin(group) : undefined;
        at = within === undefined ? at : end;
        if (within !== undefined) {
          this.#give(group, within, give);
          continue;
        }
        const bytes = this.#load(group);
        bytes.catch(() => undefined); // Told when its turn comes, if it does.
        reads.push({ pieces: group, bytes });
        at = end;
      }
      const next = reads.shift();
      if (next === undefined) continue;
      this.#give(next.pieces, await next.bytes, give);
    }
  }

  /** All that a few pieces of one segment need, in one read; nothing if memory has it. */
  async #load(pieces: readonly Piece[]): Promise<Uint8Array> {
    const [first, last] = [present(pieces[0], "a piece"), present(pieces.at(-1), "a piece")];
    if (pieces.every(({ segment, batch }) => this.#inMemory(segment, batch) !== undefined)) {
      return new Uint8Array(0);
    }
    const from = payloadOffset(first.batch) + first.cellFrom;
    return this.#bytes(first.segment, from, payloadOffset(last.batch) + last.cellTo);
  }

  /** See (3). Undefined if it is to go through the pool. */
  #loadWithin(pieces: readonly Piece[]): Uint8Array | undefined {
    const [first, last] = [present(pieces[0], "a piece"), present(pieces.at(-1), "a piece")];
    const file = this.#opened.get(first.segment);
    if (file === undefined) return undefined;
    if (this.#pooledReads > 0) {
      this.#pooledReads -= 1;
      return undefined;
    }
    if (this.#inMemory(first.segment, last.batch) !== undefined) return undefined;
    const from = payloadOffset(first.batch) + first.cellFrom;
    const to = payloadOffset(last.batch) + last.cellTo;
    const beganMs = this.#clock.monotonicMs();
    try {
      const bytes = new Uint8Array(to - from);
      if (file.readSync(bytes, from) < bytes.length) return undefined;
      if (this.#clock.monotonicMs() - beganMs > QUICK_MS) this.#pooledReads = POOLED_READS;
      return bytes;
    } catch (cause) {
      throw ioError("reading", first.segment.path, cause);
    }
  }

  /** `give` gets the whole cells of each piece, checked. */
  #give(pieces: readonly Piece[], bytes: Uint8Array, give: Give): void {
    const first = present(pieces[0], "a piece");
    const { segment } = first;
    const from = payloadOffset(first.batch) + first.cellFrom;
    let provenTo = from;
    for (const piece of pieces) {
      const { batch, cellFrom, cellTo } = piece;
      const kept = this.#inMemory(segment, batch);
      if (kept !== undefined) {
        give(piece, kept.subarray(cellFrom, cellTo));
        continue;
      }
      const payloadAt = payloadOffset(batch) - from;
      const unproven = Math.max(cellFrom, provenTo - payloadOffset(batch));
      const cells = bytes.subarray(payloadAt + unproven, payloadAt + cellTo);
      if (unproven < cellTo && !segment.table.proves(batch, unproven, cells)) {
        const place = { file: segment.path, offset: batch.offset };
        throw corrupt(place, "a batch is not what it was when the store was opened");
      }
      provenTo = Math.max(provenTo, payloadOffset(batch) + cellTo);
      give(piece, bytes.subarray(payloadAt + cellFrom, payloadAt + cellTo));
    }
  }

  /** See (2). */
  #inMemory(segment: CheckedSegment, batch: BatchPlace): Uint8Array | undefined {
    const { segments, unproven } = this.#log;
    if (unproven === undefined || segment !== segments.at(-1)) return undefined;
    return batch.startLsn === unproven.startLsn ? unproven.payload : undefined;
  }

  async #bytes(segment: CheckedSegment, from: number, to: number): Promise<Uint8Array> {
    try {
      const file = await this.#fileOf(segment);
      const bytes = new Uint8Array(to - from);
      for (let done = 0; done < bytes.length; ) {
        const read = await file.read(bytes.subarray(done), from + done);
        if (read === 0) throw new Error(`the file ends at ${from + done}`);
        done += read;
      }
      return bytes;
    } catch (cause) {
      throw ioError("reading", segment.path, cause);
    }
  }

  /** Files stay open until `close`: there are as many as the log has segments. */
  #fileOf(segment: CheckedSegment): Promise<File> {
    let file = this.#files.get(segment);
    if (file === undefined) {
      file = this.#log.storage.open(segment.path, "read").then((opened) => {
        this.#opened.set(segment, opened);
        return opened;
      });
      this.#files.set(segment, file);
    }
    return file;
  }
}

/** What a stretch takes of each batch that has something of it. */
function piecesOf(segment: CheckedSegment, { fromLsn, toLsn }: Stretch): Piece[] {
  const { table } = segment;
  const pieces: Piece[] = [];
  for (let index = Math.max(0, table.find(fromLsn)); index < table.count; index++) {
    const batch = table.at(index);
    const { payloadBytes } = batch;
    const payloadLsn = batch.startLsn + HEADER_BYTES;
    if (payloadLsn >= toLsn) break;
    const from = Math.min(payloadBytes, Math.max(0, fromLsn - payloadLsn));
    const to = Math.min(payloadBytes, toLsn - payloadLsn);
    if (to <= from) continue;
    const cellFrom = from - (from % CELL_BYTES);
    const cellTo = Math.min(payloadBytes, Math.ceil(to / CELL_BYTES) * CELL_BYTES);
    pieces.push({ segment, batch, from, to, cellFrom, cellTo });
  }
  return pieces;
}

function firstEndingAbove(pieces: readonly Piece[], lsn: number): number {
  const index = pieces.findIndex(({ batch, to }) => batch.startLsn + HEADER_BYTES + to > lsn);
  return index < 0 ? pieces.length : index;
}

/** How many pieces one read takes: as many as lie within its size, and at least one. */
function endOfRead(pieces: readonly Piece[], start: number): number {
  const first = present(pieces[start], "a piece to read");
  const from = payloadOffset(first.batch) + first.cellFrom;
  let end = start + 1;
  let readTo = payloadOffset(first.batch) + first.cellTo;
  for (let next = pieces[end]; next !== undefined; next = pieces[end]) {
    const nextFrom = payloadOffset(next.batch) + next.cellFrom;
    if (next.segment !== first.segment || nextFrom - readTo > GAP_BYTES) break;
    readTo = payloadOffset(next.batch) + next.cellTo;
    if (readTo - from > READ_BYTES) break;
    end += 1;
  }
  return end;
}
