/**
 * THE BACKLOG: commits that recovery has located and not yet handed out. A database gets its own
 * when it is first used, the others theirs in the background; a checkpoint waits for all of them.
 *
 *   waiting ──► replaying ──► done        `replay`: one stream, its commits alone are read
 *      └──────────────────────► done      `finish`: one pass over the log for all that still wait
 *
 * (1) The commits of a stream are handed out in order of LSN, each once, whoever asks and however
 *     often it fails: `handed` of a stream is the last one that was.
 * (2) A stream that was begun to be replayed by itself is passed over by the pass for good, even if
 *     that failed: it is tried again by itself.
 * (3) Work is done in slices of a few milliseconds, and the pass rests while somebody waits for a
 *     stream of his own.
 * (4) Once `finish` has resolved, nothing here reads a segment any more: what calls it may let them
 *     go. That nothing waits is not enough, for a pass may still be on its way to a segment whose
 *     last stream was replayed by itself, or dropped, meanwhile.
 */
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import { KIB, type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import {
  BATCH_HEADER,
  CommitAssembler,
  CommitScan,
  type ReplayedCommit,
  RunCursor,
  type StreamRun,
} from "../../wal/index.ts";
import { type CheckedLog, CommitReader, type Stretch, type WholeBatch } from "./commit-reader.ts";

/** What waits of one stream. */
export interface WaitingStream {
  readonly stream: StreamId;
  /** Where its first commit begins. */
  readonly oldestLsn: Lsn;
  /** Its newest commit, and the database after it; 0 for what is no database. */
  readonly lsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly commits: number;
}

export type OnCommit = (commit: ReplayedCommit) => void;

interface Waiting extends WaitingStream {
  readonly runs: StreamRun[];
  handed: number;
  /** Replayed by itself, or tried to. See (2). */
  alone: boolean;
  replaying: Promise<void> | undefined;
}

export interface BacklogParts {
  readonly log: CheckedLog;
  readonly clock: Clock;
  readonly checkpointLsn: Lsn;
  readonly onCommit: OnCommit;
}

/** Commits, or bytes of frames, that are decoded between looks at the clock. */
const SLICE_COMMITS = 64;
const SLICE_BYTES = 32 * KIB;

export class Backlog {
  readonly #parts: BacklogParts;
  readonly #waiting = new Map<StreamId, Waiting>();
  #passing: Promise<void> | undefined;
  /** Whatever reads segments just now. See (4). */
  readonly #reading = new Set<Promise<void>>();
  /** Streams that are being replayed by themselves just now: the pass steps aside for them. */
  #urgent = 0;
  readonly #whenCalm: (() => void)[] = [];
  /** Where the pass goes on. */
  #passLsn: number;
  readonly #slice: TimeSlice;
  #commits = 0;
  #closed = false;

  constructor(parts: BacklogParts) {
    this.#parts = parts;
    this.#passLsn = parts.checkpointLsn;
    this.#slice = new TimeSlice(parts.clock);
    for (const { index } of parts.log.segments) {
      for (const run of index.runs) if (run.lastLsn > parts.checkpointLsn) this.#add(run);
    }
  }

  /** Commits above the checkpoint that were located. */
  get commits(): number {
    return this.#commits;
  }

  /** What has not been handed out, by stream. */
  get waiting(): ReadonlyMap<StreamId, WaitingStream> {
    return this.#waiting;
  }

  /** Hands out all commits of these streams, in order of LSN, whatever stream they are of. */
  async together(streams: readonly StreamId[]): Promise<number> {
    const { checkpointLsn, onCommit } = this.#parts;
    const wanted = streams.flatMap((stream) => this.#waiting.get(stream) ?? []);
    const stretches = wanted.flatMap((each) => stretchesOf(each.runs, checkpointLsn));
    stretches.sort((a, b) => a.fromLsn - b.fromLsn);
    const assembler = new CommitAssembler(checkpointLsn, onCommit);
    await this.#read(stretches, assembler);
    for (const { stream } of wanted) this.#waiting.delete(stream);
    return assembler.commits;
  }

  /** Hands out all commits of a stream that waits. Rejects with BOP_IO or BOP_CORRUPT. */
  replay(stream: StreamId): Promise<void> {
    const waiting = this.#waiting.get(stream);
    if (waiting === undefined) return Promise.resolve();
    waiting.alone = true;
    if (waiting.replaying === undefined) {
      this.#urgent += 1;
      waiting.replaying = this.#whileReading(this.#replay(waiting)).finally(() => {
        waiting.replaying = undefined;
        this.#urgent -= 1;
        if (this.#urgent === 0) for (const resolve of this.#whenCalm.splice(0)) resolve();
      });
    }
    return waiting.replaying;
  }

  /** The stream was dropped: nobody wants to have its commits any more. */
  drop(stream: StreamId): void {
    this.#waiting.delete(stream);
  }

  /** Hands out everything that waits. See (4). Rejects as `replay` does, and with BOP_CLOSED. */
  async finish(): Promise<void> {
    while (this.#waiting.size > 0) {
      this.#passing ??= this.#whileReading(this.#pass()).finally(() => {
        this.#passing = undefined;
      });
      await this.#passing;
      const [next] = this.#waiting.keys();
      if (next !== undefined) await this.replay(next);
    }
    await Promise.allSettled(this.#reading); // Nothing waits, so nothing begins to read.
  }

  /** Stops what runs. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#reading);
    this.#waiting.clear();
  }

  #whileReading(reading: Promise<void>): Promise<void> {
    const ended = reading.finally(() => this.#reading.delete(ended));
    this.#reading.add(ended);
    return ended;
  }

  #add(run: StreamRun): void {
    const { lastLsn, pageCount, pageBytes } = run;
    const stream = streamId(run.stream);
    const before = this.#waiting.get(stream);
    const commits = commitsAbove(run, this.#parts.checkpointLsn);
    this.#commits += commits;
    this.#waiting.set(stream, {
      stream,
      oldestLsn: before?.oldestLsn ?? lsn(beginAbove(run, this.#parts.checkpointLsn)),
      lsn: lsn(lastLsn),
      pageCount,
      pageBytes,
      commits: (before?.commits ?? 0) + commits,
      runs: [...(before?.runs ?? []), run],
      handed: this.#parts.checkpointLsn,
      alone: false,
      replaying: undefined,
    });
  }

  async #replay(waiting: Waiting): Promise<void> {
    const assembler = new CommitAssembler(lsn(waiting.handed), (commit) => {
      this.#hand(waiting, commit);
    });
    await this.#read(stretchesOf(waiting.runs, waiting.handed), assembler);
    this.#waiting.delete(waiting.stream);
  }

  async #read(stretches: readonly Stretch[], assembler: CommitAssembler): Promise<void> {
    const reader = new CommitReader(this.#parts.log, this.#parts.clock);
    try {
      for (let at = 0; at < stretches.length; at += SLICE_COMMITS) {
        await this.#pause();
        await reader.read(stretches.slice(at, at + SLICE_COMMITS), assembler);
      }
    } finally {
      await reader.close();
    }
  }

  /** See (2). */
  async #pass(): Promise<void> {
    const reader = new CommitReader(this.#parts.log, this.#parts.clock);
    const assembler = new CommitAssembler(lsn(this.#passLsn), (commit) => {
      const waiting = this.#waiting.get(commit.stream);
      if (waiting !== undefined && !waiting.alone) this.#hand(waiting, commit);
      this.#passLsn = commit.lsn;
    });
    try {
      for await (const batch of reader.batches(this.#passLsn)) {
        for (const slice of slicesOf(batch, this.#passLsn)) {
          if (this.#urgent > 0) await new Promise<void>((resolve) => this.#whenCalm.push(resolve));
          await this.#pause();
          assembler.take(slice);
        }
        if (this.#waiting.size === 0) return;
      }
      for (const waiting of [...this.#waiting.values()]) {
        if (waiting.handed === waiting.lsn) this.#waiting.delete(waiting.stream);
      }
    } finally {
      await reader.close();
    }
  }

  #hand(waiting: Waiting, commit: ReplayedCommit): void {
    if (commit.lsn <= waiting.handed || !this.#waiting.has(waiting.stream)) return;
    this.#parts.onCommit(commit);
    waiting.handed = commit.lsn;
  }

  /** Undefined while the slice lasts. */
  #pause(): Promise<void> | undefined {
    if (this.#closed) throw new StorageError("BOP_CLOSED", "the log is closed", closed);
    return this.#slice.pause();
  }
}

const closed = { details: { what: "log" } } as const;

function beginAbove(run: StreamRun, aboveLsn: number): number {
  const cursor = new RunCursor(run);
  while (cursor.next()) if (cursor.lsn > aboveLsn) break;
  return cursor.firstLsn;
}

function commitsAbove(run: StreamRun, aboveLsn: number): number {
  if (run.baseLsn >= aboveLsn) return run.commits;
  const cursor = new RunCursor(run);
  let commits = 0;
  while (cursor.next()) if (cursor.lsn > aboveLsn) commits += 1;
  return commits;
}

/** Where the commits above an LSN lie, neighbours of one stream put together. */
function stretchesOf(runs: readonly StreamRun[], aboveLsn: number): Stretch[] {
  const stretches: { fromLsn: number; toLsn: number }[] = [];
  for (const run of runs) {
    if (run.lastLsn <= aboveLsn) continue;
    const cursor = new RunCursor(run);
    while (cursor.next()) {
      if (cursor.lsn <= aboveLsn) continue;
      stretches.push({ fromLsn: cursor.firstLsn, toLsn: cursor.lsn });
    }
  }
  return stretches;
}

/** A batch in slices that end with a commit, from an LSN on that is one's end. */
function* slicesOf(
  { startLsn, payload, place }: WholeBatch,
  fromLsn: number,
): Generator<WholeBatch> {
  const payloadLsn = startLsn + BATCH_HEADER.sizeBytes;
  let from = Math.min(payload.length, Math.max(0, fromLsn - payloadLsn));
  const base = from;
  const scanned = {
    startLsn: startLsn + base,
    payload: payload.subarray(base),
    place: { file: place.file, offset: place.offset + base },
  };
  const scan = new CommitScan(scanned);
  const slice = (to: number) => ({
    startLsn: startLsn + from,
    payload: payload.subarray(from, to),
    place: { file: place.file, offset: place.offset + from },
  });
  while (scan.next() !== undefined) {
    const to = base + scan.at;
    if (to - from < SLICE_BYTES) continue;
    yield slice(to);
    from = to;
  }
  if (from < payload.length) yield slice(payload.length);
}
