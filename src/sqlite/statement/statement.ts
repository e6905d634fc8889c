/**
 * A COMPILED STATEMENT.
 *
 *   ready ── bind, step ──► row ── step ──► … ── step ──► done
 *     ▲                      │                              │
 *     └──────── reset ───────┴──────────────────────────────┘
 *
 * (1) A statement that failed is reset at once, so that it holds no lock.
 * (2) SQLite compiles a statement anew when the schema changed under it, at the first step of a run.
 *     Names and number of its columns are looked up again then: from that step on they are those of the
 *     rows, also of none. It asks the authorizer whenever it compiles, so that a run in which that is
 *     not asked costs no call to find out.
 * (3) Of columns with the same name an object has the last one.
 * (4) What a read answers without pages that are away, or that the device refused to read, is no
 *     answer: it throws, to be run again.
 */
import { StorageError } from "../../base/errors.ts";
import type {
  ColumnInfo,
  IntegerMode,
  PreparedStatement,
  SqlInput,
  SqlParameters,
  SqlValue,
  StatementTraits,
} from "../api.ts";
import type { EngineCore } from "../engine-core.ts";
import { resultError } from "../failure/result-error.ts";
import * as abi from "../wasm/abi.ts";
import type { Pointer } from "../wasm/raw.ts";
import { Binder } from "./bind.ts";
import { readColumns } from "./columns.ts";
import { readParameterNames } from "./parameters.ts";
import { readValue } from "./value.ts";

const { MEM, SQLITE_DONE, SQLITE_OK, SQLITE_ROW } = abi;

/** Assigning to this name would set the row's prototype, unless it is a property of its own. */
const PROTO_NAME = "__proto__";
const OWN_PROPERTY = { value: null, writable: true, enumerable: true, configurable: true };

/** The connection, as its statements see it. */
export interface StatementOwner {
  readonly core: EngineCore;
  readonly db: Pointer;
  /** Why the authorizer refused last. */
  readonly refusal: string | undefined;
  /** How often the authorizer was asked. See (2). */
  readonly authorizations: number;
  forget(statement: Statement): void;
  /** It may have been loaded in part: see Connection (3). */
  forgetSchema(): void;
}

interface StatementFields {
  readonly sql: string;
  readonly seen: StatementTraits;
}

export class Statement implements PreparedStatement {
  readonly sql: string;
  readonly #owner: StatementOwner;
  readonly #core: EngineCore;
  readonly #seen: StatementTraits;
  #pointer: Pointer;
  #isReset = true;
  #inRow = false;
  #columnCount: number;
  #names: readonly string[] | undefined;
  #hasProtoName = false;
  #columns: readonly ColumnInfo[] | undefined;
  #compilations = 0;
  #parameterNames: readonly (string | undefined)[] | undefined;
  readonly #parameterCount: number;
  readonly #binder: Binder;
  #traits: StatementTraits | undefined;
  #readonly: boolean | undefined;
  #explain: number | undefined;

  constructor(owner: StatementOwner, pointer: Pointer, { sql, seen }: StatementFields) {
    this.#owner = owner;
    this.#core = owner.core;
    this.#pointer = pointer;
    this.#seen = seen;
    this.sql = sql;
    this.#columnCount = owner.core.c.sqlite3_column_count(pointer);
    this.#binder = new Binder(owner.core, pointer);
    this.#parameterCount = owner.core.c.sqlite3_bind_parameter_count(pointer);
  }

  get columns(): readonly ColumnInfo[] {
    this.#columns ??= readColumns(this.#core, this.#live(), this.#columnCount);
    return this.#columns;
  }

