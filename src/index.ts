/** bop-storage: fleets of SQLite and libSQL databases over one write-ahead log. The public API. */
export { type ErrorCode, type ErrorDetails, isStorageError, StorageError } from "./base/errors.ts";
export type {
  BatchStatement,
  Connection,
  Database,
  DatabaseInfo,
  DatabaseOptions,
  Diagnostics,
  ExecOptions,
  ExecuteOptions,
  ExecuteResult,
  FaultContext,
  ListOptions,
  Queryable,
  Row,
  RunResult,
  Statement,
  StatementDescription,
  StatementParameters,
  Transaction,
  TransactionOptions,
  TransferOptions,
} from "./manager/index.ts";
export { Manager, type ManagerOptions } from "./manager/index.ts";
export type {
  ColumnInfo,
  EngineKind,
  IntegerMode,
  SqlInput,
  SqlParameters,
  SqlValue,
} from "./sqlite/index.ts";
export { SqliteError } from "./sqlite/index.ts";
