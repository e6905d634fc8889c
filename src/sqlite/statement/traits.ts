/**
 * WHAT A STATEMENT DOES, as SQLite's authorizer tells it while the statement is compiled; and what
 * it may not do.
 *
 * (1) The verdict is of the schema at that moment. Who runs the statement after another one changed
 *     the schema compiles it again (`changesSchema`).
 * (2) ATTACH is refused in every profile, since the file system has no other files. A VACUUM asks
 *     for an ATTACH when it runs: a plain one without a name, VACUUM INTO with that of the file.
 * (3) In the server profile what shows other tenants' text or raw pages is refused too.
 * (4) To rename a table or a column, or to drop one, SQLite reads and writes the schema of temporary
 *     objects too, which may name it. That alone does not make it a statement of one session.
 */
import type { StatementTraits } from "../api.ts";
import type { AuthorizerNames } from "../engine-core.ts";
import type { Heap } from "../wasm/heap.ts";
import { judgePragma, pragmaIsSessionBound } from "./pragmas.ts";

/** SQLite's action codes, and its three answers. */
const ACTION = {
  createTempFirst: 3,
  createTempLast: 6,
  delete: 9,
  dropTempFirst: 12,
  dropTempLast: 15,
  insert: 18,
  pragma: 19,
  read: 20,
  transaction: 22,
  update: 23,
  attach: 24,
  detach: 25,
  alterTable: 26,
  analyze: 28,
  function: 31,
  savepoint: 32,
} as const;
const ALLOW = 0;
const DENY = 1;
const IGNORE = 2;

/** CREATE, DROP and ALTER of everything, virtual tables included; ANALYZE loads statistics. */
const SCHEMA_ACTIONS = new Set([
  1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 26, 28, 29, 30,
]);
const ROW_ACTIONS = new Set<number>([ACTION.insert, ACTION.update, ACTION.delete]);
/** What depends on the moment, or on nothing. Of dates it is not known what they are called with. */
const VOLATILE = new Set([
  ...["random", "randomblob", "current_date", "current_time", "current_timestamp"],
  ...["date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff"],
]);
const COUNTERS = new Set(["changes", "total_changes", "last_insert_rowid"]);
/** The schema of temporary objects, as the authorizer names it. */
const TEMP_SCHEMAS = new Set(["sqlite_temp_master", "sqlite_temp_schema", "sqlite_master"]);
/** Virtual tables that show pages as they are stored, or statements of other sessions. */
const SERVER_DENIED_TABLES = new Set([
  ...["sqlite_dbpage", "dbstat", "sqlite_stmt", "bytecode", "tables_used"],
]);
const SERVER_DENIED_FUNCTIONS = new Set(["load_extension", "fts3_tokenizer"]);

export class TraitRecorder {
  readonly #heap: Heap;
  readonly #profile: "embedded" | "server";
  #kind: StatementTraits["kind"] = "plain";
  #sessionBound = false;
  #readsCounters = false;
  #isVolatile = false;
  #changesRows = false;
  #changesSchema = false;
  #refusal: string | undefined;
  #sawNothing = true;
  #shared = false;
  /** It alters a table of the database. See (4). */
  #altersMain = false;
  /** See SqliteConnection.settingChanges. */
  settingChanges = 0;

  constructor(heap: Heap, profile: "embedded" | "server") {
    this.#heap = heap;
    this.#profile = profile;
  }

  /** Why the authorizer refused last. VACUUM asks it while it runs. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** See SqliteConnection.share. */
  share(): void {
    this.#shared = true;
  }

  start(): void {
    this.#kind = "plain";
    this.#sessionBound = false;
    this.#readsCounters = false;
    this.#isVolatile = false;
    this.#changesRows = false;
    this.#changesSchema = false;
    this.#refusal = undefined;
    this.#sawNothing = true;
    this.#altersMain = false;
  }

