/**
 * THE CATALOGUE: which databases there are, which was forked from which, and which moments are kept
 * as snapshots. In memory here, in the log as frames of stream 0, and, as of a moment ago, in the
 * manifest (materialiser.ts).
 *
 * (1) Every change is a frame of stream 0 first and shows in memory at once; whoever is told of it
 *     has waited for its LSN.
 * (2) Stream ids are never used again. A dropped database leaves a tombstone until the log that may
 *     hold frames of it is released, and nobody reads through it any more.
 * (3) What a change made is kept, with the fact that the change log tells of it, until it is in the
 *     manifest: `savedLsn` says how far that is, and recovery applies what lies above.
 * (4) The moment of a fork and of a snapshot is the newest commit of any database when its entry is
 *     sealed, or an older one: it is durable when the entry is.
 * (5) Snapshots of a database go with it; those of the store stay.
 */
import { assert, present } from "../../base/assert.ts";
import { CATALOGUE_STREAM, type Lsn, type StreamId, streamId } from "../../base/units.ts";
import {
  type CatalogueEntry,
  type ChangeFact,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
  type ManifestState,
  type SnapshotRow,
} from "../../manifest/index.ts";
import type { Log } from "../../write/index.ts";
import {
  type CatalogueRow,
  factOf,
  factOfSnapshot,
  type NamedMoment,
  type NewDatabase,
  type NewFork,
  nameTaken,
  newRow,
  openedRow,
  type SnapshotChange,
  snapshotTaken,
} from "./catalogue-row.ts";
import { type DatabasesAt, KnownDatabases } from "./known-databases.ts";
import type { DatabaseName } from "./names.ts";
import { SnapshotNames, type SnapshotsAt } from "./snapshot-names.ts";
import { UnsavedEntries, type UnsavedRows } from "./unsaved.ts";

export interface Replacement {
  /** Of an import that is complete. */
  readonly stream: StreamId;
  readonly replaced: StreamId;
  /** What the database that is replaced is called from now on. */
  readonly name: DatabaseName;
}

/** What there was at an LSN that is durable. */
export interface CatalogueAt extends DatabasesAt {
  readonly snapshots: SnapshotsAt;
}

type OpenedCatalogue = Pick<
  ManifestState,
  "databases" | "nextStreamId" | "catalogueLsn" | "snapshots"
>;

type OfSnapshot = Extract<CatalogueEntry, { readonly type: "snapshot" | "dropSnapshot" }>;

export class Catalogue {
  /** For reading; they are changed here. */
  readonly databases: KnownDatabases;
  /** For reading; they are changed here. */
  readonly snapshots: SnapshotNames;
  /** See (3). */
  readonly #unsaved: UnsavedEntries;
  #nextStream: StreamId;
  #log: Log | undefined;
  #follow: (entry: CatalogueEntry, lsn: Lsn) => void = () => {};

  constructor(opened: OpenedCatalogue) {
    this.#nextStream = opened.nextStreamId;
    this.#unsaved = new UnsavedEntries(opened.catalogueLsn, opened.nextStreamId);
    this.databases = new KnownDatabases(opened.databases.map(openedRow));
    this.snapshots = new SnapshotNames(opened.snapshots);
  }

  /** From here on changes go to the log; `follow` hears of each when it is sealed. */
  attach(log: Log, follow: (entry: CatalogueEntry, lsn: Lsn) => void): void {
    this.#log = log;
    this.#follow = follow;
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
    this.#unsaved.noteStream(stream);
  }

