/**
 * INDEX OBJECT: which streams have commits in the 256 log objects before it, so that whoever wants
 * those of one stream opens only the objects that have some. Its body is blocks of rows
 * (row-blocks.ts); its tables are the log objects, the index of the blocks, and their last key.
 *
 * A log object. Little-endian.
 *
 *   offset  size  field        meaning
 *        0     8  firstLsn     as its header says
 *        8     8  endLsn       as its header says
 *       16     8  firstWallMs  as its header says
 *       24     8  lastWallMs   as its header says
 *
 * A row; `v` is a varint as in frames:
 *
 *   key    stream, u32 big-endian
 *   value  run{objects}
 *   run    = gap:v  commits:v  back:v
 *
 *   gap      ordinal of the log object, less the one behind that of the run before
 *   commits  of the stream in that object
 *   back     `endLsn` of the object − LSN of the stream's last commit there
 *
 * (1) Every 257th number of an epoch (256, 513, …) is an index object or a fence, and no other is an
 *     index object: it is found without looking.
 * (2) The log object of ordinal n has the number `firstNumber` + n.
 * (3) It says nothing that the directories of the log objects do not say. Where there is none yet,
 *     they are read instead.
 */
import { assert, present } from "../../base/assert.ts";
import { isStorageError } from "../../base/errors.ts";
import { layout, readU64, writeU64 } from "../../base/layout.ts";
import { FrameReader, putVarint, type SegmentIndex } from "../../wal/index.ts";
import { decodeObjectTail, encodeObject, type MoreBytes } from "./object-frame.ts";
import {
  type BadBytes,
  bad,
  type IndexHeader,
  type LogHeader,
  type NewerFormat,
} from "./object-header.ts";
import { type BlockIndex, decodeBlockIndex, encodeRows, type RowChange } from "./row-blocks.ts";

export const INDEXED_OBJECT = layout(32, [
  ["firstLsn", "u64", "as its header says"],
  ["endLsn", "u64", "as its header says"],
  ["firstWallMs", "u64", "as its header says"],
  ["lastWallMs", "u64", "as its header says"],
]);

/** Log objects from one index object to the next. */
export const INDEXED_OBJECTS = 256;
/** Longest of a run: three varints of at most eight bytes. */
const RUN_BYTES_MAX = 24;
const PLACE = { file: "index", offset: 0 };

/** See (1). */
export const isIndexNumber = (number: number): boolean =>
  number % (INDEXED_OBJECTS + 1) === INDEXED_OBJECTS;

type LogMarks = Pick<LogHeader, "firstLsn" | "endLsn" | "firstWallMs" | "lastWallMs">;

export interface IndexedObject extends LogMarks {
  readonly number: number;
}

/** What one stream has in one log object. */
export interface IndexedRun {
  readonly number: number;
  readonly commits: number;
  readonly lastLsn: number;
}

export interface LogIndex extends BlockIndex {
  readonly type: "index";
  readonly header: IndexHeader;
  readonly objects: readonly IndexedObject[];
}

interface Draft {
  bytes: Uint8Array;
  at: number;
  /** The ordinal behind that of the last run. */
  next: number;
}

/** Takes log objects as they are shipped; gives the index object that follows them. */
export class LogIndexBuilder {
  readonly #objects: LogMarks[] = [];
  readonly #streams = new Map<number, Draft>();

  get count(): number {
    return this.#objects.length;
  }

  add(header: LogMarks, streams: SegmentIndex): void {
    const ordinal = this.#objects.length;
    assert(ordinal < INDEXED_OBJECTS, "an index object was due");
    this.#objects.push(header);
    for (const { stream, commits, lastLsn } of streams.runs) {
      let draft = this.#streams.get(stream);
      if (draft === undefined) {
        draft = { bytes: new Uint8Array(RUN_BYTES_MAX), at: 0, next: 0 };
        this.#streams.set(stream, draft);
      }
      if (draft.at + RUN_BYTES_MAX > draft.bytes.length) draft.bytes = doubled(draft.bytes);
      putVarint(draft, ordinal - draft.next);
      putVarint(draft, commits);
      putVarint(draft, header.endLsn - lastLsn);
      draft.next = ordinal + 1;
    }
  }

