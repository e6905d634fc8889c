/**
 * ENTRIES OF THE CATALOGUE THAT ARE NOT IN THE MANIFEST, with what each made and the fact that the
 * change log is to tell of it.
 *
 * (1) They are in order of LSN, and leave in that order: `savedLsn` says how far that is, and
 *     recovery applies what lies above. Entries of one commit leave together.
 */
import { type Lsn, type StreamId, streamId } from "../../base/units.ts";
import type { ChangeFact, SnapshotKey, SnapshotRow } from "../../manifest/index.ts";
import type { CatalogueRow, SnapshotChange } from "./catalogue-row.ts";

export interface Unsaved {
  readonly lsn: Lsn;
  /** Undefined for one that changes no database: a record log's (log-catalogue.ts), a snapshot's. */
  readonly row: CatalogueRow | undefined;
  readonly snapshots: readonly SnapshotChange[];
  /** Undefined for what nobody can see, as the beginning of an import. */
  readonly fact: ChangeFact | undefined;
}

/** What the manifest lacks, as of an LSN. */
export interface UnsavedRows {
  readonly lsn: Lsn;
  readonly rows: readonly CatalogueRow[];
  readonly snapshots: readonly SnapshotRow[];
  readonly removedSnapshots: readonly SnapshotKey[];
  readonly facts: readonly ChangeFact[];
  readonly nextStreamId: StreamId;
}

export class UnsavedEntries {
  #list: Unsaved[] = [];
  #savedLsn: Lsn;
  #savedNextStream: StreamId;

  constructor(savedLsn: Lsn, nextStreamId: StreamId) {
    this.#savedLsn = savedLsn;
    this.#savedNextStream = nextStreamId;
  }

  get savedLsn(): Lsn {
    return this.#savedLsn;
  }

  get oldestLsn(): Lsn | undefined {
    return this.#list[0]?.lsn;
  }

  push(entry: Unsaved): void {
    this.#list.push(entry);
  }

  /** The manifest may already say that this one was given out. */
  noteStream(stream: StreamId): void {
    if (stream >= this.#savedNextStream) this.#savedNextStream = streamId(stream + 1);
  }

  /** What the manifest lacks of all that is at or below an LSN, which must be durable. */
  upTo(lsn: Lsn, entriesMax: number): UnsavedRows {
    const rows = new Map<StreamId, CatalogueRow>();
    const snapshots = new Map<string, SnapshotChange>();
    const facts: ChangeFact[] = [];
    let nextStreamId = this.#savedNextStream;
    let [upTo, last] = [lsn, this.#savedLsn];
    for (const [index, { lsn: at, row, snapshots: changed, fact }] of this.#list.entries()) {
      if (at > lsn) break;
      if (index >= entriesMax && at > last) {
        upTo = last;
        break;
      }
      last = at;
      if (fact !== undefined) facts.push(fact);
      for (const change of changed) snapshots.set(`${change.stream} ${change.name}`, change);
      if (row === undefined) continue;
      rows.set(row.stream, row);
      if (row.stream >= nextStreamId) nextStreamId = streamId(row.stream + 1);
    }
    return { lsn: upTo, rows: [...rows.values()], ...apart(snapshots), facts, nextStreamId };
  }

  /** What `upTo` told is in the manifest now. */
  saved({ lsn, nextStreamId }: UnsavedRows): void {
    const first = this.#list.findIndex(({ lsn: at }) => at > lsn);
    this.#list = first < 0 ? [] : this.#list.slice(first);
    this.#savedLsn = lsn;
    if (nextStreamId > this.#savedNextStream) this.#savedNextStream = nextStreamId;
  }
}

function apart(changes: ReadonlyMap<string, SnapshotChange>) {
  const snapshots: SnapshotRow[] = [];
  const removedSnapshots: SnapshotKey[] = [];
  for (const { stream, name, row } of changes.values()) {
    if (row === undefined) removedSnapshots.push({ stream, name });
    else snapshots.push(row);
  }
  return { snapshots, removedSnapshots };
}
