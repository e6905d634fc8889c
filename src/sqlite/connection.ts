/**
 * A CONNECTION: one `sqlite3*` over one MainFile.
 *
 * (1) While SQL of this connection runs, what its callbacks throw is kept by the file system and
 *     thrown to the caller in place of the result code that SQLite made of it.
 * (2) The pager is told journal_mode=TRUNCATE, synchronous=OFF, temp_store=FILE, whatever SQL says:
 *     our log makes commits durable, and scratch files keep old images out of the engine's memory.
 * (3) What was compiled while pages were away is thrown away, and with it the schema that was loaded
 *     on the way: it may lack its statistics, which SQLite does not tell.
 * (4) A deadline costs a callback every so often, so it is armed only while there is one.
 */
import { assert } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import type { Lsn } from "../base/units.ts";
import type { ConnectOptions, SessionCounters, SqliteConnection, StatementTraits } from "./api.ts";
import type { AuthorizerNames, CalledConnection, EngineCore } from "./engine-core.ts";
import { SqliteError } from "./failure/errors.ts";
import { resultError } from "./failure/result-error.ts";
import { SERVER_LIMITS } from "./limits.ts";
import {
  judgePragma,
  type ParsedPragma,
  type PragmaVerdict,
  parsePragma,
  pragmaIsSessionBound,
} from "./statement/pragmas.ts";
import { Statement, type StatementOwner } from "./statement/statement.ts";
import { REPLACED_PRAGMA, TraitRecorder } from "./statement/traits.ts";
import { MainFile } from "./vfs/main-file.ts";
import * as abi from "./wasm/abi.ts";
import type { Pointer } from "./wasm/raw.ts";

/** Virtual machine instructions between two looks at the deadline: some tens of microseconds. */
const PROGRESS_OPERATIONS = 1000;
/** Size and number of the slots: 4 KiB, for the 48 that are the default make nothing faster here. */
const LOOKASIDE = [128, 32] as const;
/**
 * KiB of pages that the pager keeps at most. Others come from the page space, at the price of a
 * copy. What all pagers of an engine keep is bounded by its soft heap limit.
 */
const CACHE_KIB = 16 * 1024;

interface Prepared {
  readonly statement: Statement | undefined;
  readonly tail: string;
}

export class Connection implements SqliteConnection, CalledConnection, StatementOwner {
  readonly core: EngineCore;
  readonly db: Pointer;
  authorizations = 0;
  readonly #id: number;
  readonly #file: MainFile;
  readonly #profile: "embedded" | "server";
  readonly #recorder: TraitRecorder;
  readonly #commands = new Map<string, Statement>();
  readonly #statements = new Set<Statement>();
  readonly #onClose: () => void;
  #busyTimeoutMs = 0;
  /** What `totalChanges` counts beyond SQLite's own field, since that was set for a session. */
  #totalChangesHidden = 0;
  #deadlineMs: number | undefined;
  #open = true;

  constructor(core: EngineCore, id: number, options: ConnectOptions & { onClose: () => void }) {
    this.core = core;
    this.#id = id;
    this.#profile = options.profile;
    this.#onClose = options.onClose;
    this.#recorder = new TraitRecorder(core.heap, options.profile);
    this.#file = new MainFile(options);
    this.#file.owner = this;
    this.db = this.#openDatabase();
    try {
      this.#configure(options.pageBytes);
    } catch (error) {
      core.c.sqlite3_close_v2(this.db);
      throw error;
    }
  }

  #openDatabase(): Pointer {
    const { c, heap, vfs, exchange, results } = this.core;
    vfs.faults.clear();
    vfs.announce(this.#file);
    exchange.putText("database");
    const flags = abi.SQLITE_OPEN_READWRITE | abi.SQLITE_OPEN_CREATE;
    const code = c.sqlite3_open_v2(exchange.address, results, flags, 0);
    vfs.announce(undefined);
    heap.fresh();
    const db = heap.u32[results >> 2] as number;
    if (code === abi.SQLITE_OK) return db;
    const error = resultError(this.core, { db, code });
    if (db !== 0) c.sqlite3_close_v2(db);
    throw error;
  }

