/**
 * A CATALOGUE FOR TESTS OF THE PAGE STORE: databases, forks and snapshots, made by real entries of
 * stream 0 in the rig's log, and put into the manifest when a checkpoint asks for it.
 *
 * (1) The page store is told of an entry when it is sealed, and when it is replayed: as by a manager.
 */
import {
  CATALOGUE_STREAM,
  LSN_ZERO,
  type Lsn,
  laterLsn,
  type StreamId,
  streamId,
} from "../base/units.ts";
import {
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
  type ManifestState,
  type SnapshotRow,
} from "../manifest/index.ts";
import type { ReplayedCommit } from "../write/index.ts";
import type { CatalogueDatabaseRow } from "./maintenance.ts";
import type { MemoryLog } from "./memory-log.fixture.ts";
import type { PageStore } from "./page-store.ts";

interface Sealed {
  readonly lsn: Lsn;
  readonly entry: CatalogueEntry;
}

const PAGE_BYTES = 512;

export class CatalogueRig {
  readonly #log: MemoryLog;
  readonly #store: () => PageStore;
  readonly databases = new Map<StreamId, CatalogueDatabaseRow>();
  /** By stream and name. */
  readonly snapshots = new Map<string, SnapshotRow>();
  /** Snapshots that went with their databases, not yet out of the manifest. */
  readonly #gone = new Map<string, SnapshotRow>();
  #unsaved: Sealed[] = [];
  #nextStreamId = 100;

  constructor(log: MemoryLog, store: () => PageStore) {
    this.#log = log;
    this.#store = store;
  }

  /** Numbers that the other has given out are used. */
  after(of: CatalogueRig): void {
    this.#nextStreamId = of.#nextStreamId;
  }

  /** Databases that are not dropped. */
  get live(): StreamId[] {
    return [...this.databases.values()].flatMap(({ stream, state }) =>
      state === "live" ? [stream] : [],
    );
  }

  /** Moments that snapshots keep, of dropped databases too; one of all databases is one of each. */
  get moments(): [StreamId, Lsn][] {
    return [...this.snapshots.values()].flatMap(({ stream, lsn }): [StreamId, Lsn][] => {
      if (stream !== CATALOGUE_STREAM) return [[stream, lsn]];
      return [...this.databases.values()].flatMap((row): [StreamId, Lsn][] => {
        const isThere = row.createdLsn <= lsn && (row.droppedLsn ?? lsn + 1) > lsn;
        return isThere ? [[row.stream, lsn]] : [];
      });
    });
  }

  create(): StreamId {
    const stream = this.#nextStream();
    const of = { stream, name: `tenant-${stream}`, engine: "sqlite", createdAtMs: 0 } as const;
    this.#seal({ type: "create", ...of, pageBytes: PAGE_BYTES, importing: false });
    return stream;
  }

