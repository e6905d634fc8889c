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
  SqlInput,
  SqliteConnection,
  SqliteEngine,
  SqlParameters,
  SqlValue,
  StatementTraits,
  WriteLock,
} from "./api.ts";
export { SqliteError } from "./errors.ts";
