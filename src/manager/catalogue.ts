/**
 * THE CATALOGUE: which databases there are. In memory here, in the log as frames of stream 0, and,
 * as of a moment ago, in the manifest (materialiser.ts).
 *
 * (1) Every change is a frame of stream 0 first and shows in memory at once; whoever is told of it
 *     has waited for its LSN.
 * (2) Stream ids are never used again. A dropped database leaves a tombstone until the log that may
 *     hold frames of it is released.
 * (3) A name belongs to one database that is live or being imported.
 * (4) What a change replaced is kept until the change is durable: lists show durable rows only.
 * (5) What a change made is kept, with the fact that the change log tells of it, until it is in the
 *     manifest: `catalogueLsn` says how far that is, and recovery applies what lies above.
 */
import { assert, present } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import { CATALOGUE_STREAM, LSN_ZERO, type Lsn, type StreamId, streamId } from "../base/units.ts";
import {
  type CatalogueEntry,
  type ChangeFact,
  type DatabaseRow,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
  type ManifestState,
} from "../manifest/index.ts";
import type { EngineKind } from "../sqlite/index.ts";
import type { Log } from "../write/index.ts";
import { compare, NameIndex } from "./name-index.ts";
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

/** An entry that is not in the manifest: the row that it made, and what it means to others. */
interface Unsaved {
  readonly lsn: Lsn;
  /** Undefined for one about a record log, whose rows are its own (log-catalogue.ts). */
  readonly row: CatalogueRow | undefined;
  /** Undefined for what nobody can see, as the beginning of an import. */
  readonly fact: ChangeFact | undefined;
}

/** What the manifest lacks, as of an LSN. */
export interface UnsavedRows {
  readonly lsn: Lsn;
  readonly rows: readonly CatalogueRow[];
  readonly facts: readonly ChangeFact[];
  readonly nextStreamId: StreamId;
}

export interface ListPage {
  readonly durableLsn: Lsn;
  readonly prefix: string;
  /** Only names behind it. */
  readonly after: string;
  readonly limit: number;
}

export class Catalogue {
  readonly #rows = new Map<StreamId, CatalogueRow>();
  readonly #byName = new NameIndex<CatalogueRow>();
  /** Tombstones, and imports that have not ended: few of many. */
  readonly #rare = new Set<StreamId>();
  /** See (4). In order of LSN. */
  readonly #replaced: { readonly lsn: Lsn; readonly stream: StreamId; row?: CatalogueRow }[] = [];
  /** See (5). In order of LSN. */
  #unsaved: Unsaved[] = [];
  #savedLsn: Lsn;
  #nextStream: StreamId;
  #savedNextStream: StreamId;
  #log: Log | undefined;

