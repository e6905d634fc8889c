/**
 * THE CATALOGUE: which databases there are, which was forked from which, and which moments are kept
 * as snapshots. In memory here, in the log as frames of stream 0, and, as of a moment ago, in the
 * manifest (materialiser.ts).
 *
 * (1) Every change is a frame of stream 0 first and shows in memory at once; whoever is told of it
 *     has waited for its LSN.
 * (2) Stream ids are never used again. A dropped database leaves a tombstone until the log that may
 *     hold frames of it is released, and nobody reads through it any more.
 * (3) A name belongs to one database that is live or being imported.
 * (4) What a change replaced is kept until the change is durable: lists show durable rows only.
 * (5) What a change made is kept, with the fact that the change log tells of it, until it is in the
 *     manifest: `catalogueLsn` says how far that is, and recovery applies what lies above.
 * (6) The moment of a fork and of a snapshot is the newest commit of any database when its entry is
 *     sealed, or an older one: it is durable when the entry is.
 * (7) Snapshots of a database go with it; those of the store stay.
 *
 * It is over 400 lines because every kind of change reaches memory, log and manifest by the same way.
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
import { compare, NameIndex } from "./name-index.ts";
import type { DatabaseName } from "./names.ts";
import { SnapshotNames, type SnapshotsAt } from "./snapshot-names.ts";
import { UnsavedEntries, type UnsavedRows } from "./unsaved.ts";

export interface ListPage {
  readonly durableLsn: Lsn;
  readonly prefix: string;
  /** Only names behind it. */
  readonly after: string;
  readonly limit: number;
}

export interface Replacement {
  /** Of an import that is complete. */
  readonly stream: StreamId;
  readonly replaced: StreamId;
  /** What the database that is replaced is called from now on. */
  readonly name: DatabaseName;
}

/** Databases as they were at an LSN that is durable. */
export interface CatalogueAt {
  /** Undefined for one that was not there yet, and for one whose tombstone is gone. */
  row(stream: StreamId): CatalogueRow | undefined;
  /** Those of a family, tombstones included, in no order. */
  family(family: StreamId): CatalogueRow[];
  /** Roots of families with more than one member. */
  roots(): StreamId[];
  readonly snapshots: SnapshotsAt;
}

type OpenedCatalogue = Pick<
  ManifestState,
  "databases" | "nextStreamId" | "catalogueLsn" | "snapshots"
>;

type OfSnapshot = Extract<CatalogueEntry, { readonly type: "snapshot" | "dropSnapshot" }>;

export class Catalogue {
  readonly snapshots: SnapshotNames;
  readonly #rows = new Map<StreamId, CatalogueRow>();
  readonly #byName = new NameIndex<CatalogueRow>();
  /** Tombstones, and imports that have not ended: few of many. */
  readonly #rare = new Set<StreamId>();
  /** See (4). In order of LSN. */
  readonly #replaced: { readonly lsn: Lsn; readonly stream: StreamId; row?: CatalogueRow }[] = [];
  /** See (5). */
  readonly #unsaved: UnsavedEntries;
  #nextStream: StreamId;
  #log: Log | undefined;
  #follow: (entry: CatalogueEntry, lsn: Lsn) => void = () => {};

  constructor(opened: OpenedCatalogue) {
    this.#nextStream = opened.nextStreamId;
    this.#unsaved = new UnsavedEntries(opened.catalogueLsn, opened.nextStreamId);
    this.snapshots = new SnapshotNames(opened.snapshots);
    for (const row of opened.databases) {
      this.#put(openedRow(row));
    }
  }

  /** From here on changes go to the log; `follow` hears of each when it is sealed. */
  attach(log: Log, follow: (entry: CatalogueEntry, lsn: Lsn) => void): void {
    this.#log = log;
    this.#follow = follow;
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
    this.#unsaved.noteStream(stream);
  }

