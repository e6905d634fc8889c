/**
 * SNAPSHOTS: moments under names, of one database or of all, and the moments that are open.
 *
 * (1) A snapshot costs one entry of the catalogue, whatever it is of. Its moment is the newest commit
 *     in memory at the instant at which the entry is sealed: both are durable together, and only then
 *     is anybody told.
 * (2) Who names a snapshot of a database gets its own, and else the store's of that name, if the
 *     database was there at that moment.
 * (3) An open moment stays open when its snapshot is dropped, until it is closed itself. When its
 *     database is dropped, it is over.
 */
import { StorageError } from "../../base/errors.ts";
import { CATALOGUE_STREAM, type Lsn, type StreamId } from "../../base/units.ts";
import type { PageStore } from "../../page-store/index.ts";
import type { Log } from "../../write/index.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import type { CatalogueRow, NamedMoment } from "../catalogue/catalogue-row.ts";
import { snapshotName } from "../catalogue/names.ts";
import type { Door } from "../opening/door.ts";
import type { Fleet } from "../queries/fleet.ts";
import type { OpenDatabase } from "../queries/open-database.ts";
import type { SnapshotInfo } from "./family.ts";
import { FrozenDatabase, FrozenMoment } from "./frozen-database.ts";

export interface SnapshotGround {
  readonly catalogue: Catalogue;
  readonly pages: Pick<PageStore, "view">;
  readonly log: Pick<Log, "newestLsn" | "durableLsn">;
  readonly door: Door;
  readonly fleet: Fleet;
  readonly wallMs: () => number;
  /** Throws once the store is closed. */
  readonly assertOpen: () => void;
  /** Resolves when everything up to the LSN is durable, at the level of that database or store. */
  readonly durable: (lsn: Lsn, stream: StreamId) => Promise<void>;
}

export class Snapshots {
  readonly #ground: SnapshotGround;

  constructor(ground: SnapshotGround) {
    this.#ground = ground;
  }

  /** Of a database, or of the store. `ready` is called when nothing can come between any more. */
  async take(stream: StreamId, name: string, ready: () => void = () => {}): Promise<SnapshotInfo> {
    const { catalogue, log, door, wallMs, durable } = this.#ground;
    const checked = snapshotName(name);
    const opened = door.enter();
    if (opened !== undefined) await opened;
    ready();
    const lsn = log.newestLsn;
    const row = catalogue.snapshot({ stream, name: checked, lsn, createdAtMs: wallMs() });
    await durable(row.entryLsn, stream);
    return snapshotInfo(row);
  }

  /** Those that a database can be read at, its own first; of the store those of the store. */
  async list(stream: StreamId): Promise<SnapshotInfo[]> {
    const { catalogue, log, assertOpen, durable } = this.#ground;
    assertOpen();
    const { durableLsn } = log;
    const { snapshots, row } = catalogue.at(durableLsn);
    const own = snapshots.of(stream);
    const ofStore = stream === CATALOGUE_STREAM ? [] : snapshots.of(CATALOGUE_STREAM);
    const others = ofStore.filter((it) => wasThere(row(stream), it));
    const found = [...own, ...others].map(snapshotInfo);
    await durable(durableLsn, stream);
    return found;
  }

  /** Only its own: a snapshot of the store is not one database's to drop. */
  async drop(stream: StreamId, name: string): Promise<void> {
    const { catalogue, door, durable } = this.#ground;
    const checked = snapshotName(name);
    const opened = door.enter();
    if (opened !== undefined) await opened;
    const found = catalogue.snapshots.find(stream, checked);
    if (found === undefined) throw this.#notFound(stream, checked);
    await durable(catalogue.dropSnapshot(found), stream);
  }

  /** See (2). */
  find(stream: StreamId, name: string): NamedMoment {
    const { catalogue } = this.#ground;
    const checked = snapshotName(name);
    const own = catalogue.snapshots.find(stream, checked);
    if (own !== undefined) return own;
    const common = catalogue.snapshots.find(CATALOGUE_STREAM, checked);
    if (common !== undefined && wasThere(catalogue.databases.row(stream), common)) return common;
    throw this.#notFound(stream, checked);
  }

  async open(database: OpenDatabase, name: string): Promise<FrozenDatabase> {
    const { pages, fleet, durable, assertOpen } = this.#ground;
    assertOpen();
    database.assertOpen();
    const { stream } = database.options;
    const found = this.find(stream, name);
    const info = snapshotInfo(found);
    const live = { ...database.options, level: database.level };
    const moment = new FrozenMoment(live, pages.view(stream, found.lsn), info);
    fleet.freeze(stream, moment);
    try {
      await durable(found.entryLsn, stream);
    } catch (error) {
      moment.close();
      throw error;
    }
    moment.database.assertOpen();
    return new FrozenDatabase(moment);
  }

  #notFound(stream: StreamId, snapshot: string): StorageError {
    const database = this.#ground.catalogue.databases.row(stream)?.name ?? "";
    const where =
      stream === CATALOGUE_STREAM ? "the store" : `database ${JSON.stringify(database)}`;
    const message = `there is no snapshot named ${JSON.stringify(snapshot)} of ${where}`;
    return new StorageError("BOP_NOT_FOUND", message, { details: { database, snapshot } });
  }
}

export function snapshotInfo({ stream, name, lsn, createdAtMs }: NamedMoment): SnapshotInfo {
  const scope = stream === CATALOGUE_STREAM ? "store" : "database";
  return { name, scope, lsn, createdAt: new Date(createdAtMs) };
}

/** A database that came into being after a moment of the store is not in it. */
function wasThere(row: CatalogueRow | undefined, { lsn }: NamedMoment): boolean {
  return row !== undefined && row.createdLsn <= lsn;
}
