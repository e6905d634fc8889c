/**
 * THE LOG, every segment and every batch of it, against the manifest and the superblock.
 *
 *   used      its header carries the sequence of its name: read from end to end
 *   spare     zeros or a header of an older sequence: nothing in it counts
 *   leftover  not registered, and nothing above the checkpoint in it: the next open removes it
 *
 * (1) The log ends at the first place of the newest used segment where no batch lies. That is a torn
 *     tail unless it lies below an LSN that something recorded as durable.
 * (2) Behind damage commits are no longer put together: what they are based on may be lost.
 * (3) Damage in a segment that lies below the checkpoint is a note: nobody reads it any more.
 */
import { isStorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import {
  BATCH_HEADER,
  batchBytes,
  CommitAssembler,
  type SegmentHeader,
  type SegmentItem,
  segmentItems,
  sequenceInHistoryName,
  sequenceInName,
} from "../../wal/index.ts";
import { RESERVE_FILE, type SpillFields } from "../../write/index.ts";
import type { FileSource } from "../transfer/file-source.ts";
import type { Findings } from "./findings.ts";
import { CommitJudge } from "./verify-commits.ts";

export interface LogFacts {
  readonly storeId: Uint8Array;
  readonly checkpointLsn: Lsn;
  /** Highest LSN that superblock or manifest know to be durable. */
  readonly durableLsn: number;
  readonly registered: readonly number[];
  /** Names by stream, of databases and record logs. */
  readonly streams: ReadonlyMap<number, string>;
  readonly findings: Findings;
}

export interface LogCounts {
  segments: number;
  batches: number;
  logBytes: number;
  commits: number;
  deltas: number;
  deltasNotApplied: number;
}

interface Segment {
  readonly file: string;
  readonly sequence: number;
  readonly header: SegmentHeader;
}

/** Opens a segment by its name; whoever asked closes it. */
export type OpenSegment = (name: string) => Promise<FileSource>;

export async function verifyLog(
  names: readonly string[],
  { facts, open }: { readonly facts: LogFacts; readonly open: OpenSegment },
): Promise<{ readonly counts: LogCounts; readonly spilled: readonly SpillFields[] }> {
  const used = await survey(names, { facts, open });
  const judge = new CommitJudge(facts.streams, facts.findings);
  const reading: Reading = {
    facts,
    judge,
    assembler: undefined,
    place: { file: "", offset: 0 },
    durableLsn: Math.max(facts.checkpointLsn, facts.durableLsn),
    isWhole: true,
    counts: { segments: 0, batches: 0, logBytes: 0, commits: 0, deltas: 0, deltasNotApplied: 0 },
  };
  reading.assembler = new CommitAssembler(facts.checkpointLsn, (commit) =>
    judge.take(commit, reading.place),
  );
  const first = used.findLastIndex(({ header }) => header.firstLsn <= facts.checkpointLsn);
  if (first < 0 && (used.length > 0 || reading.durableLsn > 0)) {
    facts.findings.damage({ file: "wal" }, "the log has no segment that reaches the checkpoint");
  }
  for (const [index, segment] of used.entries()) {
    const next = used[index + 1]?.header.firstLsn;
    const source = await open(segment.file.slice("wal/".length));
    try {
      verifySegment(source, { segment, nextLsn: next, isNeeded: index >= first, reading });
    } finally {
      await source.close();
    }
  }
  const { commits, deltas, deltasNotApplied } = judge;
  const counts = { ...reading.counts, commits, deltas, deltasNotApplied };
  return { counts, spilled: judge.spilled };
}

/** Segments in use, in order; judges the others by name, register and header. */
async function survey(
  names: readonly string[],
  { facts, open }: { readonly facts: LogFacts; readonly open: OpenSegment },
): Promise<Segment[]> {
  const { findings, registered, checkpointLsn } = facts;
  const reserved = Math.max(0, ...registered);
  const found = new Map<number, string>();
  for (const name of names) {
    const sequence = sequenceInName(name);
    if (name === RESERVE_FILE) continue;
    if (sequenceInHistoryName(name) !== undefined) {
      findings.note({ file: `wal/${name}` }, "a leftover: no history names it");
      continue;
    }
    if (sequence === undefined) findings.note({ file: `wal/${name}` }, "is no file of ours");
    else found.set(sequence, name);
  }
  for (const sequence of registered) {
    // The highest is reserved before its file is made.
    if (found.has(sequence) || sequence === reserved) continue;
    const file = `wal/${sequence.toString(16).padStart(16, "0")}.wal`;
    findings.damage({ file }, "the manifest names this segment, and it is missing");
  }
  const used: Segment[] = [];
  for (const [sequence, name] of [...found].sort(([a], [b]) => a - b)) {
    const source = await open(name);
    const file = `wal/${name}`;
    try {
      const header = judgeHeader(source, { file, sequence, facts });
      if (header === undefined) continue;
      if (registered.includes(sequence)) used.push({ file, sequence, header });
      else if (header.firstLsn <= checkpointLsn)
        findings.note({ file }, "a leftover: not registered");
      else
        findings.damage(
          { file },
          "holds log above the checkpoint, and the manifest does not name it",
        );
    } finally {
      await source.close();
    }
  }
  return used;
}

/** The header of a segment in use; undefined for a spare, and for one that cannot be believed. */
function judgeHeader(
  source: FileSource,
  { file, sequence, facts }: { file: string; sequence: number; facts: LogFacts },
): SegmentHeader | undefined {
  const { findings, storeId } = facts;
  const items = segmentItems(source, { storeId, sequence });
  const first = items.next().value as SegmentItem | undefined;
  if (first?.type === "header") {
    const { header } = first;
    if (Buffer.compare(header.storeId, storeId) !== 0) {
      findings.damage({ file, offset: 0 }, "the segment belongs to another store");
      return undefined;
    }
    if (header.sequence > sequence) {
      findings.damage({ file, offset: 0 }, `the segment is number ${header.sequence}`);
    }
    return header.sequence === sequence ? header : undefined;
  }
  for (const item of items) {
    // A batch of this very sequence: the file was in use, and its header is lost.
    if (item.type !== "batch" && item.type !== "torn") continue;
    const why = first?.type === "no-header" ? first.why : "no header";
    findings.damage({ file, offset: 0 }, `${why}, and batches of the segment lie behind it`);
    return undefined;
  }
  if (first?.type === "no-header" && !first.isSpare) {
    findings.note({ file, offset: 0 }, `a spare whose header is unusable: ${first.why}`);
  }
  return undefined;
}

interface Reading {
  readonly facts: LogFacts;
  readonly judge: CommitJudge;
  assembler: CommitAssembler | undefined;
  /** Of the batch that is being read. */
  place: { readonly file: string; readonly offset: number };
  /** Highest LSN that anything read so far says is durable. */
  durableLsn: number;
  /** See (2). */
  isWhole: boolean;
  readonly counts: LogCounts;
}

interface SegmentReading {
  readonly segment: Segment;
  /** Where the next segment begins; undefined for the newest. */
  readonly nextLsn: number | undefined;
  readonly isNeeded: boolean;
  readonly reading: Reading;
}

function verifySegment(source: FileSource, how: SegmentReading): void {
  const { segment, isNeeded, reading } = how;
  const { findings } = reading.facts;
  const { file, header } = segment;
  // What lies between the cut of a repair and the next segment was given up.
  const nextLsn = header.cutLsn ?? how.nextLsn ?? Number.POSITIVE_INFINITY;
  const damage = (offset: number, what: string): void => {
    reading.isWhole = false;
    const place = { file, offset };
    if (isNeeded) findings.damage(place, what);
    else findings.note(place, `${what} (below the checkpoint, so nobody reads it)`);
  };
  reading.counts.segments += 1;
  reading.durableLsn = Math.max(reading.durableLsn, header.durableLsn);
  let end = { offset: 0, lsn: header.firstLsn as number };
  for (const item of segmentItems(source, header)) {
    if (item.type === "header" || item.type === "no-header") continue;
    if (item.type === "batch") {
      const { startLsn, payloadBytes } = item.header;
      if (startLsn >= nextLsn) break;
      const bytes = batchBytes(payloadBytes);
      end = { offset: item.offset + bytes, lsn: startLsn + bytes };
      takeBatch(item, how);
      continue;
    }
    if (end.lsn >= nextLsn) break;
    end = { ...end, offset: item.offset };
    if (item.type === "damage") damage(item.offset, `${item.bytes} bytes of the log are damaged`);
    else if (nextLsn < Number.POSITIVE_INFINITY) {
      damage(item.offset, `the segment should reach to ${nextLsn} and ends at ${end.lsn}`);
      break;
    } else if (item.type === "torn") {
      findings.note({ file, offset: item.offset }, "a torn tail: the last batch did not land");
    }
  }
  const isNewest = how.nextLsn === undefined;
  if (isNewest && end.lsn < Math.min(nextLsn, reading.durableLsn)) {
    const what = `the log ends at ${end.lsn}; ${reading.durableLsn} is recorded as durable`;
    damage(end.offset, what);
  }
}

function takeBatch(
  item: Extract<SegmentItem, { readonly type: "batch" }>,
  { segment, isNeeded, reading }: SegmentReading,
): void {
  const { startLsn, durableLsn, payloadBytes } = item.header;
  reading.counts.batches += 1;
  reading.counts.logBytes += batchBytes(payloadBytes);
  reading.durableLsn = Math.max(reading.durableLsn, startLsn, durableLsn);
  if (!isNeeded || !reading.isWhole) return;
  const place = { file: segment.file, offset: item.offset + BATCH_HEADER.sizeBytes };
  reading.place = place;
  try {
    reading.assembler?.take({ startLsn, payload: item.payload, place });
  } catch (error) {
    if (!isStorageError(error, "BOP_CORRUPT")) throw error;
    const { offset, why } = error.details;
    reading.isWhole = false;
    reading.facts.findings.damage({ file: segment.file, offset }, why);
  }
}