  /** What an entry about a record log means to whoever reads the change log. */
  tell(fact: ChangeFact): void {
    const { lsn } = fact;
    if (lsn <= this.#unsaved.savedLsn) return;
    this.#unsaved.push({ lsn, row: undefined, snapshots: [], fact });
  }

  find(name: DatabaseName): CatalogueRow | undefined {
    return this.#byName.get(name);
  }

  row(stream: StreamId): CatalogueRow | undefined {
    return this.#rows.get(stream);
  }

  /** All that there are, tombstones included. */
  rows(): Iterable<CatalogueRow> {
    return this.#rows.values();
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

  /** What there was at an LSN that is durable. */
  at(durableLsn: Lsn): CatalogueAt {
    const undone = this.#undone(durableLsn);
    const row = (stream: StreamId) =>
      undone.has(stream) ? undone.get(stream) : this.#rows.get(stream);
    const all = (): CatalogueRow[] => [...this.#rows.keys()].flatMap((stream) => row(stream) ?? []);
    return {
      row,
      family: (family) => all().filter((member) => member.family === family),
      roots: () => {
        const forks = all().filter(({ stream, family }) => stream !== family);
        return [...new Set(forks.map(({ family }) => family))];
      },
      snapshots: this.snapshots.at(durableLsn),
    };
  }

  create(wanted: NewDatabase): CatalogueRow {
    if (this.#byName.has(wanted.name)) throw nameTaken(wanted.name);
    const stream = this.#nextStream;
    this.#append({ type: "create", stream, ...wanted });
    return present(this.#rows.get(stream), "a created database has a row");
  }

  /** A database that begins as another was at a moment. See (6). */
  fork({ origin, ...wanted }: NewFork): CatalogueRow {
    if (this.#byName.has(wanted.name)) throw nameTaken(wanted.name);
    const { family, engine, pageBytes } = this.#live(origin.stream);
    const stream = this.#nextStream;
    this.#append({ type: "fork", stream, origin, family, engine, pageBytes, ...wanted });
    return present(this.#rows.get(stream), "a fork has a row");
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

  /**
   * An import is complete, and takes the name of a database that is live, which gets another one: at
   * one moment, or not at all.
   */
  replace({ stream, replaced, name }: Replacement): Lsn {
    if (this.#byName.has(name)) throw nameTaken(name);
    return this.#appendAll([
      { type: "rename", stream: replaced, name },
      { type: "rename", stream, name: this.#live(replaced).name },
      { type: "publish", stream },
    ]);
  }

  /** Keeps a moment of a database, or (stream 0) of all, under a name. See (6). */
  snapshot(wanted: SnapshotRow): NamedMoment {
    const { stream, name } = wanted;
    if (this.snapshots.find(stream, name) !== undefined) throw snapshotTaken(name);
    if (stream !== CATALOGUE_STREAM) this.#live(stream);
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

  /** Tombstones that a checkpoint at `lsn` removes, unless somebody reads through them. */
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
    return this.#appendAll([entry]);
  }

  /** As one commit. */
  #appendAll(entries: readonly CatalogueEntry[]): Lsn {
    const log = present(this.#log, "the catalogue is changed after the log was attached");
    const frames = log.stage(CATALOGUE_STREAM);
    for (const entry of entries) frames.entry(encodeCatalogueEntry(entry));
    const lsn = frames.seal({ pageCount: 0, pageBytes: 0 });
    this.snapshots.settle(log.durableLsn);
    while ((this.#replaced[0]?.lsn ?? lsn) <= log.durableLsn) this.#replaced.shift();
    for (const entry of entries) {
      if (!isOfSnapshot(entry)) {
        const row = this.#rows.get(entry.stream);
        this.#replaced.push({ lsn, stream: entry.stream, ...(row && { row }) });
      }
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
    const row = this.#rows.get(entry.stream);
    assert(row !== undefined, () => `catalogue: no database ${entry.stream} to ${entry.type}`);
    if (this.#byName.get(row.name) === row) this.#byName.delete(row.name);
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

  /** See (5) and (7). */
  #change(row: CatalogueRow, entry: Parameters<typeof factOf>[0]): void {
    const { lsn, stream } = row;
    const nameOf = (of: StreamId) => this.#nameOf(of);
    const fact = factOf(entry, { row, before: this.#rows.get(stream), nameOf });
    const gone: SnapshotChange[] = [];
    if (entry.type === "drop") {
      for (const snapshot of this.snapshots.of(stream)) {
        this.snapshots.remove(snapshot, lsn);
        gone.push({ stream, name: snapshot.name, row: undefined });
      }
    }
    this.#unsaved.push({ lsn, row, snapshots: gone, fact });
    this.#put(row);
  }

  #live(stream: StreamId): CatalogueRow {
    const row = this.#rows.get(stream);
    assert(row?.state === "live", () => `catalogue: database ${stream} is not live`);
    return row;
  }

  #nameOf(stream: StreamId): string {
    return this.#rows.get(stream)?.name ?? "";
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

function isOfSnapshot(entry: CatalogueEntry): entry is OfSnapshot {
  return entry.type === "snapshot" || entry.type === "dropSnapshot";
}
