/**
 * WHAT A LOG MUST HOLD: every commit that was ever sealed, and which of them somebody was told of.
 *
 * (1) What recovery hands out above the checkpoint is what was sealed, in order, without a hole; it
 *     may end before the newest, but not before anything that was promised.
 * (2) The commits of a group are there together, or not at all.
 * (3) What was not there once never comes back.
 * (4) History has the commits that begin above a moment. Of one that was sealed before and ends above it
 *     nobody knows here where in between it begins: it may be there.
 */
import type { Lsn, StreamId } from "../../src/base/units.ts";
import type { Log, ReplayedCommit } from "../../src/write/index.ts";
import { promise } from "../failure.ts";

interface Sealed {
  readonly stream: number;
  /** End of the log before it: it begins there, or some way above. */
  readonly aboveLsn: number;
  readonly lsn: number;
  readonly id: number;
  readonly bytes: number;
  /** Commits of its group that come behind it. */
  readonly following: number;
}

const ENTRY_BYTES = 50_000;
const ID_BYTES = 8;

export class CommitModel {
  #sealed: Sealed[] = [];
  #nextId = 1;
  /** Everything up to here was said to be durable. */
  promisedLsn = 0;

  /** All that is known, of a log that a crash could have left as well. */
  echo(): CommitModel {
    const echo = new CommitModel();
    echo.#sealed = [...this.#sealed];
    echo.#nextId = this.#nextId;
    echo.promisedLsn = this.promisedLsn;
    return echo;
  }

  /** Seals a commit for each stream, all of one group; returns the LSN of the last. */
  seal(log: Log, streams: readonly StreamId[], bytes: number): Lsn {
    let newest = log.newestLsn;
    for (const [at, stream] of streams.entries()) {
      const id = this.#nextId++;
      const aboveLsn = newest;
      const staged = log.stage(stream);
      for (let rest = bytes; rest >= 0; rest -= ENTRY_BYTES) staged.entry(entryOf(id, rest));
      newest = staged.seal({ pageCount: 0, pageBytes: 0 }, streams.length);
      const following = streams.length - 1 - at;
      this.#sealed.push({ stream, aboveLsn, lsn: newest, id, bytes, following });
    }
    return newest;
  }

  /** Stages a commit that is not to be. */
  discard(log: Log, stream: StreamId, bytes: number): void {
    const staged = log.stage(stream);
    for (let rest = bytes; rest >= 0; rest -= ENTRY_BYTES) staged.entry(entryOf(0, rest));
    staged.discard();
  }

  /** Another process has recovered these, above the checkpoint. */
  recovered(found: readonly Found[], checkpointLsn: number): void {
    const above = this.#sealed.filter(({ lsn }) => lsn > checkpointLsn);
    expectSame(found, above.slice(0, found.length));
    const newest = found.at(-1)?.lsn ?? checkpointLsn;
    const promised = this.#sealed.findLast(({ lsn }) => lsn <= this.promisedLsn)?.lsn ?? 0;
    promise(newest >= promised, () => {
      return `recovered up to ${newest}, though ${promised} was said to be durable`;
    });
    // What lies between it and the next commit is the log's own, and may be used again.
    this.promisedLsn = promised;
    const last = this.#sealed.findLast(({ lsn }) => lsn <= newest);
    promise((last?.following ?? 0) === 0, () => `a group ends in the middle, at ${newest}`);
    this.#sealed = this.#sealed.filter(({ lsn }) => lsn <= newest);
  }

  /** What history has of a stream. */
  past(found: readonly Found[], { stream, after, upTo }: Past): void {
    const wanted = this.#sealed.filter((each) => {
      return each.stream === stream && each.lsn > after && each.lsn <= upTo;
    });
    const first = wanted[0];
    const mayLack = first !== undefined && first.aboveLsn < after; // See (4).
    if (mayLack && found[0]?.lsn !== first.lsn) wanted.shift();
    promise(found.length === wanted.length, () => {
      return `history has ${found.length} commits of (${after}, ${upTo}], not ${wanted.length}`;
    });
    expectSame(found, wanted);
  }
}

interface Past {
  readonly stream: number;
  readonly after: number;
  readonly upTo: number;
}

export type Found = Pick<Sealed, "stream" | "lsn" | "id" | "bytes">;

/** A commit as it was read back. */
export function foundIn({ stream, lsn, frames }: ReplayedCommit): Found {
  let [bytes, id] = [0, -1];
  for (const frame of frames) {
    promise(frame.kind === "entry", () => `a ${frame.kind} frame was never staged`);
    const { payload } = frame;
    id = new DataView(payload.buffer, payload.byteOffset).getFloat64(0);
    const isWhole = Buffer.compare(payload, entryOf(id, payload.length - ID_BYTES)) === 0;
    promise(isWhole, () => `the commit at ${lsn} has other bytes than were staged`);
    bytes += payload.length - ID_BYTES;
  }
  return { stream, lsn, id, bytes };
}

function expectSame(found: readonly Found[], wanted: readonly Found[]): void {
  for (const [at, { stream, lsn, id, bytes }] of found.entries()) {
    const should = wanted[at];
    const isSame =
      should?.stream === stream && should.lsn === lsn && should.id === id && should.bytes === bytes;
    promise(isSame, () => `commit ${id} of ${stream} at ${lsn}; ${JSON.stringify(should)} was`);
  }
}

function entryOf(id: number, restBytes: number): Uint8Array {
  const entry = new Uint8Array(Math.min(restBytes, ENTRY_BYTES) + ID_BYTES).fill(id);
  new DataView(entry.buffer).setFloat64(0, id);
  return entry;
}