  finish(): StatementTraits {
    return {
      // Of VACUUM nothing is said while it is compiled; what else there may be is kept apart too.
      kind: this.#sawNothing ? "alone" : this.#kind,
      sessionBound: this.#sessionBound,
      readsCounters: this.#readsCounters,
      isVolatile: this.#isVolatile,
      changesRows: this.#changesRows && !this.#changesSchema,
      changesSchema: this.#changesSchema,
    };
  }

  /** The authorizer. */
  see(action: number, names: AuthorizerNames): number {
    this.#sawNothing = false;
    if (action === ACTION.read) return this.#seeTable(names);
    if (ROW_ACTIONS.has(action)) {
      this.#changesRows = true;
      return this.#seeTable(names);
    }
    if (SCHEMA_ACTIONS.has(action)) return this.#seeSchemaChange(action, names);
    switch (action) {
      case ACTION.function:
        return this.#seeFunction(this.#text(names[1]));
      case ACTION.transaction:
      case ACTION.savepoint:
        this.#kind = "transaction";
        return ALLOW;
      case ACTION.pragma:
        return this.#seePragma(this.#text(names[0]), this.#heap.cString(names[1]));
      case ACTION.attach:
      case ACTION.detach:
        return this.#seeAttach(action, this.#text(names[0]));
      default:
        return ALLOW;
    }
  }

  #text(address: number): string {
    return (this.#heap.cString(address) ?? "").toLowerCase();
  }

  #seeTable(names: AuthorizerNames): number {
    const [table, , database] = names;
    const isExpected = this.#altersMain && TEMP_SCHEMAS.has(this.#text(table));
    if (!isExpected && this.#isTemp(database)) {
      this.#kind = "alone";
      this.#sessionBound = true;
    }
    if (this.#profile === "server" && SERVER_DENIED_TABLES.has(this.#text(table))) {
      return this.#refuse(`the table ${this.#text(table)} is not available on a server`);
    }
    return ALLOW;
  }

  #isTemp(database: number): boolean {
    if (database === 0) return false;
    const { u8 } = this.#heap;
    return u8[database] === 0x74 && this.#text(database) === "temp";
  }

  #seeSchemaChange(action: number, names: AuthorizerNames): number {
    if (action === ACTION.alterTable) this.#altersMain = !this.#isTemp(names[0]);
    const { createTempFirst, createTempLast, dropTempFirst, dropTempLast } = ACTION;
    const createsTemp = action >= createTempFirst && action <= createTempLast;
    if (createsTemp || (action >= dropTempFirst && action <= dropTempLast)) {
      this.#kind = "alone";
      this.#sessionBound = true;
    }
    this.#changesSchema = true;
    return ALLOW;
  }

  #seeFunction(name: string): number {
    if (COUNTERS.has(name)) this.#readsCounters = true;
    if (VOLATILE.has(name)) this.#isVolatile = true;
    if (this.#profile === "server" && SERVER_DENIED_FUNCTIONS.has(name)) {
      return this.#refuse(`the function ${name} is not available on a server`);
    }
    return ALLOW;
  }

  #seePragma(name: string, value: string | undefined): number {
    this.#kind = "alone";
    if (pragmaIsSessionBound(name, value)) {
      this.#sessionBound = true;
      if (this.#shared) return IGNORE;
      this.settingChanges += 1;
    }
    const verdict = judgePragma({ name, value, profile: this.#profile });
    if (verdict === undefined) return ALLOW;
    return verdict.kind === "refuse" ? this.#refuse(verdict.message) : IGNORE;
  }

  #seeAttach(action: number, file: string): number {
    this.#kind = "alone";
    if (action === ACTION.attach && file !== "") {
      return this.#refuse("ATTACH and VACUUM INTO are refused: a connection has one database");
    }
    return ALLOW;
  }

  #refuse(message: string): number {
    this.#refusal = message;
    return DENY;
  }
}

/** What a pragma that was replaced counts as. */
export const REPLACED_PRAGMA: StatementTraits = {
  kind: "alone",
  sessionBound: false,
  readsCounters: false,
  isVolatile: false,
  changesRows: false,
  changesSchema: false,
};
