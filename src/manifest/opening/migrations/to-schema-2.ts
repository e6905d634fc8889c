/**
 * 1 → 2: chunks say their kind and their references; names have a table; the state says how far the
 * catalogue is, and counts rows.
 */
import { chunkId, type Lsn, lsn, type StreamId, streamId } from "../../../base/units.ts";
import type { ByteReader } from "../../rows/bytes.ts";
import { type Sealed, unseal } from "../../rows/envelope.ts";
import { STATE_KEY } from "../../rows/keys.ts";
import type { Pair } from "../../rows/table.ts";
import { chunks } from "../../tables/chunks.ts";
import { databases, ENGINES, STATES } from "../../tables/databases.ts";
import { names } from "../../tables/names.ts";
import { counted, type Migrated, type Migration, required, stored } from "./migration.ts";

export const toSchema2: Migration = {
  from: 1,
  migrate(store, file): Migrated {
    const old = unseal(required(store, STATE_KEY, file), {
      version: 1,
      parse: (from) => ({
        generation: from.u64(),
        checkpointLsn: lsn(from.u64()),
        durableLsn: lsn(from.u64()),
        nextStreamId: streamId(from.u32()),
        nextChunkId: chunkId(from.u64()),
        clean: from.flag(),
      }),
    });
    const generation = old.generation + 1;
    const rows: Pair[] = [];
    for (const found of stored(store, chunks, file)) {
      const chunk = chunks.decodeKey(found.key);
      const sizes = unseal(found, { version: 1, parse: readSizes });
      rows.push(chunks.encode({ chunk, kind: "pages", ...sizes, references: 0 }, generation));
    }
    for (const found of stored(store, databases, file)) {
      const { stream, name, state } = databaseBeforeSchema3(found);
      if (state !== "dropped") {
        rows.push(names.encode({ space: "databases", name, stream }, generation));
      }
    }
    const catalogueLsn = old.checkpointLsn; // The catalogue was written by checkpoints alone.
    const counts = counted(store, rows);
    return { operations: rows, state: { ...old, generation, catalogueLsn, rows: counts } };
  },
};

interface OldDatabase {
  readonly stream: StreamId;
  readonly state: keyof typeof STATES;
  readonly name: string;
  readonly engine: keyof typeof ENGINES;
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly lsn: Lsn;
  readonly createdAtMs: number;
  readonly droppedLsn?: Lsn;
}

/** A row of the table of databases as schemas 1 and 2 have it. */
export function databaseBeforeSchema3(found: Sealed): OldDatabase {
  const parse = (from: ByteReader) => ({
    stream: databases.decodeKey(found.key),
    state: from.oneOf(STATES, "state"),
    name: from.text(),
    engine: from.oneOf(ENGINES, "engine"),
    pageBytes: from.u32(),
    pageCount: from.u32(),
    lsn: lsn(from.u64()),
    createdAtMs: from.u64(),
    ...(from.flag() && { droppedLsn: lsn(from.u64()) }),
  });
  return unseal(found, { version: 1, parse });
}

function readSizes(from: ByteReader) {
  return { fileBytes: from.u64(), pageCount: from.u32(), livePages: from.u32() };
}
