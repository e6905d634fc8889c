/**
 * A LOG IN MEMORY whose durability the test decides: the ground under tests of the page store alone,
 * where the moments at which a commit becomes durable, and a process ends, are the whole point.
 *
 * (1) Every frame is kept, and can be replayed as recovery would.
 * (2) A delta keeps its base: to apply it to anything else is an error, as in the real log.
 * (3) It outlives the page store: `restart` forgets what was not durable, as a power cut does.
 */
import { assert } from "../base/assert.ts";
import type { Disposer } from "../base/env.ts";
import type { StorageError } from "../base/errors.ts";
import { LSN_ZERO, type Lsn, lsnAfter, type PageNumber, type StreamId } from "../base/units.ts";
import {
  type CommitFields,
  LOGGED_WHOLE,
  type Log,
  type LogStats,
  type PageChange,
  type ReplayedCommit,
  type ReplayedFrame,
  type StagedFrames,
  UNCHANGED,
} from "../write/index.ts";

interface Waiter {
  readonly lsn: Lsn;
  readonly resolve: () => void;
}

const COMMIT_BYTES = 40;
const FRAME_BYTES = 24;

export class MemoryLog implements Log {
  readonly #commits: ReplayedCommit[] = [];
  readonly #listeners = new Set<(durableLsn: Lsn) => void>();
  #waiters: Waiter[] = [];
  #newestLsn: Lsn = LSN_ZERO;
  #durableLsn: Lsn = LSN_ZERO;
  #staged = false;
  /** Deltas and full images that were staged, for tests that look. */
  readonly counts = { delta: 0, full: 0 };
  /** Thrown by the next `page` or `delta`. */
  failure: StorageError | undefined;
  readonly inflightSegments = 0;

  get newestLsn(): Lsn {
    return this.#newestLsn;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  get stats(): LogStats {
    const { counts } = this;
    const commits = this.#commits.length;
    const nothing = { flushes: 0, frameBytes: 0, writtenBytes: 0, failedFlushes: 0, segments: 0 };
    const [newestLsn, durableLsn] = [this.#newestLsn, this.#durableLsn];
    const marks = { reservedLsn: newestLsn, writtenLsn: newestLsn, durableLsn };
    const now = {
      inflightSegments: 0,
      backlogBytes: 0,
      hung: undefined,
      marks: { ...marks, archivedLsn: LSN_ZERO },
      inflight: [],
    };
    return { ...nothing, ...now, commits, batches: counts.delta + counts.full };
  }

  admit(): void {}

  limitStream(): void {}

  kick(): void {}

  stage(stream: StreamId): StagedFrames {
    assert(!this.#staged, "one commit is staged at a time");
    this.#staged = true;
    const frames: ReplayedFrame[] = [];
    return {
      page: (pageNumber, image) => this.#page(frames, pageNumber, image),
      delta: (pageNumber, change) => this.#delta(frames, pageNumber, change),
      entry: (payload) => frames.push({ kind: "entry", payload: payload.slice() }),
      records: (payload) => frames.push({ kind: "records", payload: payload.slice() }),
      record: (head, payload) => {
        const operations = Buffer.concat([head.bytes.subarray(0, head.at), payload]);
        frames.push({ kind: "records", payload: operations });
      },
      spill: (fields) => frames.push({ kind: "spill", ...fields }),
      seal: (fields) => this.#seal({ stream, frames, ...fields }),
      discard: () => {
        this.#staged = false;
      },
    };
  }

  /** Everything sealed so far, or up to `lsn`, is durable now. */
  makeDurable(lsn: Lsn = this.#newestLsn): void {
    assert(lsn <= this.#newestLsn && lsn >= this.#durableLsn, "durable beyond the log");
    this.#durableLsn = lsn;
    for (const listener of this.#listeners) listener(lsn);
    const settled = this.#waiters.filter((waiter) => waiter.lsn <= lsn);
    this.#waiters = this.#waiters.filter((waiter) => waiter.lsn > lsn);
    for (const { resolve } of settled) resolve();
  }

  durable(lsn: Lsn): Promise<void> {
    if (lsn <= this.#durableLsn) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ lsn, resolve }));
  }

  onDurable(listener: (durableLsn: Lsn) => void): Disposer {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  }

  onFailure(): Disposer {
    return { dispose: () => undefined };
  }

  onFault(): Disposer {
    return { dispose: () => undefined };
  }

  async release(): Promise<void> {}

  async close(): Promise<void> {}

  /** LSNs that could have been durable last: after each commit that is not. */
  get undurable(): readonly Lsn[] {
    return this.#commits.map(({ lsn }) => lsn).filter((lsn) => lsn > this.#durableLsn);
  }

  /** The same after a crash, of which some more may be durable than anybody was told. */
  echo(durableLsn: Lsn): MemoryLog {
    const echo = new MemoryLog();
    echo.#commits.push(...this.#commits);
    echo.#newestLsn = this.#newestLsn;
    echo.makeDurable(durableLsn);
    return echo;
  }

  /** The commits above a checkpoint, as the next process finds them: none that is not durable. */
  restart(checkpointLsn: Lsn): readonly ReplayedCommit[] {
    const kept = this.#commits.filter(({ lsn }) => lsn <= this.#durableLsn);
    this.#commits.splice(0, Number.POSITIVE_INFINITY, ...kept);
    this.#newestLsn = this.#durableLsn;
    this.#waiters = [];
    this.#listeners.clear();
    this.#staged = false;
    return kept.filter(({ lsn }) => lsn > checkpointLsn);
  }

  #page(frames: ReplayedFrame[], pageNumber: PageNumber, image: Uint8Array): void {
    this.#mayFail();
    this.counts.full += 1;
    frames.push({ kind: "page", pageNumber, image: image.slice() });
  }

  #delta(frames: ReplayedFrame[], pageNumber: PageNumber, change: PageChange): number {
    this.#mayFail();
    assert(change.base.length === change.image.length, "a delta between sizes");
    const differing = change.image.reduce(
      (count, byte, index) => count + (byte === change.base[index] ? 0 : 1),
      0,
    );
    if (differing === 0) return UNCHANGED;
    if (differing > change.image.length / 2) {
      this.#page(frames, pageNumber, change.image);
      return LOGGED_WHOLE;
    }
    this.counts.delta += 1;
    const expected = Buffer.from(change.base);
    const image = change.image.slice();
    const apply = (base: Uint8Array) => {
      assert(expected.equals(base), "a delta is applied to its own base only");
      return image.slice();
    };
    frames.push({ kind: "delta", pageNumber, baseLsn: change.baseLsn, sum: 0, apply });
    return 0;
  }

  #seal(commit: CommitFields & { stream: StreamId; frames: ReplayedFrame[] }): Lsn {
    assert(this.#staged, "sealed without being staged");
    this.#staged = false;
    this.#newestLsn = lsnAfter(this.#newestLsn, COMMIT_BYTES + commit.frames.length * FRAME_BYTES);
    this.#commits.push({ ...commit, lsn: this.#newestLsn });
    return this.#newestLsn;
  }

  #mayFail(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }
}