  /** By default, of now. */
  fork(origin: StreamId, lsn: Lsn = this.#log.newestLsn): StreamId {
    const stream = this.#nextStream();
    const family = this.databases.get(origin)?.family ?? origin;
    this.#seal({
      type: "fork",
      stream,
      origin: { stream: origin, lsn },
      family,
      engine: "sqlite",
      pageBytes: PAGE_BYTES,
      importing: false,
      createdAtMs: 0,
      name: `fork-${stream}`,
    });
    return stream;
  }

  /** Of one database, or of all. */
  snapshot(stream: StreamId | 0, name: string): Lsn {
    const lsn = this.#log.newestLsn;
    this.#seal({ type: "snapshot", stream: streamId(stream), lsn, createdAtMs: 0, name });
    return lsn;
  }

  dropSnapshot(stream: StreamId | 0, name: string): void {
    this.#seal({ type: "dropSnapshot", stream: streamId(stream), name });
  }

  drop(stream: StreamId): void {
    this.#seal({ type: "drop", stream });
  }

  removable(lsn: Lsn): StreamId[] {
    return [...this.databases.values()].flatMap(({ stream, droppedLsn }) => {
      const isOver = droppedLsn !== undefined && droppedLsn <= lsn;
      return isOver && !this.#store().isHeld(stream) ? [stream] : [];
    });
  }

  /** Puts what is durable into the manifest. */
  async publish(upTo: Lsn): Promise<void> {
    const saving = this.#unsaved.filter(({ lsn }) => lsn <= upTo);
    if (saving.length === 0) return;
    const streams = new Set(saving.map(({ entry }) => entry.stream));
    const asOf = new Map(this.databases);
    for (const { lsn, entry } of this.#unsaved) {
      const row = asOf.get(entry.stream);
      const isLater = entry.type === "drop" && lsn > upTo && row !== undefined;
      if (isLater) asOf.set(entry.stream, { ...live(row) });
    }
    const put = new Map<string, SnapshotRow>();
    const removed = new Map<string, SnapshotRow>();
    for (const { entry } of saving) {
      if (entry.type !== "snapshot" && entry.type !== "dropSnapshot") continue;
      const key = keyOf(entry);
      if (entry.type === "snapshot") {
        const { stream, name, lsn, createdAtMs } = entry;
        put.set(key, { stream, name, lsn, createdAtMs });
      } else {
        put.delete(key);
        removed.set(key, { ...entry, lsn: LSN_ZERO, createdAtMs: 0 });
      }
    }
    const rows = [...streams].flatMap((stream) => asOf.get(stream) ?? []);
    const isThere = (stream: StreamId) => asOf.get(stream)?.state !== "dropped";
    const gone = this.#ofDropped(saving);
    await this.#store().publishCatalogue({
      catalogueLsn: saving.reduce((newest, { lsn }) => laterLsn(newest, lsn), LSN_ZERO),
      databases: rows,
      snapshots: [...put.values()].filter(({ stream }) => isThere(stream)),
      removedSnapshots: [...removed.values(), ...gone],
      nextStreamId: streamId(this.#nextStreamId + 1000),
      facts: [],
    });
    this.#unsaved = this.#unsaved.filter(({ lsn }) => lsn > upTo);
    for (const row of gone) this.#gone.delete(keyOf(row));
  }

  /** A process has ended, and another begun: what was durable is there. */
  restart(opened: ManifestState, commits: readonly ReplayedCommit[]): void {
    this.databases.clear();
    this.snapshots.clear();
    this.#gone.clear();
    this.#unsaved = [];
    for (const { pageCount: _, lsn: __, flat: ___, ...row } of opened.databases) {
      this.databases.set(row.stream, row);
    }
    for (const row of opened.snapshots) this.snapshots.set(keyOf(row), row);
    for (const { stream, lsn, frames } of commits) {
      const [frame] = frames;
      if (stream !== CATALOGUE_STREAM || frame?.kind !== "entry") continue;
      const entry = decodeCatalogueEntry(frame.payload);
      if (lsn > opened.catalogueLsn) this.#take({ lsn, entry });
      else if (entry.type === "drop") this.#store().forget(entry.stream, lsn);
    }
  }

  #ofDropped(saving: readonly Sealed[]): SnapshotRow[] {
    const rows: SnapshotRow[] = [];
    for (const { entry } of saving) {
      if (entry.type !== "drop") continue;
      for (const row of this.#gone.values()) {
        if (row.stream === entry.stream) rows.push(row);
      }
    }
    return rows;
  }

  #seal(entry: CatalogueEntry): void {
    const frames = this.#log.stage(CATALOGUE_STREAM);
    frames.entry(encodeCatalogueEntry(entry));
    const lsn = frames.seal({ pageCount: 0, pageBytes: 0 });
    this.#take({ lsn, entry });
  }

  #take({ lsn, entry }: Sealed): void {
    this.#unsaved.push({ lsn, entry });
    const store = this.#store();
    const { stream } = entry;
    if (entry.type === "create" || entry.type === "fork") {
      const { name, engine, pageBytes, createdAtMs } = entry;
      const of = { stream, name, engine, pageBytes, createdAtMs, createdLsn: lsn };
      const origin = entry.type === "fork" ? { origin: entry.origin } : {};
      const family = entry.type === "fork" ? entry.family : stream;
      this.databases.set(stream, { ...of, ...origin, family, state: "live" });
      if (entry.type === "fork") store.fork(entry);
    } else if (entry.type === "drop") {
      const row = this.databases.get(stream);
      if (row !== undefined)
        this.databases.set(stream, { ...row, state: "dropped", droppedLsn: lsn });
      for (const [key, snapshot] of this.snapshots) {
        if (snapshot.stream !== stream) continue;
        this.snapshots.delete(key);
        this.#gone.set(key, snapshot);
      }
      store.forget(stream, lsn);
    } else if (entry.type === "snapshot") {
      this.snapshots.set(keyOf(entry), entry);
      store.hold(entry);
    } else if (entry.type === "dropSnapshot") {
      this.snapshots.delete(keyOf(entry));
      store.letGo(entry, lsn);
    }
  }

  #nextStream(): StreamId {
    this.#nextStreamId += 1;
    return streamId(this.#nextStreamId);
  }
}

function keyOf({ stream, name }: { readonly stream: StreamId; readonly name: string }): string {
  return `${stream}/${name}`;
}

function live({ droppedLsn: _, ...row }: CatalogueDatabaseRow): CatalogueDatabaseRow {
  return { ...row, state: "live" };
}
