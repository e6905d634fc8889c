/**
 * THE LOG READ FOR THE SINK: whole batches that are durable, in order, from where the sink has it.
 *
 *     fromLsn                                        durableEnd
 *   ──┤ batch │ batch │ batch │ batch │ empty │ empty ├──  read from files, most of it from memory
 *     └──────── a range ──────────────┘ not shipped yet: see (3)
 *
 * (1) Nothing is noted while commits are made: what is shipped is read back, and costs the log
 *     nothing but reads. Only what was made durable is read, and every byte is checked.
 * (2) Segments end where the next one took over, so what a poisoned one holds beyond is not read:
 *     the batch has its place in the segment that it was written to again.
 * (3) A batch without frames that nothing follows may be cut off by the next start, which uses its
 *     LSNs anew (walk.ts (3)). The sink gets it once something follows, or says that it was durable.
 * (4) `settledLsn` never lies within a commit, nor within a group of commits.
 */
import { crc32 } from "node:zlib";
import type { Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import { type ChunkId, type Lsn, laterLsn, lsn } from "../../base/units.ts";
import {
  BATCH_HEADER,
  type BatchHeader,
  BLOCK_BYTES,
  batchBytes,
  CommitScan,
  corrupt,
  readBatchHeader,
  type ScannedCommit,
  SegmentIndexBuilder,
} from "../../wal/index.ts";
import type { LoggedBatch, LogShipping, Shippable, ShippableFrom } from "../log.ts";
import { SegmentReader } from "../segments/segment-reader.ts";
import type { ReadableSegment } from "../segments/segment-records.ts";
import type { HistoryParts } from "./history-reader.ts";

const HEADER_BYTES = BATCH_HEADER.sizeBytes;

/** A segment as far as it is durable. */
interface Section extends ReadableSegment {
  readonly toLsn: number;
}

interface ReadBatch extends LoggedBatch {
  readonly place: { readonly file: string; readonly offset: number };
}

export class ShippableLog implements LogShipping {
  readonly #parts: Omit<HistoryParts, "mending">;

  constructor(parts: Omit<HistoryParts, "mending">) {
    this.#parts = parts;
  }

  shipped(upToLsn: Lsn): void {
    this.#parts.segments.shipped(upToLsn);
  }

  archived(upToLsn: Lsn): Promise<void> {
    return this.#parts.segments.archived(upToLsn);
  }

  async shippable({ fromLsn, maxBytes, floorLsn }: ShippableFrom): Promise<Shippable | undefined> {
    const { durableLsn, durableEnd } = this.#parts.core;
    const batches: ReadBatch[] = [];
    let at: number = fromLsn;
    let rest = maxBytes;
    for (const section of this.#sections(at)) {
      if (section.firstLsn > at && batches.length > 0) break; // What lies between was cut off.
      at = await this.#batchAt(section, Math.max(at, section.firstLsn));
      while (at < section.toLsn && (rest > 0 || batches.length === 0)) {
        const read = await this.#batches(section, { at, maxBytes: rest });
        if (read.length === 0) break;
        batches.push(...read);
        const end = endOf(read.at(-1) as ReadBatch);
        rest -= end - at;
        at = end;
      }
      if (at < section.toLsn) break;
    }
    if (batches.length === 0) return undefined;
    const isAll = at === durableEnd;
    return this.#range(batches, { floorLsn, settledLsn: isAll ? durableLsn : undefined });
  }

  /** `settledLsn`, if the batches are all that there is. */
  async #range(
    batches: ReadBatch[],
    { floorLsn, settledLsn }: { readonly floorLsn: Lsn; readonly settledLsn: Lsn | undefined },
  ): Promise<Shippable> {
    const firstLsn = lsn((batches[0] as ReadBatch).startLsn);
    const scan = await this.#scan(batches, firstLsn);
    const settled = laterLsn(scan.settledLsn ?? lsn(0), settledLsn ?? lsn(0));
    const told = settled > 0 ? settled : undefined;
    while (isLoose(batches.at(-1), floorLsn)) batches.pop();
    const last = batches.at(-1);
    if (last === undefined) return { range: undefined, settledLsn: told };
    const { streams, spilled } = scan;
    const shipped = batches.map(({ startLsn, wallMs, payload }) => ({ startLsn, wallMs, payload }));
    const range = { firstLsn, endLsn: lsn(endOf(last)), batches: shipped, streams, spilled };
    return { range, settledLsn: told };
  }

  /** Where the batch begins that an LSN lies in. */
  async #batchAt(section: Section, fromLsn: number): Promise<number> {
    const { storage, storeId } = this.#parts;
    const { path, sequence } = section;
    const offset = offsetOf(section, fromLsn);
    const head = await readFully(storage, { path, offset, wanted: HEADER_BYTES });
    if (this.#headerIn(head, { section, at: fromLsn }) !== undefined) return fromLsn;
    const reader = await SegmentReader.open(storage, { path, storeId, sequence });
    try {
      let at: number = section.firstLsn;
      while (at < section.toLsn) {
        const header = await reader.headerAt(offsetOf(section, at));
        if (header?.startLsn !== at) throw damaged(section, at);
        const end = at + batchBytes(header.payloadBytes);
        if (end > fromLsn) break;
        at = end;
      }
      return at;
    } finally {
      await reader.close();
    }
  }

  /** Segments that have something above an LSN, each as far as it is durable. */
  #sections(aboveLsn: number): Section[] {
    const { segments, core } = this.#parts;
    return segments.readable(lsn(aboveLsn)).flatMap((segment) => {
      const toLsn = segment.endLsn ?? core.durableEnd;
      return Math.max(segment.firstLsn, aboveLsn) < toLsn ? { ...segment, toLsn } : [];
    });
  }

  /** Whole batches of a segment, in one read; more than `maxBytes` if the first takes that. */
  async #batches(
    section: Section,
    { at, maxBytes }: { readonly at: number; readonly maxBytes: number },
  ): Promise<ReadBatch[]> {
    const there = section.toLsn - at;
    const wanted = Math.max(BLOCK_BYTES, Math.min(there, maxBytes));
    const offset = offsetOf(section, at);
    const first = await readFully(this.#parts.storage, { path: section.path, offset, wanted });
    const header = this.#headerIn(first, { section, at });
    if (header === undefined) throw damaged(section, at);
    const needed = batchBytes(header.payloadBytes);
    if (needed <= first.length) return this.#parse(first, { section, at });
    if (needed > there) throw damaged(section, at);
    const place = { path: section.path, offset, wanted: needed };
    return this.#parse(await readFully(this.#parts.storage, place), { section, at });
  }

  /** The batches that lie in `bytes` wholly, each checked. See (1). */
  async #parse(bytes: Uint8Array, { section, at }: At): Promise<ReadBatch[]> {
    const { clock } = this.#parts;
    const batches: ReadBatch[] = [];
    const slice = new TimeSlice(clock);
    for (let done = 0; done + BLOCK_BYTES <= bytes.length; ) {
      const from = { section, at: at + done };
      const header = this.#headerIn(bytes.subarray(done), from);
      if (header === undefined) throw damaged(section, from.at);
      const end = done + batchBytes(header.payloadBytes);
      if (end > bytes.length) break;
      const payloadAt = done + HEADER_BYTES;
      const payload = bytes.subarray(payloadAt, payloadAt + header.payloadBytes);
      if (crc32(payload, header.seed) !== header.payloadCrc) throw damaged(section, from.at);
      const place = { file: section.path, offset: offsetOf(section, from.at) + HEADER_BYTES };
      const { startLsn, wallMs } = header;
      batches.push({ startLsn, wallMs, payload, place });
      done = end;
      await slice.pause();
    }
    return batches;
  }

  #headerIn(bytes: Uint8Array, { section, at }: At): BatchHeader | undefined {
    const { storeId } = this.#parts;
    const header = readBatchHeader(bytes, { storeId, sequence: section.sequence });
    return header?.startLsn === at ? header : undefined;
  }

  /** Where commits lie, which chunks they name, and up to where all of them are whole. See (4). */
  async #scan(batches: readonly ReadBatch[], firstLsn: Lsn) {
    const { clock } = this.#parts;
    const streams = new SegmentIndexBuilder(firstLsn);
    const spilled = new Set<ChunkId>();
    const mark = new SettledMark(firstLsn);
    const slice = new TimeSlice(clock);
    for (const batch of batches) {
      const scan = new CommitScan({ ...batch, onSpill: ({ chunk }) => spilled.add(chunk) });
      for (let found = scan.next(); found !== undefined; found = scan.next()) {
        streams.add(found);
        mark.passed(found);
      }
      mark.ended(batch);
      await slice.pause();
    }
    return { streams, spilled: [...spilled], settledLsn: mark.settledLsn };
  }
}

