/**
 * THE CATALOGUE: which databases there are. In memory here, in the log as frames of stream 0, and,
 * as of the last checkpoint, in the manifest.
 *
 * (1) Every change is a frame of stream 0 first and shows in memory at once; whoever is told of it
 *     has waited for its LSN.
 * (2) Stream ids are never used again. A dropped database leaves a tombstone until the log that may
 *     hold frames of it is released.
 * (3) A name belongs to one database that is live or being imported.
 * (4) What a change replaced is kept until the change is durable: lists show durable rows only.
 */
import { assert, present } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import { CATALOGUE_STREAM, LSN_ZERO, type Lsn, type StreamId, streamId } from "../base/units.ts";
import {
  type CatalogueEntry,
  type DatabaseRow,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
  type ManifestState,
} from "../manifest/index.ts";
import type { EngineKind } from "../sqlite/index.ts";
import type { Log } from "../write/index.ts";
import type { DatabaseName } from "./names.ts";

export interface CatalogueRow {
  readonly stream: StreamId;
  readonly engine: EngineKind;
  readonly pageBytes: number;
  readonly createdAtMs: number;
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

export class Catalogue {
  readonly #rows = new Map<StreamId, CatalogueRow>();
  readonly #byName = new Map<string, CatalogueRow>();
  /** See (4). In order of LSN. */
  readonly #replaced: { readonly lsn: Lsn; readonly stream: StreamId; row?: CatalogueRow }[] = [];
  /** Rows that differ from the manifest's. */
  readonly #changed = new Set<StreamId>();
  #nextStream: StreamId;
  #log: Log | undefined;

  constructor(opened: Pick<ManifestState, "databases" | "nextStreamId">) {
    this.#nextStream = opened.nextStreamId;
    for (const row of opened.databases) {
      const { droppedLsn, pageCount: _pages, ...rest } = row;
      this.#put({ ...rest, lsn: LSN_ZERO, droppedLsn });
    }
  }

  /** From here on changes go to the log. */
  attach(log: Log): void {
    this.#log = log;
  }

  get size(): number {
    return this.#byName.size;
  }

  get nextStreamId(): StreamId {
    return this.#nextStream;
  }

  find(name: DatabaseName): CatalogueRow | undefined {
    return this.#byName.get(name);
  }

  row(stream: StreamId): CatalogueRow | undefined {
    return this.#rows.get(stream);
  }

  /** Live and importing ones, in order of name. */
  sorted(): CatalogueRow[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Live ones as they were at an LSN that is durable, in order of name. See (4). */
  liveAt(durableLsn: Lsn): CatalogueRow[] {
    const rows = new Map<StreamId, CatalogueRow | undefined>(this.#rows);
    for (const { lsn, stream, row } of this.#replaced.toReversed()) {
      if (lsn > durableLsn) rows.set(stream, row);
    }
    return [...rows.values()]
      .flatMap((row) => (row?.state === "live" ? [row] : []))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  create(wanted: NewDatabase): CatalogueRow {
    if (this.#byName.has(wanted.name)) throw nameTaken(wanted.name);
    const stream = this.#nextStream;
    this.#append({ type: "create", stream, ...wanted });
    return present(this.#rows.get(stream), "a created database has a row");
  }

  /** Returns the LSN at which it is gone. */
  drop(stream: StreamId): Lsn {
    return this.#append({ type: "drop", stream });
  }

  rename(stream: StreamId, name: DatabaseName): Lsn {
    if (this.#byName.has(name)) throw nameTaken(name);
    return this.#append({ type: "rename", stream, name });
  }

  /** An import is complete: the database is live. */
  publish(stream: StreamId): Lsn {
    return this.#append({ type: "publish", stream });
  }

  /** Takes an entry that recovery met; returns what it says. */
  replay(payload: Uint8Array, lsn: Lsn): CatalogueEntry {
    const entry = decodeCatalogueEntry(payload);
    this.#apply(entry, lsn);
    return entry;
  }

  /** Rows to be written to the manifest by a checkpoint at `lsn`, and tombstones to be removed. */
  changesUpTo(lsn: Lsn): { readonly put: CatalogueRow[]; readonly remove: StreamId[] } {
    const put: CatalogueRow[] = [];
    const remove: StreamId[] = [];
    for (const stream of this.#changed) {
      const row = this.#rows.get(stream);
      if (row !== undefined && row.lsn <= lsn) put.push(row);
    }
    for (const row of this.#rows.values()) {
      if (row.droppedLsn !== undefined && row.droppedLsn <= lsn) remove.push(row.stream);
    }
    return { put: put.filter(({ stream }) => !remove.includes(stream)), remove };
  }

  /** What `changesUpTo` told is in the manifest now. */
  saved({ put, remove }: ReturnType<Catalogue["changesUpTo"]>): void {
    for (const row of put) {
      if (this.#rows.get(row.stream) === row) this.#changed.delete(row.stream);
    }
    for (const stream of remove) {
      this.#rows.delete(stream);
      this.#changed.delete(stream);
    }
  }

  #append(entry: CatalogueEntry): Lsn {
    const log = present(this.#log, "the catalogue is changed after the log was attached");
    const frames = log.stage(CATALOGUE_STREAM);
    frames.entry(encodeCatalogueEntry(entry));
    const lsn = frames.seal({ pageCount: 0, pageBytes: 0 });
    const row = this.#rows.get(entry.stream);
    while ((this.#replaced[0]?.lsn ?? lsn) <= log.durableLsn) this.#replaced.shift();
    this.#replaced.push({ lsn, stream: entry.stream, ...(row && { row }) });
    this.#apply(entry, lsn);
    return lsn;
  }

  #apply(entry: CatalogueEntry, lsn: Lsn): void {
    if (entry.type === "create") {
      const { type: _type, importing, ...rest } = entry;
      this.#put({ ...rest, state: importing ? "importing" : "live", lsn, droppedLsn: undefined });
      if (entry.stream >= this.#nextStream) this.#nextStream = streamId(entry.stream + 1);
      this.#changed.add(entry.stream);
      return;
    }
    const row = this.#rows.get(entry.stream);
    assert(row !== undefined, () => `catalogue: no database ${entry.stream} to ${entry.type}`);
    if (this.#byName.get(row.name) === row) this.#byName.delete(row.name);
    if (entry.type === "drop") this.#put({ ...row, state: "dropped", lsn, droppedLsn: lsn });
    else if (entry.type === "rename") this.#put({ ...row, name: entry.name, lsn });
    else this.#put({ ...row, state: "live", lsn });
    this.#changed.add(entry.stream);
  }

  #put(row: CatalogueRow): void {
    this.#rows.set(row.stream, row);
    if (row.state !== "dropped") this.#byName.set(row.name, row);
  }
}

/** The error of a name that another database has. */
export function nameTaken(name: string): StorageError {
  return new StorageError("BOP_EXISTS", `there is a database named ${JSON.stringify(name)}`, {
    details: { name },
  });
}