  constructor(opened: Pick<ManifestState, "databases" | "nextStreamId" | "catalogueLsn">) {
    this.#nextStream = opened.nextStreamId;
    this.#savedNextStream = opened.nextStreamId;
    this.#savedLsn = opened.catalogueLsn;
    for (const row of opened.databases) {
      const { stream, engine, pageBytes, createdAtMs, state, name, droppedLsn } = row;
      const lsn = LSN_ZERO;
      this.#put({ stream, engine, pageBytes, createdAtMs, state, name, lsn, droppedLsn });
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

  /** A stream that is no database: a record log takes it. */
  takeStream(): StreamId {
    const stream = this.#nextStream;
    this.noteStream(stream);
    return stream;
  }

  /** This one was given out; the manifest may already say so. */
  noteStream(stream: StreamId): void {
    if (stream >= this.#nextStream) this.#nextStream = streamId(stream + 1);
    if (stream >= this.#savedNextStream) this.#savedNextStream = streamId(stream + 1);
  }

  /** What an entry about a record log means to whoever reads the change log. */
  tell(fact: ChangeFact): void {
    const { lsn } = fact;
    if (lsn > this.#savedLsn) this.#unsaved.push({ lsn, row: undefined, fact });
  }

  find(name: DatabaseName): CatalogueRow | undefined {
    return this.#byName.get(name);
  }

  row(stream: StreamId): CatalogueRow | undefined {
    return this.#rows.get(stream);
  }

  /** Tombstones. */
  dropped(): CatalogueRow[] {
    return this.#rareOnes().filter(({ state }) => state === "dropped");
  }

  /** Those whose import has not ended. */
  importing(): CatalogueRow[] {
    return this.#rareOnes().filter(({ state }) => state === "importing");
  }

  /** Live ones as they were at an LSN that is durable, in order of name, a page of them. See (4). */
  page(wanted: ListPage): CatalogueRow[] {
    const { durableLsn, prefix, after, limit } = wanted;
    const isWanted = ({ name }: CatalogueRow) => name > after && name.startsWith(prefix);
    const undone = this.#undone(durableLsn);
    const former = [...undone.values()].flatMap((row) =>
      row?.state === "live" && isWanted(row) ? [row] : [],
    );
    const page: CatalogueRow[] = [];
    for (const [name, row] of this.#byName.from(compare(after, prefix) < 0 ? prefix : after)) {
      if (page.length === limit || !(name.startsWith(prefix) || name < prefix)) break;
      if (row.state === "live" && isWanted(row) && !undone.has(row.stream)) page.push(row);
    }
    if (former.length === 0) return page;
    return [...page, ...former].sort((a, b) => compare(a.name, b.name)).slice(0, limit);
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

  /** Takes an entry that recovery met; returns what it says. What is saved is not applied again. */
  replay(payload: Uint8Array, lsn: Lsn): CatalogueEntry {
    const entry = decodeCatalogueEntry(payload);
    if (lsn > this.#savedLsn) this.#apply(entry, lsn);
    return entry;
  }

  /** LSN of the oldest entry that is not in the manifest; undefined if all are. */
  get oldestUnsavedLsn(): Lsn | undefined {
    return this.#unsaved[0]?.lsn;
  }

  /** What the manifest lacks of all that is at or below an LSN, which must be durable. */
  unsavedUpTo(lsn: Lsn, entriesMax: number): UnsavedRows {
    const rows = new Map<StreamId, CatalogueRow>();
    const facts: ChangeFact[] = [];
    let nextStreamId = this.#savedNextStream;
    let [upTo, last] = [lsn, this.#savedLsn];
    for (const [index, { lsn: at, row, fact }] of this.#unsaved.entries()) {
      if (at > lsn) break;
      if (index === entriesMax) {
        upTo = last;
        break;
      }
      last = at;
      if (fact !== undefined) facts.push(fact);
      if (row === undefined) continue;
      rows.set(row.stream, row);
      if (row.stream >= nextStreamId) nextStreamId = streamId(row.stream + 1);
    }
    return { lsn: upTo, rows: [...rows.values()], facts, nextStreamId };
  }

  /** What `unsavedUpTo` told is in the manifest now. */
  saved({ lsn, nextStreamId }: UnsavedRows): void {
    const first = this.#unsaved.findIndex(({ lsn: at }) => at > lsn);
    this.#unsaved = first < 0 ? [] : this.#unsaved.slice(first);
    this.#savedLsn = lsn;
    if (nextStreamId > this.#savedNextStream) this.#savedNextStream = nextStreamId;
  }

  /** Tombstones that a checkpoint at `lsn` removes. */
  removableAt(lsn: Lsn): StreamId[] {
    return this.#rareOnes().flatMap(({ stream, droppedLsn }) =>
      droppedLsn !== undefined && droppedLsn <= lsn ? [stream] : [],
    );
  }

  /** They are gone from the manifest. */
  removed(streams: readonly StreamId[]): void {
    for (const stream of streams) {
      this.#rows.delete(stream);
      this.#rare.delete(stream);
    }
  }

  /** Rows that changed behind the LSN, as they were at it: undefined where there was none. */
  #undone(durableLsn: Lsn): Map<StreamId, CatalogueRow | undefined> {
    const undone = new Map<StreamId, CatalogueRow | undefined>();
    for (const { lsn, stream, row } of this.#replaced) {
      if (lsn > durableLsn && !undone.has(stream)) undone.set(stream, row);
    }
    return undone;
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
      const state = importing ? "importing" : "live";
      if (entry.stream >= this.#nextStream) this.#nextStream = streamId(entry.stream + 1);
      this.#change({ ...rest, state, lsn, droppedLsn: undefined }, entry);
      return;
    }
    const row = this.#rows.get(entry.stream);
    assert(row !== undefined, () => `catalogue: no database ${entry.stream} to ${entry.type}`);
    if (this.#byName.get(row.name) === row) this.#byName.delete(row.name);
    if (entry.type === "drop") {
      this.#change({ ...row, state: "dropped", lsn, droppedLsn: lsn }, entry);
    } else if (entry.type === "rename") this.#change({ ...row, name: entry.name, lsn }, entry);
    else this.#change({ ...row, state: "live", lsn }, entry);
  }

  /** See (5). */
  #change(row: CatalogueRow, entry: CatalogueEntry): void {
    const fact = factOf(entry, { row, before: this.#rows.get(row.stream) });
    this.#unsaved.push({ lsn: row.lsn, row, fact });
    this.#put(row);
  }

  #rareOnes(): CatalogueRow[] {
    return [...this.#rare].map((stream) => present(this.#rows.get(stream), "it has a row"));
  }

  #put(row: CatalogueRow): void {
    this.#rows.set(row.stream, row);
    if (row.state !== "live") this.#rare.add(row.stream);
    else this.#rare.delete(row.stream);
    if (row.state !== "dropped") this.#byName.set(row.name, row);
  }
}

/** What an entry means to whoever reads the change log. */
function factOf(
  { type }: CatalogueEntry,
  { row, before }: { readonly row: CatalogueRow; readonly before: CatalogueRow | undefined },
): ChangeFact | undefined {
  const { lsn, stream, name, engine, state } = row;
  switch (type) {
    case "create":
      return state === "live" ? { kind: "created", lsn, stream, engine, name } : undefined;
    case "publish":
      return { kind: "imported", lsn, stream, engine, name };
    case "rename":
      return { kind: "renamed", lsn, stream, name, previousName: before?.name ?? name };
    default:
      // What was never seen is not missed.
      return before?.state === "live" ? { kind: "dropped", lsn, stream, name } : undefined;
  }
}

/** The error of a name that another database has. */
export function nameTaken(name: string): StorageError {
  return new StorageError("BOP_EXISTS", `there is a database named ${JSON.stringify(name)}`, {
    details: { name },
  });
}
