/**
 * TABLE OF SCRUBS: what was read again to see whether it is still what was written, when, and with
 * what result. One row for each pass there is, and one for each database that was restored to try it.
 *
 *   key    part u8, stream u32 (0 unless the part is a database)
 *   value  last good ms u64, last tried ms u64, bytes u64, problem text, body: length u32 and bytes
 *
 * (1) Persistent: the numbers of parts are never changed or used again.
 * (2) A pass that is cut off goes on where its body says, which is in a format of the part's own.
 */
import { type StreamId, streamId } from "../../base/units.ts";
import { Malformed } from "../rows/bytes.ts";
import { defineTable } from "../rows/table.ts";

export interface ScrubKey {
  /** A pass over this disk, one over the bucket, or a database that was restored to try it. */
  readonly part: "local" | "remote" | "database";
  /** 0 unless it is a database. */
  readonly stream: StreamId;
}

/** When something was read again last, and what came of it. */
export interface ScrubRow extends ScrubKey {
  /** End of the last try without a problem; 0 if there is none. */
  readonly lastGoodMs: number;
  readonly lastTriedMs: number;
  /** Read by the last try. */
  readonly bytes: number;
  /** Of the last try; empty if it had none. */
  readonly problem: string;
  /** What is needed to go on, in a format of the part's own. */
  readonly body: Uint8Array;
}

const PARTS = { local: 1, remote: 2, database: 3 } as const;

export const scrubs = defineTable({
  name: "scrubs",
  version: 1,
  keyOf: ({ part, stream }: ScrubRow): ScrubKey => ({ part, stream }),
  writeKey: ({ part, stream }, into) => into.u8(PARTS[part]).u32(stream),
  readKey(from): ScrubKey {
    const number = from.u8();
    const part = (Object.keys(PARTS) as ScrubKey["part"][]).find((each) => PARTS[each] === number);
    if (part === undefined) throw new Malformed(`the part of a scrub is ${number}`);
    return { part, stream: streamId(from.u32()) };
  },
  write(row, into) {
    into.u64(row.lastGoodMs).u64(row.lastTriedMs).u64(row.bytes).text(row.problem);
    into.u32(row.body.length).raw(row.body);
  },
  read: (from, key): ScrubRow => ({
    ...key,
    lastGoodMs: from.u64(),
    lastTriedMs: from.u64(),
    bytes: from.u64(),
    problem: from.text(),
    body: from.raw(from.u32()),
  }),
});
