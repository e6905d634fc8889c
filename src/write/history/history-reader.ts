/**
 * THE LOG THAT LIES BEHIND, read back for moments of the past: history, and of what is in flight all
 * that is durable.
 *
 *   where commits of a stream lie   the indexes of segments say; where one is missing, its batches
 *   what is in them                 batches are walked from the front of each segment that has some
 *
 * (1) Nothing is passed over: a segment that is missing, a batch that is not as it was written and a
 *     commit that an index tells of and the batches do not have are BOP_CORRUPT, with the file.
 * (2) Whoever reads holds what he reads (history-segments.ts (2)), so that no file is used for other
 *     log meanwhile. One that becomes history under a reader may change its name: he looks it up anew.
 * (3) Only segments that have commits of the stream are read beyond their index.
 * (4) What (1) finds is made again, where the log has an archive that has it (mending.ts), and read on.
 * (5) Where history begins is where a segment does, and that may lie within a large commit, the front
 *     of which is gone then. So one that began before the first segment of a range is not of the range.
 * (6) It steps aside every few milliseconds: memory may have all that is read, so that nothing waits.
 */
import { crc32 } from "node:zlib";
import type { Clock, Storage } from "../../base/env.ts";
import { isStorageError, type StorageError, systemCode } from "../../base/errors.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import { type Lsn, lsn, type StreamId } from "../../base/units.ts";
import {
  BATCH_HEADER,
  type BatchHeader,
  BLOCK_BYTES,
  batchBytes,
  CommitAssembler,
  CommitScan,
  corrupt,
  decodeSegmentIndex,
  type LogCore,
  type ReplayedCommit,
  RunCursor,
  type SegmentIndex,
  SegmentIndexBuilder,
  segmentIndexBytes,
} from "../../wal/index.ts";
import type { EndedLogSegment, HistoryRange, LogHistory } from "../log.ts";
import type { Stretch } from "../recovery/commit-reader.ts";
import type { SegmentMending } from "../recovery/mending.ts";
import type { HeldSegments } from "../segments/held-segments.ts";
import { ReadMemory, SegmentReader } from "../segments/segment-reader.ts";
import type { ReadableSegment } from "../segments/segment-records.ts";
import type { HistoryHold } from "./history-segments.ts";

export interface HistoryParts {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly storeId: Uint8Array;
  readonly core: Pick<LogCore, "durableLsn" | "durableEnd" | "wallMs">;
  readonly segments: HeldSegments;
  readonly mending: SegmentMending;
}

/** A segment as far as it is read. */
interface Section extends ReadableSegment {
  readonly toLsn: number;
  /** Of all sections that are read one after the other. */
  readonly memory: ReadMemory;
}

interface FoundBatch {
  readonly header: BatchHeader;
  readonly offset: number;
  /** Unchecked, and good until the next batch is asked for. */
  readonly payload: Uint8Array;
}

