/**
 * TABLE OF NAMES: which live database, or record log, has a name. It says nothing that the rows of
 * those do not say: the writer keeps it in step with them (see row-indexes.ts).
 *
 *   key    space u8, name (UTF-8)
 *   value  stream u32
 *
 * (1) Persistent: the numbers of spaces are never changed or used again.
 */
import { type StreamId, streamId } from "../../base/units.ts";
import { Malformed } from "../rows/bytes.ts";
import { defineTable } from "../rows/table.ts";

const SPACES = { databases: 1, recordLogs: 2 } as const;

export interface NameKey {
  /** Names of databases and names of record logs do not meet. */
  readonly space: keyof typeof SPACES;
  readonly name: string;
}

export interface NameRow extends NameKey {
  readonly stream: StreamId;
}

export const names = defineTable({
  name: "names",
  version: 1,
  keyOf: ({ space, name }: NameRow): NameKey => ({ space, name }),
  writeKey: ({ space, name }, into) => into.u8(SPACES[space]).text(name),
  readKey(from) {
    const number = from.u8();
    const space = (Object.keys(SPACES) as NameKey["space"][]).find((s) => SPACES[s] === number);
    if (space === undefined) throw new Malformed(`the space of a name is ${number}`);
    return { space, name: from.text() };
  },
  write: ({ stream }, into) => void into.u32(stream),
  read: (from, key): NameRow => ({ ...key, stream: streamId(from.u32()) }),
});
