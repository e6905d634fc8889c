/**
 * A DATABASE FOR TESTS: a page space in memory, a write lock, and SQL as one call.
 *
 * `check` is what every test that writes ends with: SQLite finds the database intact, through a new
 * connection, and no snapshot is left pinned.
 */
import { simulatedEnv } from "../io/index.ts";
import { MemoryPageSpace, type PageSpace } from "../page-store/index.ts";
import type {
  ConnectOptions,
  EngineKind,
  IntegerMode,
  PreparedStatement,
  SqliteConnection,
  SqliteEngine,
  SqlParameters,
  SqlValue,
} from "./api.ts";
import { loadEngine, writeLock } from "./engine.ts";
import { SqliteError } from "./failure/errors.ts";

export const KINDS: readonly EngineKind[] = ["sqlite", "libsql"];

const engines = new Map<EngineKind, Promise<SqliteEngine>>();

/** One engine of a kind for all tests of a file: to load one takes a while. */
export function engineOf(kind: EngineKind): Promise<SqliteEngine> {
  let engine = engines.get(kind);
  if (engine === undefined) {
    engine = loadEngine({ kind, env: simulatedEnv({ seed: 7 }).env });
    engines.set(kind, engine);
  }
  return engine;
}

export class TestDatabase {
  readonly engine: SqliteEngine;
  readonly memory = new MemoryPageSpace();
  readonly space: PageSpace;
  readonly locks = writeLock();

  /** `wrap` puts something between SQLite and the pages, to make them fail. */
  constructor(engine: SqliteEngine, wrap: (space: MemoryPageSpace) => PageSpace = (s) => s) {
    this.engine = engine;
    this.space = wrap(this.memory);
  }

  connect(options: Partial<ConnectOptions> = {}): TestConnection {
    const { space, locks } = this;
    const horizon = () => space.newestLsn;
    const defaults = { space, locks, horizon, admit: () => {}, pageBytes: 4096 };
    const connection = this.engine.connect({ ...defaults, profile: "embedded", ...options });
    return new TestConnection(connection);
  }

  /** What `pragma integrity_check` says, and the pins that are left when nobody is connected. */
  check(): { readonly integrity: readonly SqlValue[]; readonly pinned: number } {
    const { pinned } = this.memory;
    const connection = this.connect();
    const integrity = connection.column("pragma integrity_check");
    connection.close();
    return { integrity, pinned };
  }
}

/** What `check` must answer. */
export const INTACT = { integrity: ["ok"], pinned: 0 } as const;

export class TestConnection {
  readonly raw: SqliteConnection;

  constructor(raw: SqliteConnection) {
    this.raw = raw;
  }

  /** A statement that the caller steps itself. */
  prepare(sql: string): PreparedStatement {
    const { statement } = this.raw.prepare(sql);
    if (statement === undefined) throw new TypeError(`no statement in ${sql}`);
    return statement;
  }

  /** Runs every statement of the text. */
  exec(sql: string): void {
    for (let tail = sql; tail !== ""; ) {
      const prepared = this.raw.prepare(tail);
      const { statement } = prepared;
      tail = prepared.tail;
      if (statement === undefined) return;
      try {
        while (statement.step());
      } finally {
        statement.finalize();
      }
    }
  }

  /** All rows of one statement, as arrays. */
  rows(sql: string, parameters: SqlParameters = [], integers: IntegerMode = "number") {
    const statement = this.prepare(sql);
    try {
      const rows: SqlValue[][] = [];
      statement.bind(parameters);
      while (statement.step()) rows.push(statement.array(integers));
      return rows;
    } finally {
      statement.finalize();
    }
  }

  /** The first column of all rows. */
  column(sql: string, parameters: SqlParameters = []): SqlValue[] {
    return this.rows(sql, parameters).map((row) => row[0] as SqlValue);
  }

  /** The first value of the first row. */
  value(sql: string, parameters: SqlParameters = []): SqlValue | undefined {
    return this.column(sql, parameters)[0];
  }

  close(): void {
    this.raw.close();
  }
}

/** The extended code's name of the error that `action` throws, or "none". */
export function codeOf(action: () => unknown): string {
  try {
    action();
    return "none";
  } catch (error) {
    if (error instanceof SqliteError) return error.sqliteCode;
    throw error;
  }
}