interface At {
  readonly section: Section;
  readonly at: number;
}

/** See (4). A group that began before the range counts as open until another commit follows. */
class SettledMark {
  readonly #firstLsn: Lsn;
  settledLsn: Lsn | undefined;
  #group: { readonly id: number; left: number } | undefined;
  #lastLsn = 0;

  constructor(firstLsn: Lsn) {
    this.#firstLsn = firstLsn;
  }

  passed({ lsn: endLsn, groupId, groupCount }: ScannedCommit): void {
    if (this.#group !== undefined && this.#group.id !== groupId) {
      this.#group = undefined;
      this.settledLsn = lsn(this.#lastLsn);
    }
    this.#lastLsn = endLsn;
    if (groupId === undefined) {
      this.settledLsn = lsn(endLsn);
      return;
    }
    const isKnown = groupId >= this.#firstLsn;
    this.#group ??= { id: groupId, left: isKnown ? groupCount : Number.POSITIVE_INFINITY };
    this.#group.left -= 1;
    if (this.#group.left > 0) return;
    this.#group = undefined;
    this.settledLsn = lsn(endLsn);
  }

  /** What follows the last commit of a batch is of one that is not whole; nothing is no commit. */
  ended(batch: ReadBatch): void {
    const framesEnd = batch.startLsn + HEADER_BYTES + batch.payload.length;
    const isOpen = this.#group !== undefined || this.#lastLsn === 0;
    if (!isOpen && this.settledLsn === framesEnd) this.settledLsn = lsn(endOf(batch));
    else if (!isOpen && batch.payload.length === 0 && this.settledLsn === batch.startLsn) {
      this.settledLsn = lsn(endOf(batch));
    }
  }
}

/** See (3). */
function isLoose(batch: ReadBatch | undefined, floorLsn: Lsn): boolean {
  return batch !== undefined && batch.payload.length === 0 && endOf(batch) > floorLsn;
}

function endOf({ startLsn, payload }: LoggedBatch): number {
  return startLsn + batchBytes(payload.length);
}

function offsetOf({ firstLsn }: ReadableSegment, at: number): number {
  return BLOCK_BYTES + at - firstLsn;
}

function damaged(section: Section, at: number) {
  const place = { file: section.path, offset: offsetOf(section, at) };
  return corrupt(place, "a batch of the log is damaged");
}

async function readFully(
  storage: Storage,
  { path, offset, wanted }: { readonly path: string; readonly offset: number; wanted: number },
): Promise<Uint8Array> {
  try {
    const file = await storage.open(path, "read");
    try {
      const bytes = new Uint8Array(wanted);
      for (let done = 0; done < wanted; ) {
        const read = await file.read(bytes.subarray(done), offset + done);
        if (read === 0) throw new Error(`the file ends at ${offset + done}`);
        done += read;
      }
      return bytes;
    } finally {
      await file.close().catch(() => undefined);
    }
  } catch (cause) {
    throw ioError("reading", path, cause);
  }
}
