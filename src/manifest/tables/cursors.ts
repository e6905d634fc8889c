/**
 * TABLE OF CURSORS: how far each reader of the change log has acknowledged it.
 *
 *   key    name (UTF-8)
 *   value  state u8, acknowledged u64, at ms u64
 *
 * (1) Persistent: the numbers of states are never changed or used again.
 */
import type { CursorRow } from "../change-log/change-log-core.ts";
import { defineTable } from "../rows/table.ts";

const STATES = { active: 1, evicted: 2 } as const;

export const cursors = defineTable({
  name: "cursors",
  version: 1,
  keyOf: ({ name }: CursorRow) => name,
  writeKey: (name, into) => into.text(name),
  readKey: (from) => from.text(),
  write: ({ state, acknowledged, atMs }, into) =>
    void into.u8(STATES[state]).u64(acknowledged).u64(atMs),
  read: (from, name): CursorRow => ({
    name,
    state: from.oneOf(STATES, "state of a cursor"),
    acknowledged: from.u64(),
    atMs: from.u64(),
  }),
});
