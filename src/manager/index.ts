/**
 * MANAGER: composes everything below into open, use, close.
 *
 *   manager           databases by name, over an open store
 *   api               the public types
 *   options           what a store can be told; names: what a database can be called
 *   open-store        puts the layers together; store: holds them; lifecycle: its states
 *   catalogue         which databases there are
 *   database, connection, transaction, statement, queryable
 *                     what users hold; each runs on a runner: handle-runner or seat-runner
 *   open-database     a database's writer and connections; fleet: all that are open
 *   writer, group, work, work-queue, run-queue
 *                     whose turn it is to write, and who shares a transaction
 *   seat, session, shapes, iterator, script
 *                     a connection, whose it is, and how answers are taken from it
 *   gate              nothing is revealed before it is durable
 *   checkpointer      when the log is folded into chunks
 *   import, export    SQLite files in and out
 */
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
} from "./api.ts";
export { Manager } from "./manager.ts";
export { databaseName } from "./names.ts";
export type { ManagerOptions } from "./options.ts";
