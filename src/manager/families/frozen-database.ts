/**
 * A MOMENT OF A DATABASE, OPEN FOR READING: the same connections as a live database has, over pages
 * that do not change and that nobody can write.
 *
 *   open ──close, or the database or the store goes──► closing ──the last use ends──► let go
 *
 * (1) A statement that would write is refused when it asks for the write lock, whatever it is.
 * (2) The pages are let go when the moment is closed and no copy of it is being written any more.
 */
import { StorageError } from "../../base/errors.ts";
import type { FrozenSpace } from "../../page-store/index.ts";
import type { EngineKind } from "../../sqlite/index.ts";
import type { Connection } from "../api/connection.ts";
import { assertPath } from "../option-values.ts";
import { closedError } from "../queries/closed.ts";
import { PinnedConnection } from "../queries/connection.ts";
import { HandleRunner } from "../queries/handle-runner.ts";
import { OpenDatabase, type OpenDatabaseOptions } from "../queries/open-database.ts";
import { QueryableBase } from "../queries/queryable.ts";
import { Readers } from "../queries/readers.ts";
import type { Call, RowCall, Runner } from "../queries/runner.ts";
import { Session } from "../queries/session.ts";
import { exportDatabase } from "../transfer/export.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { DatabaseSnapshot, SnapshotInfo } from "./family.ts";

export class FrozenMoment {
  readonly database: OpenDatabase;
  readonly info: SnapshotInfo;
  readonly #space: FrozenSpace;
  #uses = 0;
  #closed = false;
  #letGo = false;
  #onClose: () => void = () => {};

  /** `live` is what the database has that the moment is of. */
  constructor(live: OpenDatabaseOptions, space: FrozenSpace, info: SnapshotInfo) {
    this.info = info;
    this.#space = space;
    this.database = new OpenDatabase({
      ...live,
      space,
      admit: () => {
        const what = `snapshot ${JSON.stringify(info.name)} of ${JSON.stringify(live.name())}`;
        const details = { durableLsn: live.levels.local.durableLsn, why: `${what} is for reading` };
        const message = `${what} takes no writes; a fork of the database at it does`;
        throw new StorageError("BOP_READ_ONLY", message, { details });
      },
      // It holds nothing but what its snapshot holds: nobody is ended for reading long.
      readers: new Readers({ clock: live.env.clock, maxReaderAgeMs: undefined }),
      onRest: () => {},
    });
  }

  /** Called once, when it is closed. */
  set onClose(onClose: () => void) {
    this.#onClose = onClose;
  }

  /** Keeps the pages while `work` runs. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#uses += 1;
    try {
      return await work();
    } finally {
      this.#uses -= 1;
      this.#mayLetGo();
    }
  }

  /** Whoever comes later gets the error. Idempotent. */
  close(error: StorageError = closedError("snapshot")): void {
    if (this.#closed) return;
    this.#closed = true;
    this.database.close(error);
    this.#mayLetGo();
    this.#onClose();
  }

  /** See (2). */
  #mayLetGo(): void {
    if (!this.#closed || this.#uses > 0 || this.#letGo) return;
    this.#letGo = true;
    this.#space.close();
  }
}

export class FrozenDatabase extends QueryableBase implements DatabaseSnapshot {
  protected readonly runner: Runner;
  readonly #moment: FrozenMoment;
  readonly #session = new Session();

  constructor(moment: FrozenMoment) {
    super();
    this.#moment = moment;
    const inner = new HandleRunner(moment.database, this.#session);
    this.runner = {
      run: <T>(call: Call<T>) => this.#open(() => inner.run(call)),
      iterate: (call: RowCall) => {
        moment.database.assertOpen();
        return inner.iterate(call);
      },
      script: (sql, timeoutMs) => this.#open(() => inner.script(sql, timeoutMs)),
      describe: (sql) => this.#open(() => inner.describe(sql)),
    };
  }

  get name(): string {
    return this.#moment.info.name;
  }

  get scope(): SnapshotInfo["scope"] {
    return this.#moment.info.scope;
  }

  get lsn(): number {
    return this.#moment.info.lsn;
  }

  get createdAt(): Date {
    return this.#moment.info.createdAt;
  }

  get database(): string {
    return this.#moment.database.options.name();
  }

  get engine(): EngineKind {
    return this.#moment.database.options.kind;
  }

  connect(): Promise<Connection> {
    const { database } = this.#moment;
    return this.#open(async () => new PinnedConnection(database));
  }

  async export(path: string, options: TransferOptions = {}): Promise<void> {
    assertPath("export", path);
    const { database } = this.#moment;
    const job = { database, session: this.#session, path };
    return this.#open(() => this.#moment.use(() => exportDatabase(job, options)));
  }

  async close(): Promise<void> {
    this.#moment.close();
  }

  async #open<T>(work: () => Promise<T>): Promise<T> {
    this.#moment.database.assertOpen();
    return work();
  }
}