  get parameterNames(): readonly (string | undefined)[] {
    this.#parameterNames ??= readParameterNames(this.#core, this.#live(), {
      sql: this.sql,
      count: this.#parameterCount,
    });
    return this.#parameterNames;
  }

  get tellsTables(): boolean {
    return this.#core.c.sqlite3_column_table_name !== undefined;
  }

  get readonly(): boolean {
    this.#readonly ??= this.#core.c.sqlite3_stmt_readonly(this.#live()) !== 0;
    return this.#readonly;
  }

  get explain(): number {
    this.#explain ??= this.#core.c.sqlite3_stmt_isexplain(this.#live());
    return this.#explain;
  }

  get traits(): StatementTraits {
    this.#traits ??= this.explain === 0 ? this.#seen : { ...this.#seen, ...EXPLAIN_TRAITS };
    return this.#traits;
  }

  bind(parameters: SqlParameters): void {
    this.#live();
    this.reset();
    if (Array.isArray(parameters)) this.#bindPositional(parameters);
    else this.#bindNamed(parameters as Readonly<Record<string, SqlInput>>);
  }

  #bindPositional(values: readonly SqlInput[]): void {
    const count = this.#parameterCount;
    if (values.length !== count) {
      throw new RangeError(`${values.length} values for ${count} parameters`);
    }
    for (let index = 0; index < count; index++) this.#bindOne(index + 1, values[index] as SqlInput);
  }

  #bindNamed(values: Readonly<Record<string, SqlInput>>): void {
    const names = this.parameterNames;
    const used = new Set<string>();
    const bound: SqlInput[] = names.map((name, index) => {
      if (name === undefined) {
        throw new RangeError(`parameter ${index + 1} has no name: pass values, not an object`);
      }
      const key = Object.hasOwn(values, name) ? name : name.slice(1);
      if (!Object.hasOwn(values, key)) throw new RangeError(`no value for parameter ${name}`);
      used.add(key);
      return values[key] as SqlInput;
    });
    for (const key of Object.keys(values)) {
      if (!used.has(key)) throw new RangeError(`the statement has no parameter "${key}"`);
    }
    for (const [index, value] of bound.entries()) this.#bindOne(index + 1, value);
  }

  #bindOne(index: number, value: SqlInput): void {
    const code = this.#binder.bind(index, value);
    if (code !== SQLITE_OK) throw resultError(this.#core, { db: this.#owner.db, code });
  }

  step(): boolean {
    const { c, heap, vfs, breakdown } = this.#core;
    if (breakdown.cause !== undefined) throw breakdown.error();
    const pointer = this.#live();
    vfs.faults.clear();
    this.#isReset = false;
    const { authorizations } = this.#owner;
    const code = c.sqlite3_step(pointer);
    heap.fresh();
    if (this.#owner.authorizations !== authorizations) this.#lookAgain(pointer);
    this.#inRow = code === SQLITE_ROW;
    if (code === SQLITE_ROW || code === SQLITE_DONE) {
      if (vfs.faults.error !== undefined) this.#settleFault();
      return code === SQLITE_ROW;
    }
    const { db, refusal } = this.#owner;
    const error = resultError(this.#core, { db, code, refusal });
    this.reset();
    throw error;
  }

  /** See (4). */
  #settleFault(): void {
    const { faults } = this.#core.vfs;
    const repeats = this.readonly && this.traits.kind !== "transaction";
    const unread = repeats ? faults.takeUnread() : undefined;
    if (unread === undefined) {
      faults.confirm();
      return;
    }
    this.reset();
    this.#owner.forgetSchema();
    throw unread;
  }

  /** See (2). */
  #lookAgain(pointer: Pointer): void {
    const { c } = this.#core;
    const compilations = c.sqlite3_stmt_status(pointer, abi.SQLITE_STMTSTATUS_REPREPARE, 0);
    if (compilations === this.#compilations) return;
    this.#compilations = compilations;
    this.#columnCount = c.sqlite3_column_count(pointer);
    this.#columns = undefined;
    this.#names = undefined;
  }

  array(integers: IntegerMode): SqlValue[] {
    const { heap } = this.#core;
    const count = this.#columnCount;
    let address = this.#row();
    const values: SqlValue[] = new Array(count);
    for (let index = 0; index < count; index++) {
      values[index] = readValue(heap, address, integers);
      address += MEM.sizeBytes;
    }
    return values;
  }

  object(integers: IntegerMode): Record<string, SqlValue> {
    const { heap } = this.#core;
    let address = this.#row();
    const names = this.#names ?? this.#lookUpNames();
    const row: Record<string, SqlValue> = {};
    if (this.#hasProtoName) Object.defineProperty(row, PROTO_NAME, OWN_PROPERTY);
    for (let index = 0; index < names.length; index++) {
      row[names[index] as string] = readValue(heap, address, integers);
      address += MEM.sizeBytes;
    }
    return row;
  }

  #lookUpNames(): readonly string[] {
    const names = this.columns.map((column) => column.name);
    this.#names = names;
    this.#hasProtoName = names.includes(PROTO_NAME);
    return names;
  }

  value(columnIndex: number, integers: IntegerMode): SqlValue {
    const row = this.#row();
    if (!(columnIndex >= 0 && columnIndex < this.#columnCount)) {
      throw new RangeError(`no column ${columnIndex}: there are ${this.#columnCount}`);
    }
    return readValue(this.#core.heap, row + columnIndex * MEM.sizeBytes, integers);
  }

  /** Address of the first value of the current row. */
  #row(): Pointer {
    if (!this.#inRow) throw new TypeError("the statement is not on a row");
    return this.#core.c.sqlite3_column_value(this.#live(), 0);
  }

  reset(): void {
    if (this.#isReset || this.#core.breakdown.happened) return;
    const pointer = this.#live();
    this.#isReset = true;
    this.#inRow = false;
    // Its result code repeats the error of the last step, which has been thrown.
    this.#core.c.sqlite3_reset(pointer);
    this.#core.heap.fresh();
  }

  finalize(): void {
    if (this.#pointer === 0) return;
    this.#core.c.sqlite3_finalize(this.#pointer);
    this.#core.heap.fresh();
    this.#pointer = 0;
    this.#inRow = false;
    this.#owner.forget(this);
  }

  /** See breakdown.ts. */
  abandon(): void {
    this.#pointer = 0;
    this.#inRow = false;
  }

  #live(): Pointer {
    if (this.#pointer !== 0) return this.#pointer;
    const details = { what: "statement" };
    throw new StorageError("BOP_CLOSED", "the statement is finalized", { details });
  }
}

/** An EXPLAIN runs nothing of what it explains. */
const EXPLAIN_TRAITS = {
  kind: "plain",
  changesRows: false,
  changesSchema: false,
  readsCounters: false,
} as const;
