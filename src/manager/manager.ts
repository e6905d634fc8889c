/**
 * THE MANAGER: databases by name, over an open store.
 *
 * (1) Every call that names a database checks the name first, then the state of the store.
 * (2) A change of the catalogue is told to its caller when it is durable.
 * (3) Nobody is shown a database whose creation is not durable, except who created it.
 */
import type { Env } from "../base/env.ts";
import { CATALOGUE_STREAM, type Lsn, type StreamId } from "../base/units.ts";
import type { LogMember, LogWritten, RecordLog } from "../record-log/index.ts";
import type { RestorePoints } from "../restore/index.ts";
import type { ObjectStore } from "../sink/index.ts";
import { openSqliteFile } from "../sqlite-file/index.ts";
import type { Database, DatabaseInfo, DatabaseOptions } from "./api/database.ts";
import type { Diagnostics } from "./api/diagnostics.ts";
import type { LogInfo, LogOptions } from "./api/logs.ts";
import type { ListOptions, Manager as ManagerApi } from "./api/manager.ts";
import { type CatalogueRow, nameTaken } from "./catalogue/catalogue-row.ts";
import { infoOf } from "./catalogue/database-info.ts";
import { type DatabaseName, databaseName } from "./catalogue/names.ts";
import {
  beingImported,
  checkedPageBytes,
  notFound,
  refuseMismatch,
  unsureOfCreation,
} from "./catalogue/refusals.ts";
import type { Change, ChangesOptions, CursorInfo, CursorOptions } from "./changes/change.ts";
import type { CollectOptions, CollectReport, FamilyNode, SnapshotInfo } from "./families/family.ts";
import { collect, treesOf, withSizes } from "./families/relations.ts";
import { type Durability, type DurableOptions, durabilityOf } from "./gates/durability.ts";
import { waitDurable } from "./gates/wait-durable.ts";
import type { JobHandle, JobInfo } from "./jobs/job.ts";
import { maxBacklog } from "./limit-options.ts";
import { pageWanted } from "./list-page.ts";
import { openStore } from "./opening/opening.ts";
import { assertPath, yesOrNo } from "./option-values.ts";
import type { ManagerOptions } from "./options.ts";
import { DatabaseHandle } from "./queries/database.ts";
import { refuseUnknown } from "./refuse-unknown.ts";
import { engineKind, resolveManagerOptions } from "./resolve-options.ts";
import type { ScrubReport, ScrubRequest } from "./scrub/scrub.ts";
import { scrubNow } from "./scrub/store-scrub.ts";
import { pointsOf, restoreInto, restoreWhole } from "./shipping/restore.ts";
import type {
  DatabaseRestoreOptions,
  DatabaseRestoreReport,
  RestoreOptions,
  RestoreReport,
} from "./shipping/restore-options.ts";
import type { DeadLetterInfo } from "./shipping/sink-facts.ts";
import { deadLettersOf, letterKeeper } from "./shipping/store-shipping.ts";
import type { Store } from "./store.ts";
import { importFile } from "./transfer/import.ts";
import { TRANSFER_OPTIONS, type TransferOptions } from "./transfer/transfer-options.ts";

const DEFAULT_PAGE_BYTES = 4096;
const DATABASE_OPTIONS = ["engine", "pageBytes", "create", "maxBacklogBytes", "durability"];

/** A store in the hands of its one owner. Made by `Manager.open`. */
export interface Manager extends ManagerApi {}

export const Manager = Object.freeze({
  /**
   * Opens the store that lies in a directory, or makes one. Recovers what a crash has left.
   *
   * Throws TypeError and RangeError for options; BOP_LOCKED if somebody alive owns the directory;
   * BOP_CORRUPT if stored bytes are not what was written; BOP_FORMAT for files of a newer version;
   * BOP_IO and BOP_DISK_FULL.
   */
  async open(options: ManagerOptions): Promise<Manager> {
    const resolved = resolveManagerOptions(options);
    return new StoreManager(await openStore(resolved));
  },

  /**
   * Restores a whole store, as it was at a moment, from where it was shipped to, into a directory
   * that is empty: open it then. One that was cut off begins again where it was. See docs/restore.md.
   *
   * Throws TypeError and RangeError for options; BOP_NO_RESTORE_POINT for a moment that is not there;
   * BOP_EXISTS for a directory that holds something; BOP_SINK_… for what the sink does, BOP_IO and
   * BOP_DISK_FULL.
   */
  restore(options: RestoreOptions): Promise<RestoreReport> {
    return restoreWhole(options);
  },

  /** The moments that can be restored from there. Throws BOP_NO_RESTORE_POINT if there is nothing. */
  restorePoints(
    from: string | ObjectStore,
    options?: { readonly env?: Env; readonly signal?: AbortSignal },
  ): Promise<RestorePoints> {
    return pointsOf(from, options);
  },
});