export class HistoryReader implements LogHistory {
  readonly #parts: HistoryParts;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  get fromLsn(): Lsn {
    return this.#parts.segments.historyLsn;
  }

  get fromMs(): number {
    return this.#parts.segments.readable(this.fromLsn)[0]?.createdMs ?? this.newestMs;
  }

  get newestMs(): number {
    return this.#parts.core.wallMs;
  }

  get bytes(): number {
    return this.#parts.segments.history.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  }

  get segments(): number {
    return this.#parts.segments.history.length;
  }

  get ended(): EndedLogSegment[] {
    const { core, segments } = this.#parts;
    return segments.readable(this.fromLsn).flatMap(({ sequence, path, firstLsn, endLsn }) => {
      const isDurable = endLsn !== undefined && endLsn <= core.durableEnd;
      return isDurable ? { sequence, path, firstLsn, endLsn } : [];
    });
  }

  hold(lsn: Lsn): HistoryHold | undefined {
    return this.#parts.segments.hold(lsn);
  }

  floorLsn(upToLsn: Lsn, bytesMax: number): Lsn {
    return this.#parts.segments.historyFloor(upToLsn, bytesMax);
  }

  lsnAt(wallMs: number): Promise<Lsn | undefined> {
    return this.#mended(() => this.#lsnAt(wallMs));
  }

  /** Ends when everything of the range was given, whatever had to be made again for it. See (4). */
  async *commits(stream: StreamId, range: HistoryRange): AsyncGenerator<ReplayedCommit> {
    const mended = new Set<string>();
    let { afterLsn } = range;
    while (true) {
      try {
        for await (const commit of this.#commits(stream, { ...range, afterLsn })) {
          yield commit;
          afterLsn = commit.lsn;
        }
        return;
      } catch (error) {
        if (!(await this.#mendAfter(error, mended))) throw error;
      }
    }
  }

  mend(sequence: number): Promise<boolean> {
    const { segments, mending } = this.#parts;
    const all = segments.readable(this.fromLsn);
    return mending.mend(all.find((segment) => segment.sequence === sequence));
  }

  async #mended<T>(read: () => Promise<T>): Promise<T> {
    const mended = new Set<string>();
    while (true) {
      try {
        return await read();
      } catch (error) {
        if (!(await this.#mendAfter(error, mended))) throw error;
      }
    }
  }

  /** False if it is no damage, or one that cannot be made good, or was before. */
  async #mendAfter(error: unknown, mended: Set<string>): Promise<boolean> {
    if (!isStorageError(error, "BOP_CORRUPT")) return false;
    const { file } = error.details;
    if (mended.has(file)) return false;
    mended.add(file);
    const { segments, mending } = this.#parts;
    const all = segments.readable(this.fromLsn);
    return await mending.mend(all.find(({ path }) => path === file));
  }

  async #lsnAt(wallMs: number): Promise<Lsn | undefined> {
    const { durableLsn } = this.#parts.core;
    const hold = this.hold(this.fromLsn);
    try {
      const sections = this.#sections({ afterLsn: this.fromLsn, upToLsn: durableLsn });
      const first = lastTakenBy(sections, wallMs);
      if (first < 0) return undefined;
      let at = sections[first]?.firstLsn as number;
      // Batches that a segment took over from the one before may be older than it is.
      for (const section of sections.slice(first)) {
        for await (const { header } of this.#batches(section)) {
          if (header.wallMs > wallMs) return lsn(Math.min(at, durableLsn));
          at = header.startLsn + batchBytes(header.payloadBytes);
        }
      }
      return lsn(Math.min(at, durableLsn));
    } finally {
      hold?.release();
    }
  }

  async *#commits(stream: StreamId, range: HistoryRange): AsyncGenerator<ReplayedCommit> {
    const sections = this.#sections(range);
    const beginsLsn = sections[0]?.firstLsn ?? range.afterLsn;
    const stretches: Stretch[] = [];
    for (const section of sections) {
      const { runs } = await this.#index(section);
      const run = runs.find((each) => each.stream === stream);
      const cursor = run && new RunCursor(run);
      while (cursor?.next()) {
        const { firstLsn: fromLsn, lsn: toLsn } = cursor;
        if (fromLsn < beginsLsn) continue; // See (5).
        if (toLsn > range.afterLsn && toLsn <= range.upToLsn) stretches.push({ fromLsn, toLsn });
      }
    }
    const found: ReplayedCommit[] = [];
    const assembler = new CommitAssembler(range.afterLsn, (commit) => found.push(commit));
    for (const section of sections) {
      const { firstLsn, toLsn } = section;
      const wanted = stretches.filter((each) => each.fromLsn < toLsn && each.toLsn > firstLsn);
      if (wanted.length === 0) continue;
      const taking = { file: section.path, wanted, next: 0, assembler };
      const upToLsn = Math.min(toLsn, wanted.at(-1)?.toLsn ?? 0);
      for await (const batch of this.#batches({ ...section, toLsn: upToLsn })) {
        takeStretches(batch, taking);
        yield* found.splice(0);
      }
    }
    if (assembler.commits === stretches.length) return;
    const why = `${assembler.commits} of ${stretches.length} commits are there`;
    throw corrupt({ file: sections[0]?.path ?? "wal", offset: 0 }, why);
  }

  /** Segments that have something in a range, each as far as that goes. */
  #sections({ afterLsn, upToLsn }: HistoryRange): Section[] {
    const { segments, core } = this.#parts;
    const memory = new ReadMemory();
    return segments.readable(afterLsn).flatMap((segment) => {
      const toLsn = Math.min(segment.endLsn ?? core.durableEnd, roundedUp(segment, upToLsn));
      return segment.firstLsn < toLsn ? { ...segment, toLsn, memory } : [];
    });
  }

  /** See (2). */
  async #open(section: Section): Promise<SegmentReader> {
    const { storage, storeId } = this.#parts;
    const { sequence, memory } = section;
    for (let path = this.#pathOf(section); ; ) {
      try {
        return await SegmentReader.open(storage, { path, storeId, sequence }, memory);
      } catch (error) {
        if (systemCode((error as StorageError).cause) !== "ENOENT") throw error;
        const gone = path;
        path = this.#pathOf(section);
        if (path !== gone) continue; // Its copy took its place while it was being opened.
        throw corrupt({ file: path, offset: 0 }, "a segment of the history is missing");
      }
    }
  }

  #pathOf({ sequence, firstLsn, path }: Section): string {
    const now = this.#parts.segments.readable(firstLsn).find((each) => each.sequence === sequence);
    return now?.path ?? path;
  }

  /** All batches from the front of a segment up to where it is read. See (1). */
  async *#batches(section: Section): AsyncGenerator<FoundBatch> {
    const reader = await this.#open(section);
    const slice = new TimeSlice(this.#parts.clock);
    try {
      let offset = BLOCK_BYTES;
      for (let at: number = section.firstLsn; at < section.toLsn; ) {
        const found = reader.headerAt(offset);
        const header = found instanceof Promise ? await found : found;
        if (header === undefined || header.startLsn !== at) throw damaged(reader, offset);
        const read = reader.payloadAt(offset, header);
        const payload = read instanceof Promise ? await read : read;
        if (payload === undefined) throw damaged(reader, offset);
        yield { header, offset, payload };
        await slice.pause();
        at += batchBytes(header.payloadBytes);
        offset += batchBytes(header.payloadBytes);
      }
    } finally {
      await reader.close();
    }
  }

  async #index(section: Section): Promise<SegmentIndex> {
    const { endLsn, path, firstLsn } = section;
    const kept = endLsn === undefined ? undefined : await this.#keptIndex(section, endLsn);
    if (kept !== undefined) return kept;
    const builder = new SegmentIndexBuilder(firstLsn);
    for await (const { header, offset, payload } of this.#batches(section)) {
      prove({ header, offset, payload }, path);
      const place = { file: path, offset: offset + BATCH_HEADER.sizeBytes };
      const scan = new CommitScan({ startLsn: header.startLsn, payload, place });
      for (let next = scan.next(); next !== undefined; next = scan.next()) builder.add(next);
    }
    return builder.index();
  }

  async #keptIndex(section: Section, endLsn: Lsn): Promise<SegmentIndex | undefined> {
    const reader = await this.#open(section);
    try {
      const { storeId, sequence } = reader.identity;
      const segment = { storeId, sequence, endLsn };
      const offset = BLOCK_BYTES + endLsn - section.firstLsn;
      const bytes = segmentIndexBytes(await reader.bytesAt(offset, BLOCK_BYTES), segment);
      if (bytes === undefined || bytes > reader.sizeBytes - offset) return undefined;
      return decodeSegmentIndex(await reader.bytesAt(offset, bytes), segment);
    } finally {
      await reader.close();
    }
  }
}

