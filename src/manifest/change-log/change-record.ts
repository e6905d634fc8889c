/**
 * A RECORD OF THE CHANGE LOG: one fact about the store. Little-endian; text is UTF-8 behind its
 * length as a u16; the row lies in an envelope (envelope.ts) under its sequence.
 *
 *   kind u8, lsn u64, at ms u64, generation u64, then by kind:
 *
 *   1  created         stream u32, engine u8, name text
 *   2  imported        stream u32, engine u8, name text
 *   3  renamed         stream u32, name text, previous name text
 *   4  dropped         stream u32, name text
 *   5  log-created     stream u32, name text
 *   6  log-dropped     stream u32, name text
 *   7  checkpoint      count u16, then for each database: stream u32, lsn u64, name text
 *   8  advanced        the same
 *   9  cursor-evicted  acknowledged u64, cursor text
 *  10  log-renamed     stream u32, name text, previous name text
 *  11  forked          stream u32, engine u8, name text, origin's stream u32, lsn u64, name text
 *  12  snapshot        stream u32, moment lsn u64, snapshot text, name text; of all: stream 0, no name
 *  13  snapshot-dropped  the same
 *
 * (1) Persistent: the number of a kind is never changed or used again.
 * (2) Sequences have no gaps; `at` never falls from one record to the next; `lsn` was durable when
 *     the record was written.
 * (3) A database has one record of its creation: `created`, `forked`, or `imported` when its import
 *     is done.
 * (4) A record is bounded: what concerns more databases than DATABASES_MAX is several records.
 */
