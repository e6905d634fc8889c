/**
 * THE LOG IN A BUCKET, READ: all of a range, or the commits of one stream in it.
 *
 *   all of a range        its objects, whole
 *   commits of a stream   index objects say which log objects have some, the directories of these
 *                         which of their batches: only those batches are read
 *
 * (1) What is given out lies without a hole: each object begins where the one before ends, or it is
 *     BOP_SINK_CORRUPT.
 * (2) The objects behind the newest index object are asked one by one, at most 256 of an epoch.
 * (3) How many requests there are depends on the stream's own commits and on how long the range is,
 *     and not on what other streams have in it.
 */
import { isStorageError } from "../../base/errors.ts";
import { KIB, MIB } from "../../base/units.ts";
import { RunCursor } from "../../wal/index.ts";
import { decodeLogIndex, decodeRuns, type IndexedRun, streamKey } from "../format/index-object.ts";
import {
  type BatchEntry,
  decodeLogTables,
  endOfBatch,
  type LogTables,
  readShippedBatch,
  type ShippedBatch,
  type SpilledChunk,
} from "../format/log-object.ts";
import { blockOf, decodeBlock } from "../format/row-blocks.ts";
import { allInOrder, inOrder } from "./bounded.ts";
import { type LogMap, type LogRange, refOf } from "./log-map.ts";
import type { ObjectPart, ObjectReader, ObjectRef, ReadTail } from "./object-reader.ts";

/** Of an object: batches, in order, and every chunk that the object names. */
export interface LogPart {
  readonly batches: readonly ShippedBatch[];
  readonly spilled: readonly SpilledChunk[];
}

/** Of a commit: its first frame, and the end of its commit frame. */
export interface CommitSpan {
  readonly firstLsn: number;
  readonly lsn: number;
}

export interface CommitRange {
  readonly afterLsn: number;
  readonly upToLsn: number;
}

type LogTail = ReadTail<LogTables>;

/** Batches that are wanted of an object. */
interface Wanted {
  readonly from: ObjectPart;
  readonly spilled: readonly SpilledChunk[];
  readonly entries: BatchEntry[];
}

/** Whole objects under way at a time: each takes some MiB. */
const OBJECTS_AHEAD = 3;
/** What lies this close is read along. */
const GAP_BYTES = 32 * KIB;
const READ_BYTES = 4 * MIB;
/** Ends of objects that are kept, for batches that are read after the commits were found. */
const TAILS_KEPT = 256;
/** Of a tail that is kept: all of it only if that is the whole of a small object. */
const NO_BYTES = new Uint8Array(0);

export class LogReader {
  readonly #reader: ObjectReader;
  readonly #map: LogMap;
  readonly #tails = new Map<string, LogTail>();

  constructor(reader: ObjectReader, map: LogMap) {
    this.#reader = reader;
    this.#map = map;
  }

  /** End of the last batch that is there of this time or before; undefined if none is. */
  async lsnAt(wallMs: number): Promise<number | undefined> {
    const header = await this.#map.lastAt(wallMs);
    if (header === undefined || header.lastWallMs <= wallMs) return header?.endLsn;
    const { tables } = await this.#tail(refOf(header));
    const batch = tables.batches.findLast((each) => each.wallMs <= wallMs);
    return batch && endOfBatch(batch);
  }

  /** From the batch in which `fromLsn` lies up to the one in which `toLsn` ends. */
  async *log(range: LogRange): AsyncGenerator<LogPart> {
    const refs = await this.#map.holding(range);
    const follows = this.#continuity();
    const whole = (ref: ObjectRef) => this.#reader.whole(ref, decodeLogTables);
    for await (const read of inOrder(refs, whole, OBJECTS_AHEAD)) {
      const ref = refs[follows.count] as ObjectRef;
      if (read === undefined) throw this.#reader.missing(ref);
      follows.check(ref, read.tables.header);
      const { tables, bytes } = read;
      const entries = tables.batches.filter(
        (each) => endOfBatch(each) > range.fromLsn && each.startLsn < range.toLsn,
      );
      const batches = entries.map((entry) => {
        const payload = readShippedBatch(bytes.subarray(entry.offset), entry);
        if (payload === undefined) throw this.#reader.corrupt(ref, "checksum of a batch");
        return { startLsn: entry.startLsn, wallMs: entry.wallMs, payload };
      });
      yield { batches, spilled: tables.spilled };
    }
  }

