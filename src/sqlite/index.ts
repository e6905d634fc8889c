/**
 * SQLITE: the WebAssembly engine and its file system over a PageSpace.
 *
 *   api         what the manager sees: engine, connection, statement, traits
 *   errors      SqliteError
 */
export type {
  ColumnInfo,
  ConnectOptions,
  EngineKind,
  IntegerMode,
  PreparedStatement,
  SessionCounters,
  SqlInput,
  SqliteConnection,
  SqliteEngine,
  SqlParameters,
  SqlValue,
  StatementTraits,
  WriteLock,
} from "./api.ts";
export { loadEngine, writeLock } from "./engine.ts";
export { SqliteError } from "./errors.ts";
export { prepareEngines } from "./raw.ts";
export { SqlReal } from "./real.ts";