  /** See (2). The authorizer comes last, so that it does not see this. */
  #configure(pageBytes: number): void {
    const { core, db } = this;
    core.c.sqlite3_extended_result_codes(db, 1);
    const { dbLookaside } = core.raw;
    const lookaside = dbLookaside(db, abi.SQLITE_DBCONFIG_LOOKASIDE, 0, ...LOOKASIDE);
    assert(lookaside === abi.SQLITE_OK, "the connection keeps its lookaside memory");
    this.#setFlag(abi.SQLITE_DBCONFIG_DEFENSIVE, true);
    if (this.#profile === "server") {
      this.#setFlag(abi.SQLITE_DBCONFIG_TRUSTED_SCHEMA, false);
      for (const [id, value] of SERVER_LIMITS) core.c.sqlite3_limit(db, id, value);
    }
    if (this.#file.empty) this.#runPragma(`page_size = ${pageBytes}`);
    this.#runPragma("temp_store = file");
    this.#runPragma("synchronous = off");
    this.#runPragma(`cache_size = ${-CACHE_KIB}`);
    this.#runPragma("journal_mode = truncate");
    const code = core.c.sqlite3_set_authorizer(db, core.authorizer, this.#id);
    assert(code === abi.SQLITE_OK, "the authorizer was not set");
  }

  #setFlag(flag: number, on: boolean): void {
    const code = this.core.raw.dbConfig(this.db, flag, on ? 1 : 0, 0);
    assert(code === abi.SQLITE_OK, () => `the connection does not know flag ${flag}`);
  }