  /** The chunks that objects of a range name. Reads their ends only. */
  async spilled(range: LogRange): Promise<SpilledChunk[]> {
    const refs = await this.#map.holding(range);
    const named = new Map<number, SpilledChunk>();
    for await (const { tables } of inOrder(refs, (ref) => this.#tail(ref))) {
      for (const chunk of tables.spilled) named.set(chunk.chunk, chunk);
    }
    return [...named.values()];
  }

  /** The commits of a stream whose commit frames lie in the range, in order. */
  async commits(stream: number, { afterLsn, upToLsn }: CommitRange): Promise<CommitSpan[]> {
    const refs = await this.#map.holding({ fromLsn: afterLsn, toLsn: upToLsn });
    const having: ObjectRef[] = [];
    for (const { index, refs: some } of grouped(refs, this.#map)) {
      const runs = index && (await this.#runs(index, stream));
      if (runs === undefined) having.push(...some);
      else having.push(...some.filter((ref) => hasCommits(runs, ref, afterLsn)));
    }
    const spans: CommitSpan[] = [];
    for await (const { ref, tables } of inOrder(having, (each) => this.#tail(each))) {
      const run = tables.streams.runs.find((each) => each.stream === stream);
      for (const span of run === undefined ? [] : this.#positions(ref, run)) {
        if (span.lsn > afterLsn && span.lsn <= upToLsn) spans.push(span);
      }
    }
    return spans;
  }

  /** The batches that have something of these commits, which are in order. No others are read. */
  async *batchesOf(spans: readonly CommitSpan[]): AsyncGenerator<LogPart> {
    const wanted: Wanted[] = [];
    let near: LogTail | undefined;
    for (const span of spans) {
      for (const tail of await this.#tailsOf(span, near)) {
        want(wanted, tail, span);
        near = tail;
      }
    }
    const read = async ({ from, spilled, entries }: Wanted) => ({
      batches: (await allInOrder(stretches(entries), (each) => this.#stretch(from, each))).flat(),
      spilled,
    });
    yield* inOrder(wanted, read, OBJECTS_AHEAD);
  }

  /** The ends of the objects that a commit lies in, in order. */
  async #tailsOf({ firstLsn, lsn }: CommitSpan, near: LogTail | undefined): Promise<LogTail[]> {
    let tail = await this.#tailAt(lsn - 1, near);
    const tails = [tail];
    while (tail.tables.header.firstLsn > firstLsn) {
      const ref = this.#map.before(tail.ref);
      if (ref === undefined)
        throw this.#reader.corrupt(tail.ref, "the front of a commit is missing");
      const next = tail;
      tail = await this.#tail(ref);
      const { endLsn } = tail.tables.header;
      if (endLsn !== next.tables.header.firstLsn) throw this.#outOfPlace(next.ref, endLsn);
      tails.unshift(tail);
    }
    return tails;
  }

  async #tailAt(lsn: number, near: LogTail | undefined): Promise<LogTail> {
    if (near !== undefined && holds(near, lsn)) return near;
    for (const tail of this.#tails.values()) if (holds(tail, lsn)) return tail;
    const [ref] = await this.#map.holding({ fromLsn: lsn, toLsn: lsn + 1 });
    return this.#tail(ref as ObjectRef);
  }

  async #tail(ref: ObjectRef): Promise<LogTail> {
    const name = `${ref.epoch}/${ref.number}`;
    const kept = this.#tails.get(name);
    if (kept !== undefined) return kept;
    const read = await this.#reader.tail(ref, decodeLogTables);
    if (read === undefined) throw this.#reader.missing(ref);
    this.#map.map.learn(ref, read.tables.header);
    const isWhole = read.bytes.length === read.objectBytes;
    const tail = { ...read, bytes: isWhole ? read.bytes : NO_BYTES };
    for (const [oldest] of this.#tails) {
      if (this.#tails.size < TAILS_KEPT) break;
      this.#tails.delete(oldest);
    }
    this.#tails.set(name, tail);
    return tail;
  }

  /** What an index object says of a stream; undefined if it is gone. */
  async #runs(ref: ObjectRef, stream: number): Promise<IndexedRun[] | undefined> {
    const tail = await this.#reader.tail(ref, decodeLogIndex);
    if (tail === undefined) return undefined;
    const key = streamKey(stream);
    const block = blockOf(tail.tables, key);
    if (block === undefined) return [];
    const rows = await this.#reader.part(tail, block, (bytes) => decodeBlock(bytes, block));
    const value = rows.find((row) => Buffer.compare(row.key, key) === 0)?.value;
    if (value === undefined) return [];
    const runs = decodeRuns(value, tail.tables);
    if (runs === undefined) throw this.#reader.corrupt(ref, `row of stream ${stream}`);
    return runs;
  }

  #positions(ref: ObjectRef, run: LogTables["streams"]["runs"][number]): CommitSpan[] {
    const spans: CommitSpan[] = [];
    try {
      const cursor = new RunCursor(run);
      while (cursor.next()) spans.push({ firstLsn: cursor.firstLsn, lsn: cursor.lsn });
    } catch (error) {
      if (!isStorageError(error, "BOP_CORRUPT")) throw error;
      throw this.#reader.corrupt(ref, "directory of streams");
    }
    return spans;
  }

  /** Batches that lie close to each other, by one read. */
  async #stretch(from: ObjectPart, entries: readonly BatchEntry[]): Promise<ShippedBatch[]> {
    const offset = entries[0]?.offset ?? 0;
    const last = entries.at(-1);
    const bytes = (last === undefined ? offset : last.offset + last.payloadBytes) - offset;
    return this.#reader.part(from, { offset, bytes }, (part) => {
      const batches: ShippedBatch[] = [];
      for (const entry of entries) {
        const payload = readShippedBatch(part.subarray(entry.offset - offset), entry);
        if (payload === undefined) return undefined;
        batches.push({ startLsn: entry.startLsn, wallMs: entry.wallMs, payload });
      }
      return batches;
    });
  }

