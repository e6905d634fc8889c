/**
 * TABLE OF FORKS: which databases read through which. It says nothing that the rows of databases do
 * not say: the writer keeps it in step with them (see row-indexes.ts).
 *
 *   key    origin: stream u32, fork: stream u32
 *   value  nothing: the key says it all
 *
 * (1) A fork that is flat reads through nothing, and is not here.
 */
import { type StreamId, streamId } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

export interface ForkRow {
  readonly origin: StreamId;
  readonly fork: StreamId;
}

export const forks = defineTable({
  name: "forks",
  version: 1,
  keyOf: (row: ForkRow): ForkRow => row,
  writeKey: ({ origin, fork }, into) => into.u32(origin).u32(fork),
  readKey: (from): ForkRow => ({ origin: streamId(from.u32()), fork: streamId(from.u32()) }),
  write: () => undefined,
  read: (_from, key): ForkRow => key,
});

/** All that read through one. */
export const forksOf = (origin: StreamId) => forks.range((into) => into.u32(origin));