  /** What an entry about a record log means to whoever reads the change log. */
  tell(fact: ChangeFact): void {
    const { lsn } = fact;
    if (lsn <= this.#unsaved.savedLsn) return;
    this.#unsaved.push({ lsn, row: undefined, snapshots: [], fact });
  }

  at(durableLsn: Lsn): CatalogueAt {
    return { ...this.databases.at(durableLsn), snapshots: this.snapshots.at(durableLsn) };
  }

  create(wanted: NewDatabase): CatalogueRow {
    if (this.#isTaken(wanted.name)) throw nameTaken(wanted.name);
    const stream = this.#nextStream;
    this.#append({ type: "create", stream, ...wanted });
    return present(this.databases.row(stream), "a created database has a row");
  }

  /** A database that begins as another was at a moment. See (4). */
  fork({ origin, ...wanted }: NewFork): CatalogueRow {
    if (this.#isTaken(wanted.name)) throw nameTaken(wanted.name);
    const { family, engine, pageBytes } = this.databases.live(origin.stream);
    const stream = this.#nextStream;
    this.#append({ type: "fork", stream, origin, family, engine, pageBytes, ...wanted });
    return present(this.databases.row(stream), "a fork has a row");
  }

  /** Returns the LSN at which it is gone. A log without room takes it too. */
  drop(stream: StreamId): Lsn {
    return this.#appendAll([{ type: "drop", stream }], { givesBack: true });
  }

  rename(stream: StreamId, name: DatabaseName): Lsn {
    if (this.#isTaken(name)) throw nameTaken(name);
    return this.#append({ type: "rename", stream, name });
  }

  /** An import is complete: the database is live. */
  publish(stream: StreamId): Lsn {
    return this.#append({ type: "publish", stream });
  }

  /**
   * An import is complete, and takes the name of a database that is live, which gets another one: at
   * one moment, or not at all.
   */
  replace({ stream, replaced, name }: Replacement): Lsn {
    if (this.#isTaken(name)) throw nameTaken(name);
    return this.#appendAll([
      { type: "rename", stream: replaced, name },
      { type: "rename", stream, name: this.databases.live(replaced).name },
      { type: "publish", stream },
    ]);
  }

  /** Keeps a moment of a database, or (stream 0) of all, under a name. See (4). */
  snapshot(wanted: SnapshotRow): NamedMoment {
    const { stream, name } = wanted;
    if (this.snapshots.find(stream, name) !== undefined) throw snapshotTaken(name);
    if (stream !== CATALOGUE_STREAM) this.databases.live(stream);
    this.#append({ type: "snapshot", ...wanted });
    return present(this.snapshots.find(stream, name), "a snapshot that was made is there");
  }

  /** Returns the LSN at which it is gone. */
  dropSnapshot({ stream, name }: NamedMoment): Lsn {
    return this.#append({ type: "dropSnapshot", stream, name });
  }

  /** Takes an entry that recovery met; what is saved is not applied again. */
  replay(
    payload: Uint8Array,
    lsn: Lsn,
  ): { readonly entry: CatalogueEntry; readonly isSaved: boolean } {
    const entry = decodeCatalogueEntry(payload);
    const isSaved = lsn <= this.#unsaved.savedLsn;
    if (!isSaved) this.#apply(entry, lsn);
    return { entry, isSaved };
  }

  /** LSN of the oldest entry that is not in the manifest; undefined if all are. */
  get oldestUnsavedLsn(): Lsn | undefined {
    return this.#unsaved.oldestLsn;
  }

  /** What the manifest lacks of all that is at or below an LSN, which must be durable. */
  unsavedUpTo(lsn: Lsn, entriesMax: number): UnsavedRows {
    return this.#unsaved.upTo(lsn, entriesMax);
  }

  /** What `unsavedUpTo` told is in the manifest now. */
  saved(rows: UnsavedRows): void {
    this.#unsaved.saved(rows);
  }

  /** They are gone from the manifest. */
  removed(tombstones: readonly StreamId[]): void {
    this.databases.remove(tombstones);
  }

  #append(entry: CatalogueEntry): Lsn {
    return this.#appendAll([entry]);
  }

  /** As one commit. */
  #appendAll(entries: readonly CatalogueEntry[], options?: { readonly givesBack: boolean }): Lsn {
    const log = present(this.#log, "the catalogue is changed after the log was attached");
    const frames = log.stage(CATALOGUE_STREAM, options);
    for (const entry of entries) frames.entry(encodeCatalogueEntry(entry));
    const lsn = frames.seal({ pageCount: 0, pageBytes: 0 });
    this.databases.settle(log.durableLsn);
    this.snapshots.settle(log.durableLsn);
    for (const entry of entries) {
      if (!isOfSnapshot(entry)) this.databases.replaceAt(lsn, entry.stream);
      this.#apply(entry, lsn);
      this.#follow(entry, lsn);
    }
    return lsn;
  }

  #apply(entry: CatalogueEntry, lsn: Lsn): void {
    if (isOfSnapshot(entry)) {
      this.#applySnapshot(entry, lsn);
      return;
    }
    assert(entry.type !== "createLog", "record logs have a catalogue of their own");
    if (entry.type === "create" || entry.type === "fork") {
      if (entry.stream >= this.#nextStream) this.#nextStream = streamId(entry.stream + 1);
      this.#change(newRow(entry, lsn), entry);
      return;
    }
    const row = this.databases.row(entry.stream);
    assert(row !== undefined, () => `catalogue: no database ${entry.stream} to ${entry.type}`);
    if (entry.type === "drop") {
      this.#change({ ...row, state: "dropped", lsn, droppedLsn: lsn }, entry);
    } else if (entry.type === "rename") this.#change({ ...row, name: entry.name, lsn }, entry);
    else this.#change({ ...row, state: "live", lsn, createdLsn: lsn }, entry);
  }

  #applySnapshot(entry: OfSnapshot, lsn: Lsn): void {
    const { stream, name } = entry;
    const nameOf = (of: StreamId) => this.#nameOf(of);
    if (entry.type === "snapshot") {
      const { type: kind, ...row } = entry;
      this.snapshots.add({ ...row, entryLsn: lsn });
      const fact = factOfSnapshot(kind, row, { lsn, nameOf });
      this.#unsaved.push({ lsn, row: undefined, snapshots: [{ stream, name, row }], fact });
      return;
    }
    const row = present(this.snapshots.find(stream, name), "a snapshot that is dropped is there");
    this.snapshots.remove(row, lsn);
    const fact = factOfSnapshot("snapshot-dropped", row, { lsn, nameOf });
    const gone = { stream, name, row: undefined };
    this.#unsaved.push({ lsn, row: undefined, snapshots: [gone], fact });
  }

  /** See (3) and (5). */
  #change(row: CatalogueRow, entry: Parameters<typeof factOf>[0]): void {
    const { lsn, stream } = row;
    const nameOf = (of: StreamId) => this.#nameOf(of);
    const fact = factOf(entry, { row, before: this.databases.row(stream), nameOf });
    const gone: SnapshotChange[] = [];
    if (entry.type === "drop") {
      for (const snapshot of this.snapshots.of(stream)) {
        this.snapshots.remove(snapshot, lsn);
        gone.push({ stream, name: snapshot.name, row: undefined });
      }
    }
    this.#unsaved.push({ lsn, row, snapshots: gone, fact });
    this.databases.put(row);
  }

  #isTaken(name: DatabaseName): boolean {
    return this.databases.find(name) !== undefined;
  }

  #nameOf(stream: StreamId): string {
    return this.databases.row(stream)?.name ?? "";
  }
}

function isOfSnapshot(entry: CatalogueEntry): entry is OfSnapshot {
  return entry.type === "snapshot" || entry.type === "dropSnapshot";
}
