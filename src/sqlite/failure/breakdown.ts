/**
 * WHEN C ITSELF FAILS: a trap of WebAssembly, or JavaScript's stack ending somewhere inside it. The
 * instance's memory is then in the middle of something, and nothing in it may be trusted or called
 * again. What can be saved is what lies outside: pins and write locks are given back, connections
 * and statements say that they are closed. The databases are as their last commits left them.
 *
 * (1) Every call into C goes through `guarded`. What comes out of one as an exception is noted
 *     before anything else happens, by an assignment: there may be too little stack for a call, and
 *     an instance that is not noted as broken would compile the next statement on top of half of
 *     this one, and answer something.
 * (2) No call reaches C after that.
 */
import { StorageError } from "../../base/errors.ts";
import type { RawFunctions, RawModule } from "../wasm/raw.ts";

export interface Abandonable {
  /** Gives back what is held outside of C, without calling C. */
  abandon(): void;
}

export class Breakdown {
  /** What came out of C. A field, for (1). */
  cause: unknown;
  readonly #connections: ReadonlyMap<number, Abandonable>;

  constructor(connections: ReadonlyMap<number, Abandonable>) {
    this.#connections = connections;
  }

  get happened(): boolean {
    return this.cause !== undefined;
  }

  /** Abandons what is left, too: the first attempt may have had too little stack for it. */
  error(): StorageError<"BOP_CLOSED"> {
    for (const connection of [...this.#connections.values()]) connection.abandon();
    const details = { what: "engine" };
    const message = "the SQL engine broke down and was closed; its open transactions are undone";
    return new StorageError("BOP_CLOSED", message, { details, cause: this.cause });
  }
}

type Call = (...values: readonly unknown[]) => unknown;

export function guardedModule(raw: RawModule, breakdown: Breakdown): RawModule {
  const { dbConfig, dbLookaside } = raw;
  return {
    ...raw,
    c: guarded(raw.c, breakdown),
    dbConfig: guardedCall(dbConfig as Call, breakdown) as typeof dbConfig,
    dbLookaside: guardedCall(dbLookaside as Call, breakdown) as typeof dbLookaside,
  };
}

/**
 * The functions of an instance, guarded. Those that are called for every statement, row and value
 * have guards of their own: a function that calls always the same one is compiled into its caller,
 * one that calls all of them is not.
 */
function guarded(c: RawFunctions, breakdown: Breakdown): RawFunctions {
  const all: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(c)) {
    if (name.startsWith("sqlite3_") && typeof value === "function") {
      all[name] = guardedCall(value as Call, breakdown);
    }
  }
  return { ...(all as unknown as RawFunctions), ...guardedRows(c, breakdown) };
}

function guardedCall(call: Call, breakdown: Breakdown): Call {
  return (...values) => {
    if (breakdown.cause !== undefined) throw breakdown.error();
    try {
      return call(...values);
    } catch (error) {
      breakdown.cause ??= error;
      throw breakdown.error();
    }
  };
}

type RowCalls = Pick<
  RawFunctions,
  | "sqlite3_step"
  | "sqlite3_reset"
  | "sqlite3_column_value"
  | "sqlite3_bind_null"
  | "sqlite3_bind_int"
  | "sqlite3_bind_double"
>;

function guardedRows(c: RawFunctions, breakdown: Breakdown): RowCalls {
  return {
    sqlite3_step(statement) {
      if (breakdown.cause !== undefined) throw breakdown.error();
      try {
        return c.sqlite3_step(statement);
      } catch (error) {
        breakdown.cause ??= error;
        throw breakdown.error();
      }
    },
    sqlite3_reset(statement) {
      if (breakdown.cause !== undefined) throw breakdown.error();
      try {
        return c.sqlite3_reset(statement);
      } catch (error) {
        breakdown.cause ??= error;
        throw breakdown.error();
      }
    },
    sqlite3_column_value(statement, index) {
      if (breakdown.cause !== undefined) throw breakdown.error();
      try {
        return c.sqlite3_column_value(statement, index);
      } catch (error) {
        breakdown.cause ??= error;
        throw breakdown.error();
      }
    },
    ...guardedBinds(c, breakdown),
  };
}

function guardedBinds(
  c: RawFunctions,
  breakdown: Breakdown,
): Omit<RowCalls, "sqlite3_step" | "sqlite3_reset" | "sqlite3_column_value"> {
  return {
    sqlite3_bind_null(statement, index) {
      if (breakdown.cause !== undefined) throw breakdown.error();
      try {
        return c.sqlite3_bind_null(statement, index);
      } catch (error) {
        breakdown.cause ??= error;
        throw breakdown.error();
      }
    },
    sqlite3_bind_int(statement, index, value) {
      if (breakdown.cause !== undefined) throw breakdown.error();
      try {
        return c.sqlite3_bind_int(statement, index, value);
      } catch (error) {
        breakdown.cause ??= error;
        throw breakdown.error();
      }
    },
    sqlite3_bind_double(statement, index, value) {
      if (breakdown.cause !== undefined) throw breakdown.error();
      try {
        return c.sqlite3_bind_double(statement, index, value);
      } catch (error) {
        breakdown.cause ??= error;
        throw breakdown.error();
      }
    },
  };
}