/** The whole block that an LSN lies in, as seen from the front of a segment. */
function roundedUp({ firstLsn }: ReadableSegment, at: number): number {
  return firstLsn + Math.ceil((at - firstLsn) / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Index of the last segment that was in use at a time; −1 if none was. */
function lastTakenBy(sections: readonly Section[], wallMs: number): number {
  let [low, high] = [0, sections.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sections[middle] as Section).createdMs <= wallMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

interface Taking {
  readonly file: string;
  /** In order; those before `next` have been taken. */
  readonly wanted: readonly Stretch[];
  next: number;
  readonly assembler: CommitAssembler;
}

/** What stretches have of a batch, each of them whole commits. */
function takeStretches(batch: FoundBatch, taking: Taking): void {
  const { file, wanted, assembler } = taking;
  const { header, offset, payload } = batch;
  const payloadLsn = header.startLsn + BATCH_HEADER.sizeBytes;
  let isProven = false;
  for (; taking.next < wanted.length; taking.next += 1) {
    const { fromLsn, toLsn } = wanted[taking.next] as Stretch;
    const from = Math.max(0, fromLsn - payloadLsn);
    const to = Math.min(payload.length, toLsn - payloadLsn);
    if (to > from) {
      if (!isProven) prove(batch, file);
      isProven = true;
      const place = { file, offset: offset + BATCH_HEADER.sizeBytes + from };
      const startLsn = header.startLsn + from;
      assembler.take({ startLsn, payload: payload.subarray(from, to), place });
    }
    if (toLsn > payloadLsn + payload.length) return; // It goes on in the next batch.
  }
}

function prove({ header, offset, payload }: FoundBatch, file: string): void {
  if (payload.length === 0 || crc32(payload, header.seed) === header.payloadCrc) return;
  throw corrupt({ file, offset }, "a batch of the history is damaged");
}

function damaged({ identity }: SegmentReader, offset: number): StorageError {
  return corrupt({ file: identity.path, offset }, "a batch of the history is damaged");
}
