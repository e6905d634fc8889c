/**
 * TABLE OF REMOTE GARBAGE: objects of the bucket that nothing will name again, and that are deleted
 * when no restore point needs them.
 *
 *   key    key of the object (UTF-8)
 *   value  state u8, count u32, bytes u64, born generation u64, gone generation u64
 *
 * (1) Persistent: the numbers of states are never changed or used again.
 * (2) `count` objects in a row of numbers, of which the key names the first; 1 for a chunk.
 * (3) `unreferenced`: states of generations from born to gone, without gone, may name it.
 *     `announced`: no restore point needs it, and it may be gone as soon as a state that is shipped
 *     has this row.
 *     `orphaned`: a chunk that was found there, and that no row had known; it may go likewise, and is
 *     not the chunk of that id in this store (since schema 5).
 */
import { defineTable } from "../rows/table.ts";

/** Objects of the bucket that nothing will name again. */
export interface RemoteGarbageRow {
  readonly key: string;
  readonly state: "unreferenced" | "announced" | "orphaned";
  readonly count: number;
  readonly bytes: number;
  readonly bornGeneration: number;
  readonly goneGeneration: number;
}

const STATES = { unreferenced: 1, announced: 2, orphaned: 3 } as const;

export const remoteGarbage = defineTable({
  name: "remoteGarbage",
  version: 1,
  keyOf: ({ key }: RemoteGarbageRow) => key,
  writeKey: (key, into) => into.text(key),
  readKey: (from) => from.text(),
  write(row, into) {
    into.u8(STATES[row.state]).u32(row.count).u64(row.bytes);
    into.u64(row.bornGeneration).u64(row.goneGeneration);
  },
  read: (from, key): RemoteGarbageRow => ({
    key,
    state: from.oneOf(STATES, "state of garbage"),
    count: from.u32(),
    bytes: from.u64(),
    bornGeneration: from.u64(),
    goneGeneration: from.u64(),
  }),
});