  /** The index object; the builder begins anew. */
  finish(identity: Pick<IndexHeader, "storeId" | "epoch" | "number">): Uint8Array {
    const objects = this.#objects.splice(0);
    const { firstLsn, firstWallMs } = present(objects[0], "an index speaks of some object");
    const { endLsn, lastWallMs } = objects.at(-1) as LogMarks;
    const streams = [...this.#streams].sort(([a], [b]) => a - b);
    this.#streams.clear();
    const rows: RowChange[] = streams.map(([stream, { bytes, at }]) => {
      return { key: streamKey(stream), value: bytes.subarray(0, at) };
    });
    const header: IndexHeader = {
      kind: "index",
      ...identity,
      ...{ firstLsn, endLsn, firstWallMs, lastWallMs },
      firstNumber: identity.number - objects.length,
      objectCount: objects.length,
    };
    const { body, index, end } = encodeRows(rows);
    return encodeObject(header, [body], [objectTable(objects), index, end]);
  }
}

/** Takes the last bytes of the object, or all of them. Keeps views of them. */
export function decodeLogIndex(
  bytes: Uint8Array,
  objectBytes: number,
): LogIndex | MoreBytes | NewerFormat | BadBytes {
  const answer = decodeObjectTail(bytes, objectBytes);
  if (answer.type !== "tail") return answer;
  const { header, tables, bodyEnd } = answer.tail;
  if (header.kind !== "index") return bad(`it is no index object: ${header.kind}`);
  const objects = readObjects(tables[0], header);
  if (objects === undefined) return bad("table of log objects");
  const found = decodeBlockIndex({ index: tables[1], end: tables[2] }, bodyEnd);
  return found === undefined
    ? bad("index of the blocks")
    : { type: "index", header, objects, ...found };
}

/** Key of a stream in an index object. */
export function streamKey(stream: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, stream);
  return key;
}

/** What a row of the index says of its stream; undefined if it does not parse. */
export function decodeRuns(
  value: Uint8Array,
  index: Pick<LogIndex, "objects">,
): IndexedRun[] | undefined {
  try {
    return readRuns(new FrameReader(value, PLACE), index.objects);
  } catch (error) {
    if (isStorageError(error, "BOP_CORRUPT")) return undefined;
    throw error;
  }
}

/** Throws BOP_CORRUPT where it does not parse. */
function readRuns(from: FrameReader, objects: readonly IndexedObject[]): IndexedRun[] | undefined {
  const runs: IndexedRun[] = [];
  let ordinal = 0;
  while (!from.done) {
    ordinal += from.varint();
    const object = objects[ordinal];
    const commits = from.varint();
    const back = from.varint();
    if (object === undefined || commits === 0 || back >= object.endLsn) return undefined;
    runs.push({ number: object.number, commits, lastLsn: object.endLsn - back });
    ordinal += 1;
  }
  return runs;
}

function objectTable(objects: readonly LogMarks[]): Uint8Array {
  const { offset, sizeBytes } = INDEXED_OBJECT;
  const bytes = new Uint8Array(objects.length * sizeBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, marks] of objects.entries()) {
    const at = index * sizeBytes;
    for (const name of ["firstLsn", "endLsn", "firstWallMs", "lastWallMs"] as const) {
      writeU64(view, at + offset[name], marks[name]);
    }
  }
  return bytes;
}

/** Undefined if they do not follow each other, or are not those that the header speaks of. */
function readObjects(bytes: Uint8Array, header: IndexHeader): IndexedObject[] | undefined {
  const { offset, sizeBytes } = INDEXED_OBJECT;
  if (bytes.length !== header.objectCount * sizeBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const objects: IndexedObject[] = [];
  let [lsn, wallMs] = [header.firstLsn, header.firstWallMs];
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    const [firstLsn = -1, endLsn = -1, firstWallMs = -1, lastWallMs = -1] = [
      readU64(view, at + offset.firstLsn),
      readU64(view, at + offset.endLsn),
      readU64(view, at + offset.firstWallMs),
      readU64(view, at + offset.lastWallMs),
    ];
    const ascends = firstLsn >= lsn && endLsn > firstLsn;
    if (!ascends || firstWallMs < wallMs || lastWallMs < firstWallMs) return undefined;
    const number = header.firstNumber + objects.length;
    objects.push({ number, firstLsn, endLsn, firstWallMs, lastWallMs });
    [lsn, wallMs] = [endLsn, lastWallMs];
  }
  const [first, last] = [objects[0], objects.at(-1)];
  const isFirst = first?.firstLsn === header.firstLsn && first.firstWallMs === header.firstWallMs;
  return isFirst && last?.endLsn === header.endLsn && last.lastWallMs === header.lastWallMs
    ? objects
    : undefined;
}

function doubled(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
