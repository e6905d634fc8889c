/**
 * A ROW OF THE CATALOGUE: a database as the entries up to its LSN have made it, and what an entry
 * means to whoever reads the change log. Pure.
 */
import { StorageError } from "../../base/errors.ts";
import { CATALOGUE_STREAM, LSN_ZERO, type Lsn, type StreamId } from "../../base/units.ts";
import type {
  CatalogueEntry,
  ChangeFact,
  DatabaseRow,
  Moment,
  SnapshotKey,
  SnapshotRow,
} from "../../manifest/index.ts";
import type { EngineKind } from "../../sqlite/index.ts";
import type { DatabaseName } from "./names.ts";

export interface CatalogueRow {
  readonly stream: StreamId;
  readonly engine: EngineKind;
  readonly pageBytes: number;
  readonly createdAtMs: number;
  /** Of the entry since which others can see it: no older snapshot of the store has it. */
  readonly createdLsn: Lsn;
  /** Root of its family: its own stream if it is no fork. */
  readonly family: StreamId;
  readonly origin: Moment | undefined;
  readonly state: DatabaseRow["state"];
  readonly name: string;
  /** LSN of the entry that made the row what it is. */
  readonly lsn: Lsn;
  readonly droppedLsn: Lsn | undefined;
}

export interface NewDatabase {
  readonly name: DatabaseName;
  readonly engine: EngineKind;
  readonly pageBytes: number;
  readonly createdAtMs: number;
  readonly importing: boolean;
}

export interface NewFork {
  readonly name: DatabaseName;
  readonly origin: Moment;
  readonly createdAtMs: number;
  /** Not to be seen before `publish`, as an import: its pages are still being made. */
  readonly importing: boolean;
}

/** A moment under a name, of one database or (stream 0) of all. */
export interface NamedMoment extends SnapshotRow {
  /** LSN of the entry that made it: durable before it is shown to others. */
  readonly entryLsn: Lsn;
}

/** A snapshot that came (`row`) or went. */
export interface SnapshotChange extends SnapshotKey {
  readonly row: SnapshotRow | undefined;
}

type DatabaseEntry = Extract<
  CatalogueEntry,
  { readonly type: "create" | "fork" | "drop" | "rename" | "publish" }
>;

/*
 * Rows are written out field by field: one that is made by spreading another takes twice the memory,
 * and there may be a hundred thousand.
 */

/** Of a database that an entry has made. */
export function newRow(
  entry: Extract<CatalogueEntry, { readonly type: "create" | "fork" }>,
  lsn: Lsn,
): CatalogueRow {
  const { stream } = entry;
  return {
    stream,
    engine: entry.engine,
    pageBytes: entry.pageBytes,
    createdAtMs: entry.createdAtMs,
    createdLsn: lsn,
    family: entry.type === "fork" ? entry.family : stream,
    origin: entry.type === "fork" ? entry.origin : undefined,
    state: entry.importing ? "importing" : "live",
    name: entry.name,
    lsn,
    droppedLsn: undefined,
  };
}

/** As the manifest has it. */
export function openedRow(row: DatabaseRow): CatalogueRow {
  return {
    stream: row.stream,
    engine: row.engine,
    pageBytes: row.pageBytes,
    createdAtMs: row.createdAtMs,
    createdLsn: row.createdLsn,
    family: row.family,
    origin: row.origin,
    state: row.state,
    name: row.name,
    lsn: LSN_ZERO,
    droppedLsn: row.droppedLsn,
  };
}

export interface FactContext {
  readonly row: CatalogueRow;
  /** As it was before the entry. */
  readonly before: CatalogueRow | undefined;
  readonly nameOf: (stream: StreamId) => string;
}

/** What an entry about a database means to others; undefined for what nobody can see. */
export function factOf({ type }: DatabaseEntry, context: FactContext): ChangeFact | undefined {
  const { row, before } = context;
  const { lsn, stream, name, state } = row;
  switch (type) {
    case "create":
    case "fork":
      return state === "live" ? birthOf("created", context) : undefined;
    case "publish":
      return birthOf("imported", context);
    case "rename":
      if (before?.state === "importing") return undefined; // Nobody has seen it yet.
      return { kind: "renamed", lsn, stream, name, previousName: before?.name ?? name };
    case "drop":
      // What was never seen is not missed.
      return before?.state === "live" ? { kind: "dropped", lsn, stream, name } : undefined;
  }
}

/** What a snapshot that came or went means to others. */
export function factOfSnapshot(
  kind: "snapshot" | "snapshot-dropped",
  { stream, name: snapshot, lsn: momentLsn }: SnapshotRow,
  at: { readonly lsn: Lsn; readonly nameOf: (stream: StreamId) => string },
): ChangeFact {
  const name = stream === CATALOGUE_STREAM ? "" : at.nameOf(stream);
  return { kind, lsn: at.lsn, stream, name, snapshot, momentLsn };
}

/** The error of a name that another database has. */
export function nameTaken(name: string): StorageError {
  return new StorageError("BOP_EXISTS", `there is a database named ${JSON.stringify(name)}`, {
    details: { name },
  });
}

/** The error of a name that another snapshot of the same database, or of the store, has. */
export function snapshotTaken(name: string): StorageError {
  return new StorageError("BOP_EXISTS", `there is a snapshot named ${JSON.stringify(name)}`, {
    details: { name },
  });
}

/** A fork is told of as such also when it took an import to make it. */
function birthOf(kind: "created" | "imported", { row, nameOf }: FactContext): ChangeFact {
  const { lsn, stream, name, engine, origin } = row;
  if (origin === undefined) return { kind, lsn, stream, engine, name };
  const from = { ...origin, name: nameOf(origin.stream) };
  return { kind: "forked", lsn, stream, engine, name, origin: from };
}