  /** See (1). */
  #continuity() {
    let endLsn: number | undefined;
    return {
      count: 0,
      check(ref: ObjectRef, header: LogTables["header"]) {
        this.count += 1;
        if (endLsn !== undefined && header.firstLsn !== endLsn) throw this.fail(ref, endLsn);
        endLsn = header.endLsn;
      },
      fail: (ref: ObjectRef, expected: number) => this.#outOfPlace(ref, expected),
    };
  }

  #outOfPlace(ref: ObjectRef, expectedLsn: number) {
    return this.#reader.corrupt(ref, `the log should go on at LSN ${expectedLsn}, and does not`);
  }
}

interface Group {
  readonly index: ObjectRef | undefined;
  readonly refs: ObjectRef[];
}

/** Objects that one index object speaks of, if they are enough to ask it. */
function grouped(refs: readonly ObjectRef[], map: LogMap): Group[] {
  const groups: Group[] = [];
  for (const ref of refs) {
    const index = map.indexOver(ref);
    const group = groups.at(-1);
    const isSame = index?.number === group?.index?.number && index?.epoch === group?.index?.epoch;
    if (group !== undefined && isSame) group.refs.push(ref);
    else groups.push({ index, refs: [ref] });
  }
  return groups.map((group) => (group.refs.length > 1 ? group : { ...group, index: undefined }));
}

function hasCommits(runs: readonly IndexedRun[], ref: ObjectRef, afterLsn: number): boolean {
  return runs.some(({ number, lastLsn }) => number === ref.number && lastLsn > afterLsn);
}

const holds = ({ tables: { header } }: LogTail, lsn: number): boolean =>
  header.firstLsn <= lsn && lsn < header.endLsn;

/** Adds what a commit has in an object. */
function want(wanted: Wanted[], tail: LogTail, { firstLsn, lsn }: CommitSpan): void {
  const { ref, objectBytes, bytes, tables } = tail;
  if (wanted.at(-1)?.from.ref !== ref) {
    wanted.push({ from: { ref, objectBytes, bytes }, spilled: tables.spilled, entries: [] });
  }
  const { entries } = wanted.at(-1) as Wanted;
  const { batches } = tables;
  for (let at = firstEndingAfter(batches, firstLsn); at < batches.length; at += 1) {
    const batch = batches[at] as BatchEntry;
    if (batch.startLsn >= lsn) return;
    const isNew = batch.startLsn > (entries.at(-1)?.startLsn ?? -1);
    if (isNew && batch.payloadBytes > 0) entries.push(batch);
  }
}

function firstEndingAfter(batches: readonly BatchEntry[], lsn: number): number {
  let [low, high] = [0, batches.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (endOfBatch(batches[middle] as BatchEntry) <= lsn) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Runs of batches that are read together. */
function stretches(entries: readonly BatchEntry[]): BatchEntry[][] {
  const runs: BatchEntry[][] = [];
  for (const entry of entries) {
    const run = runs.at(-1);
    const [first, last] = [run?.[0], run?.at(-1)];
    const isClose =
      last !== undefined && entry.offset - last.offset - last.payloadBytes <= GAP_BYTES;
    const isSmall = entry.offset + entry.payloadBytes - (first?.offset ?? 0) <= READ_BYTES;
    if (run !== undefined && isClose && isSmall) run.push(entry);
    else runs.push([entry]);
  }
  return runs;
}
