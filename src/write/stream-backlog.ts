/**
 * HOW MUCH OF THE BACKLOG IS ONE STREAM'S, for streams that have a limit of their own: so that one
 * tenant who writes without end is the one who waits, and not everybody.
 *
 * (1) Counted from seal to durable, in bytes of the log. A stream without a limit is not counted and
 *     costs nothing.
 */
import { bytesBetween, type Lsn, type StreamId } from "../base/units.ts";
import type { LogCore } from "../wal/index.ts";
import type { StagedFrames } from "./log.ts";

interface Counted {
  limitBytes: number;
  bytes: number;
  /** What was sealed and is not durable, oldest first; those before `head` are. */
  sealed: { readonly lsn: Lsn; readonly bytes: number }[];
  head: number;
}

export interface StreamShare {
  readonly bytes: number;
  readonly limitBytes: number;
}

export class StreamBacklog {
  readonly #streams = new Map<StreamId, Counted>();

  /** Undefined takes the limit away. */
  limit(stream: StreamId, limitBytes: number | undefined): void {
    const counted = this.#streams.get(stream);
    if (limitBytes === undefined) this.#streams.delete(stream);
    else if (counted !== undefined) counted.limitBytes = limitBytes;
    else this.#streams.set(stream, { limitBytes, bytes: 0, sealed: [], head: 0 });
  }

  /** What a stream with a limit has waiting; undefined for one without. */
  share(stream: StreamId, durableLsn: Lsn): StreamShare | undefined {
    if (this.#streams.size === 0) return undefined;
    const counted = this.#streams.get(stream);
    if (counted !== undefined) forgetDurable(counted, durableLsn);
    return counted;
  }

  /** The same frames, whose bytes are counted when they are sealed. */
  counted(stream: StreamId, frames: LogCore): StagedFrames {
    const counted = this.#streams.size === 0 ? undefined : this.#streams.get(stream);
    if (counted === undefined) return frames;
    const beforeLsn = frames.newestLsn;
    return {
      page: (pageNumber, image) => frames.page(pageNumber, image),
      delta: (pageNumber, change) => frames.delta(pageNumber, change),
      entry: (payload) => frames.entry(payload),
      spill: (fields) => frames.spill(fields),
      records: (operations) => frames.records(operations),
      record: (head, payload) => frames.record(head, payload),
      seal: (commit, groupCount) => {
        const lsn = frames.seal(commit, groupCount);
        const bytes = bytesBetween(beforeLsn, lsn);
        counted.sealed.push({ lsn, bytes });
        counted.bytes += bytes;
        return lsn;
      },
      discard: () => frames.discard(),
    };
  }
}

function forgetDurable(counted: Counted, durableLsn: Lsn): void {
  const { sealed } = counted;
  for (let next = sealed[counted.head]; next !== undefined && next.lsn <= durableLsn; ) {
    counted.bytes -= next.bytes;
    counted.head += 1;
    next = sealed[counted.head];
  }
  if (counted.head < sealed.length && counted.head < 1024) return;
  counted.sealed = sealed.slice(counted.head);
  counted.head = 0;
}