import { assert } from "../../base/assert.ts";
import { type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { type ByteReader, type ByteWriter, Malformed } from "../rows/bytes.ts";
import { ENGINES } from "../tables/databases.ts";

const KINDS = {
  created: 1,
  imported: 2,
  renamed: 3,
  dropped: 4,
  "log-created": 5,
  "log-dropped": 6,
  checkpoint: 7,
  advanced: 8,
  "cursor-evicted": 9,
  "log-renamed": 10,
  forked: 11,
  snapshot: 12,
  "snapshot-dropped": 13,
} as const;

/** Databases that one record names. */
const DATABASES_MAX = 256;

/** A database has commits up to an LSN that no record before has told of. */
export interface AdvancedDatabase {
  readonly stream: StreamId;
  /** At that time. */
  readonly name: string;
  /** Of its newest commit that was durable then. */
  readonly lsn: Lsn;
}

interface Born {
  readonly stream: StreamId;
  readonly engine: "sqlite" | "libsql";
  readonly name: string;
}

interface Named {
  readonly stream: StreamId;
  readonly name: string;
}

interface Forked extends Born {
  /** What it was forked from, by its name of that time, and as of when. */
  readonly origin: Named & { readonly lsn: Lsn };
}

/** Of a database, or of all: then `stream` is 0 and `name` is empty. */
interface SnapshotOf extends Named {
  readonly snapshot: string;
  readonly momentLsn: Lsn;
}

/** What happened, and at which position of the log. */
export type ChangeFact = { readonly lsn: Lsn } & (
  | ({ readonly kind: "created" | "imported" } & Born)
  | ({ readonly kind: "forked" } & Forked)
  | ({ readonly kind: "snapshot" | "snapshot-dropped" } & SnapshotOf)
  | ({ readonly kind: "renamed" | "log-renamed"; readonly previousName: string } & Named)
  | ({ readonly kind: "dropped" | "log-created" | "log-dropped" } & Named)
  | {
      readonly kind: "checkpoint" | "advanced";
      readonly databases: readonly AdvancedDatabase[];
    }
  | { readonly kind: "cursor-evicted"; readonly cursor: string; readonly acknowledged: number }
);

export interface ChangeRecord {
  readonly sequence: number;
  /** Of the commit of the manifest that wrote it. */
  readonly generation: number;
  /** Milliseconds since 1970, for people. */
  readonly atMs: number;
  readonly fact: ChangeFact;
}

/** One fact about any number of databases, as facts that fit a record each. */
export function factsOfDatabases(
  about: { readonly kind: "checkpoint" | "advanced"; readonly lsn: Lsn },
  databases: readonly AdvancedDatabase[],
): ChangeFact[] {
  const facts: ChangeFact[] = [{ ...about, databases: databases.slice(0, DATABASES_MAX) }];
  for (let from = DATABASES_MAX; from < databases.length; from += DATABASES_MAX) {
    facts.push({ ...about, databases: databases.slice(from, from + DATABASES_MAX) });
  }
  return facts;
}

export function writeChange({ generation, atMs, fact }: ChangeRecord, into: ByteWriter): void {
  into.u8(KINDS[fact.kind]).u64(fact.lsn).u64(atMs).u64(generation);
  switch (fact.kind) {
    case "created":
    case "imported":
      into.u32(fact.stream).u8(ENGINES[fact.engine]).text(fact.name);
      break;
    case "forked": {
      const { origin } = fact;
      into.u32(fact.stream).u8(ENGINES[fact.engine]).text(fact.name);
      into.u32(origin.stream).u64(origin.lsn).text(origin.name);
      break;
    }
    case "snapshot":
    case "snapshot-dropped":
      into.u32(fact.stream).u64(fact.momentLsn).text(fact.snapshot).text(fact.name);
      break;
    case "renamed":
    case "log-renamed":
      into.u32(fact.stream).text(fact.name).text(fact.previousName);
      break;
    case "dropped":
    case "log-created":
    case "log-dropped":
      into.u32(fact.stream).text(fact.name);
      break;
    case "checkpoint":
    case "advanced":
      writeDatabases(into, fact.databases);
      break;
    case "cursor-evicted":
      into.u64(fact.acknowledged).text(fact.cursor);
  }
}

/** Takes any bytes; throws nothing but Malformed. */
export function readChange(from: ByteReader, sequence: number): ChangeRecord {
  const kind = from.oneOf(KINDS, "kind of change");
  const at = lsn(from.u64());
  const [atMs, generation] = [from.u64(), from.u64()];
  return { sequence, generation, atMs, fact: readFact(from, kind, at) };
}

function readFact(from: ByteReader, kind: keyof typeof KINDS, at: Lsn): ChangeFact {
  switch (kind) {
    case "created":
    case "imported": {
      const stream = streamId(from.u32());
      const engine = from.oneOf(ENGINES, "engine");
      return { kind, lsn: at, stream, engine, name: from.text() };
    }
    case "forked": {
      const stream = streamId(from.u32());
      const [engine, name] = [from.oneOf(ENGINES, "engine"), from.text()];
      const [originStream, originLsn] = [streamId(from.u32()), lsn(from.u64())];
      const origin = { stream: originStream, lsn: originLsn, name: from.text() };
      return { kind, lsn: at, stream, engine, name, origin };
    }
    case "snapshot":
    case "snapshot-dropped": {
      const [stream, momentLsn] = [streamId(from.u32()), lsn(from.u64())];
      const snapshot = from.text();
      return { kind, lsn: at, stream, name: from.text(), snapshot, momentLsn };
    }
    case "renamed":
    case "log-renamed": {
      const [stream, name] = [streamId(from.u32()), from.text()];
      return { kind, lsn: at, stream, name, previousName: from.text() };
    }
    case "dropped":
    case "log-created":
    case "log-dropped":
      return { kind, lsn: at, stream: streamId(from.u32()), name: from.text() };
    case "checkpoint":
    case "advanced":
      return { kind, lsn: at, databases: readDatabases(from) };
    case "cursor-evicted": {
      const acknowledged = from.u64();
      return { kind, lsn: at, acknowledged, cursor: from.text() };
    }
  }
}

function writeDatabases(into: ByteWriter, databases: readonly AdvancedDatabase[]): void {
  assert(databases.length <= DATABASES_MAX, () => `a change of ${databases.length} databases`);
  into.u16(databases.length);
  for (const { stream, lsn: at, name } of databases) into.u32(stream).u64(at).text(name);
}

function readDatabases(from: ByteReader): AdvancedDatabase[] {
  const count = from.u16();
  if (count > DATABASES_MAX) throw new Malformed(`a change of ${count} databases`);
  return Array.from({ length: count }, () => {
    const [stream, at] = [streamId(from.u32()), lsn(from.u64())];
    return { stream, name: from.text(), lsn: at };
  });
}