  #runPragma(text: string): void {
    const { statement } = this.#compile(`pragma ${text}`);
    assert(statement !== undefined, "a pragma is a statement");
    try {
      statement.step();
    } finally {
      statement.finalize();
    }
  }

  get open(): boolean {
    return this.#open;
  }

  get autocommit(): boolean {
    return this.#open ? this.core.c.sqlite3_get_autocommit(this.db) !== 0 : true;
  }

  get refusal(): string | undefined {
    return this.#recorder.refusal;
  }

  get settingChanges(): number {
    return this.#recorder.settingChanges;
  }

  get lastCommitLsn(): Lsn | undefined {
    return this.#file.lastCommitLsn;
  }

  get snapshotLsn(): Lsn | undefined {
    return this.#file.snapshot?.lsn;
  }

  get writing(): boolean {
    return this.#file.writing;
  }

  get changes(): number {
    this.#assertOpen();
    return this.core.c.sqlite3_changes(this.db);
  }

  get totalChanges(): number {
    this.#assertOpen();
    return Number(this.core.c.sqlite3_total_changes64(this.db)) + this.#totalChangesHidden;
  }

  get lastInsertRowid(): bigint {
    this.#assertOpen();
    return this.core.c.sqlite3_last_insert_rowid(this.db);
  }

  get deferredForeignKeys(): number {
    this.#assertOpen();
    const { c, heap, results } = this.core;
    c.sqlite3_db_status(this.db, abi.SQLITE_DBSTATUS_DEFERRED_FKS, results, results + 4, 0);
    heap.fresh();
    return heap.i32[results >> 2] as number;
  }

  assumeCounters({ changes, totalChanges, lastInsertRowid }: SessionCounters): void {
    this.#assertOpen();
    this.#totalChangesHidden = this.totalChanges - totalChanges;
    this.core.counterFields.write(this.db, changes, totalChanges);
    this.core.c.sqlite3_set_last_insert_rowid(this.db, lastInsertRowid);
  }

  prepare(sql: string): Prepared {
    this.#assertOpen();
    const pragma = parsePragma(sql);
    if (pragma !== undefined) {
      const { name, value } = pragma;
      const verdict = judgePragma({ name, value, profile: this.#profile });
      if (verdict !== undefined) return this.#prepareInstead(sql, pragma, verdict);
    }
    this.#recorder.start();
    return this.#compile(sql);
  }

  #prepareInstead(sql: string, pragma: ParsedPragma, verdict: PragmaVerdict): Prepared {
    if (verdict.kind === "refuse") {
      throw new SqliteError(verdict.message, {
        sqliteCode: "SQLITE_AUTH",
        extendedCode: abi.SQLITE_AUTH,
      });
    }
    this.#recorder.start();
    const sessionBound = pragmaIsSessionBound(pragma.name, pragma.value);
    if (sessionBound) this.#recorder.settingChanges += 1;
    const statement = this.#compile(this.#replacement(verdict), {
      sql: sql.slice(0, sql.length - pragma.tail.length),
      traits: { ...REPLACED_PRAGMA, sessionBound },
    }).statement;
    return { statement, tail: pragma.tail };
  }

  /** A busy timeout is remembered and has no effect: a lock that is taken is never waited for. */
  #replacement(verdict: Exclude<PragmaVerdict, { kind: "refuse" }>): string {
    if (verdict.kind === "answer") return verdict.sql;
    if (verdict.timeoutMs !== undefined) this.#busyTimeoutMs = verdict.timeoutMs;
    return `select ${this.#busyTimeoutMs} as timeout`;
  }

  #compile(
    sql: string,
    instead?: { readonly sql: string; readonly traits: StatementTraits },
  ): Prepared {
    const { c, heap, vfs, exchange, results } = this.core;
    if (sql.includes("\0")) throw new TypeError("the SQL text holds a zero character");
    vfs.faults.clear();
    exchange.putText(sql);
    const { address, bytes } = exchange;
    const flags = abi.SQLITE_PREPARE_PERSISTENT;
    const code = c.sqlite3_prepare_v3(this.db, address, bytes + 1, flags, results, results + 4);
    heap.fresh();
    const pointer = heap.u32[results >> 2] as number;
    const tailAt = heap.u32[(results >> 2) + 1] as number;
    const tail = code === abi.SQLITE_OK ? this.#tail(sql, tailAt) : "";
    exchange.release();
    if (code !== abi.SQLITE_OK) {
      throw resultError(this.core, { db: this.db, code, sql, refusal: this.refusal });
    }
    if (vfs.faults.error !== undefined) this.#settleFault(pointer);
    if (pointer === 0) return { statement: undefined, tail };
    const own = sql.slice(0, sql.length - tail.length);
    const seen = instead?.traits ?? this.#recorder.finish();
    const statement = new Statement(this, pointer, { sql: instead?.sql ?? own, seen });
    this.#statements.add(statement);
    return { statement, tail };
  }

  /** See (3). */
  #settleFault(pointer: Pointer): void {
    const { core } = this;
    const away = core.vfs.faults.takeAway();
    if (away === undefined) {
      core.vfs.faults.confirm();
      return;
    }
    core.c.sqlite3_finalize(pointer);
    this.forgetSchema();
    throw away;
  }

  /** See (3). Loads nothing: the next statement does. */
  forgetSchema(): void {
    const { c, exchange, results, authorizer } = this.core;
    c.sqlite3_set_authorizer(this.db, 0, 0);
    exchange.putText("pragma writable_schema = reset");
    const { address, bytes } = exchange;
    const code = c.sqlite3_prepare_v3(this.db, address, bytes + 1, 0, results, 0);
    this.core.heap.fresh();
    assert(code === abi.SQLITE_OK, "the schema is not forgotten");
    c.sqlite3_finalize(this.core.heap.u32[results >> 2] as number);
    exchange.release();
    c.sqlite3_set_authorizer(this.db, authorizer, this.#id);
  }

  #tail(sql: string, tailAt: Pointer): string {
    const { address, bytes } = this.core.exchange;
    const count = address + bytes - tailAt;
    if (count <= 0) return "";
    if (bytes === sql.length) return sql.slice(sql.length - count);
    return this.core.heap.text(tailAt, count);
  }

  command(sql: string): void {
    let statement = this.#commands.get(sql);
    if (statement === undefined) {
      statement = this.prepare(sql).statement;
      if (statement === undefined) throw new TypeError(`"${sql}" is not a statement`);
      this.#commands.set(sql, statement);
    }
    try {
      const row = statement.step();
      assert(!row, "a command has no rows");
    } finally {
      statement.reset();
    }
  }

  share(): void {
    this.#recorder.share();
  }

  deadline(atMs: number | undefined): void {
    this.#assertOpen();
    if (atMs === this.#deadlineMs) return;
    const { c, progressHandler } = this.core;
    const wasArmed = this.#deadlineMs !== undefined;
    this.#deadlineMs = atMs;
    if (atMs === undefined) c.sqlite3_progress_handler(this.db, 0, 0, 0);
    else if (!wasArmed) {
      c.sqlite3_progress_handler(this.db, PROGRESS_OPERATIONS, progressHandler, this.#id);
    }
  }

  isOverdue(): boolean {
    const deadlineMs = this.#deadlineMs;
    return deadlineMs !== undefined && this.core.env.clock.monotonicMs() >= deadlineMs;
  }

  authorize(action: number, names: AuthorizerNames): number {
    this.authorizations += 1;
    return this.#recorder.see(action, names);
  }

  /** Called by a statement when it is finalized. */
  forget(statement: Statement): void {
    this.#statements.delete(statement);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const statement of this.#statements) statement.finalize();
    this.core.vfs.faults.clear();
    const code = this.core.c.sqlite3_close_v2(this.db);
    assert(code === abi.SQLITE_OK, "a connection refused to close");
    this.core.connections.delete(this.#id);
    this.#onClose();
  }

  /** See breakdown.ts. */
  abandon(): void {
    for (const statement of this.#statements) statement.abandon();
    this.#file.close();
    this.#open = false;
    this.#onClose();
    this.core.connections.delete(this.#id);
  }

  #assertOpen(): void {
    if (this.core.breakdown.happened) throw this.core.breakdown.error();
    if (this.#open) return;
    throw new StorageError("BOP_CLOSED", "the connection is closed", {
      details: { what: "connection" },
    });
  }
}