export class StoreManager implements Manager {
  readonly #store: Store;
  #closing: Promise<void> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  get directory(): string {
    return this.#store.options.directory;
  }

  async database(name: string, options: DatabaseOptions = {}): Promise<Database> {
    refuseUnknown("database", options, DATABASE_OPTIONS);
    const mayCreate = yesOrNo("database: create", options.create) ?? true;
    const checked = databaseName(name);
    const { maxBacklogBytes } = options;
    const level = options.durability && durabilityOf("database", options.durability);
    if (maxBacklogBytes !== undefined) maxBacklog({ maxBacklogBytes });
    const store = this.#store;
    if (level !== undefined) store.levels.gateOf(level);
    store.lifecycle.assertOpen();
    let row = store.catalogue.databases.find(checked);
    if (row === undefined) {
      if (!mayCreate) throw notFound(checked);
      const opened = store.door.enter();
      if (opened !== undefined) await opened;
      row = store.catalogue.databases.find(checked); // Another may have made it meanwhile.
    }
    if (row?.state === "importing") throw beingImported(checked);
    if (row !== undefined) {
      refuseMismatch(row, options);
      return this.#hand(row, { level, maxBacklogBytes });
    }
    const created = this.#create(checked, options);
    return this.#hand(created, { level, maxBacklogBytes }).catch((error: unknown) => {
      const { durableLsn } = store.parts.log;
      throw unsureOfCreation(checked, { lsn: created.lsn, durableLsn }, error);
    });
  }

  async list(options: ListOptions = {}): Promise<DatabaseInfo[]> {
    const wanted = pageWanted("list", options);
    const store = this.#store;
    store.lifecycle.assertOpen();
    const { databases } = store.catalogue;
    const page = () => databases.page({ durableLsn: store.gate.durableLsn, ...wanted });
    const rows = await withSizes(store, page);
    const { durableLsn } = store.gate;
    const at = store.catalogue.at(durableLsn);
    const found = rows.map((row) => infoOf(this.#store, row, at));
    await store.durable(durableLsn);
    return found;
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [databaseName(from), databaseName(to)];
    const opened = this.#store.door.enter();
    if (opened !== undefined) await opened;
    const { stream } = this.#live(source);
    await this.#store.durable(this.#store.catalogue.rename(stream, target));
  }

  async drop(name: string): Promise<void> {
    const checked = databaseName(name);
    const opened = this.#store.door.enter();
    if (opened !== undefined) await opened;
    const { stream } = this.#live(checked);
    await this.#store.durable(this.#store.drop(stream, checked));
  }

  async snapshot(name: string): Promise<SnapshotInfo> {
    return this.#store.relations.snapshots.take(CATALOGUE_STREAM, name);
  }

  async snapshots(): Promise<SnapshotInfo[]> {
    return this.#store.relations.snapshots.list(CATALOGUE_STREAM);
  }

  async dropSnapshot(name: string): Promise<void> {
    await this.#store.relations.snapshots.drop(CATALOGUE_STREAM, name);
  }

  async tree(name?: string): Promise<FamilyNode[]> {
    const store = this.#store;
    const checked = name === undefined ? undefined : databaseName(name);
    store.lifecycle.assertOpen();
    return treesOf(store, checked === undefined ? undefined : [this.#live(checked).family]);
  }

  async import(path: string, name: string, options: TransferOptions = {}): Promise<void> {
    assertPath("import", path);
    refuseUnknown("import", options, TRANSFER_OPTIONS);
    const checked = databaseName(name);
    const store = this.#store;
    store.lifecycle.assertWritable();
    if (store.catalogue.databases.find(checked) !== undefined) throw nameTaken(checked);
    const file = await openSqliteFile(store.env.storage, path);
    try {
      const { engine } = store.options;
      const opened = store.door.enter();
      if (opened !== undefined) await opened;
      const { stream } = store.catalogue.create({
        name: checked,
        engine,
        pageBytes: file.pageBytes,
        createdAtMs: store.env.clock.wallMs(),
        importing: true,
      });
      await this.#fill(stream, { file, path }, options);
    } finally {
      await file.close();
    }
  }

  restore(options: DatabaseRestoreOptions): Promise<DatabaseRestoreReport> {
    return restoreInto(this.#store, options);
  }

  async verifyDatabase(name: string): Promise<JobInfo> {
    const checked = databaseName(name);
    this.#store.lifecycle.assertOpen();
    const { stream, lsn } = this.#live(checked);
    await this.#store.durable(lsn);
    return this.#store.jobs.submit("integrity-check", stream);
  }

  jobs(): JobInfo[] {
    this.#store.lifecycle.assertOpen();
    return this.#store.jobs.list();
  }

  job(id: number): JobHandle {
    const { jobs } = this.#store;
    return {
      finished: ({ signal } = {}) => jobs.finished(id, signal),
      cancel: () => jobs.cancel(id),
      retry: () => jobs.retry(id),
      discard: () => jobs.discard(id),
    };
  }

  changes(options: ChangesOptions): AsyncIterableIterator<Change> {
    return this.#store.changes.read(options);
  }

  createCursor(name: string, options?: CursorOptions): Promise<CursorInfo> {
    return this.#store.changes.createCursor(name, options);
  }

  cursors(): CursorInfo[] {
    return this.#store.changes.cursors();
  }

  dropCursor(name: string): Promise<void> {
    return this.#store.changes.dropCursor(name);
  }

  log(name: string, options?: LogOptions): Promise<RecordLog> {
    return this.#store.logs.open(name, options);
  }

  logs(options?: ListOptions): Promise<LogInfo[]> {
    return this.#store.logs.list(options);
  }

  renameLog(from: string, to: string): Promise<void> {
    return this.#store.logs.rename(from, to);
  }

  dropLog(name: string): Promise<void> {
    return this.#store.logs.drop(name);
  }

  commitLogs(members: readonly LogMember[]): Promise<LogWritten[]> {
    return this.#store.logs.commit(members);
  }

  checkpoint(): Promise<void> {
    return this.#store.checkpoint();
  }

  async durable(lsn: number, options?: DurableOptions): Promise<void> {
    this.#store.lifecycle.assertOpen();
    await waitDurable(this.#store, { lsn, level: this.#store.levels.level }, options);
  }

  deadLetters(): DeadLetterInfo[] {
    return [...deadLettersOf(this.#store)];
  }

  async retryDeadLetter(id: number): Promise<void> {
    await letterKeeper(this.#store, id).retryDeadLetter(id);
  }

  async discardDeadLetter(id: number): Promise<void> {
    await letterKeeper(this.#store, id).discardDeadLetter(id);
    await this.#store.checkpoint(); // The sink begins anew with the state that this makes.
  }

  async collect(options: CollectOptions = {}): Promise<CollectReport> {
    refuseUnknown("collect", options, ["dryRun"]);
    return collect(this.#store, options.dryRun === true);
  }

  async scrub(request: ScrubRequest = {}): Promise<ScrubReport> {
    return scrubNow(this.#store, request);
  }

  diagnostics(): Diagnostics {
    return this.#store.diagnostics();
  }

  close(): Promise<void> {
    this.#closing ??= this.#store.close();
    return this.#closing;
  }

  #create(name: DatabaseName, options: DatabaseOptions): CatalogueRow {
    const { engine = this.#store.options.engine, pageBytes = DEFAULT_PAGE_BYTES } = options;
    return this.#store.catalogue.create({
      name,
      engine: engineKind(engine),
      pageBytes: checkedPageBytes(pageBytes),
      createdAtMs: this.#store.env.clock.wallMs(),
      importing: false,
    });
  }

  /** A handle, once the database is durable. */
  async #hand(row: CatalogueRow, { level, maxBacklogBytes }: HandleOptions): Promise<Database> {
    const store = this.#store;
    const database = await store.database(row.stream);
    if (level !== undefined) {
      store.levels.set(row.stream, level);
      database.level = level;
    }
    await store.durable(row.lsn, database.level);
    database.assertOpen();
    if (maxBacklogBytes !== undefined) store.limitBacklog(row.stream, maxBacklogBytes);
    return new DatabaseHandle(database, store.relations);
  }

  async #fill(
    stream: StreamId,
    source: Parameters<typeof importFile>[0],
    options: TransferOptions,
  ): Promise<void> {
    const store = this.#store;
    let publishedLsn: Lsn;
    try {
      const target = await store.importTarget(stream);
      await importFile(source, target, options);
      const opened = store.door.enter();
      if (opened !== undefined) await opened;
      publishedLsn = store.catalogue.publish(stream);
    } catch (error) {
      if (store.lifecycle.state === "open") store.drop(stream, "");
      throw error;
    }
    await store.durable(publishedLsn);
  }

  #live(name: DatabaseName): CatalogueRow {
    const row = this.#store.catalogue.databases.find(name);
    if (row === undefined) throw notFound(name);
    if (row.state === "importing") throw beingImported(name);
    return row;
  }
}

interface HandleOptions {
  readonly level: Durability | undefined;
  readonly maxBacklogBytes: number | undefined;
}
