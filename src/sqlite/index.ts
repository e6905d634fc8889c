/**
 * SQLITE: the WebAssembly engine and its file system over a PageSpace.
 *
 *   api              what the manager sees: engine, connection, statement, traits
 *   engine           one instance of a build; engine-core is what its parts share
 *   connection       SQL over one database: prepare, commands, counters, deadline
 *   statement        bind (into C), step, read rows (value, out of C), columns, parameters
 *   traits, pragmas  what a statement does, what it may not do, what is answered instead
 *   vfs              the file system: io-methods are its callbacks on open files
 *   main-file        the database file: locks, snapshots, commits; pending-pages is its write set
 *   temp-file        journals and temporary files
 *   raw, heap, abi   the C functions, their memory, their numbers; shims spare bigints
 *   counter-fields   changes() and total_changes() for sessions that share a connection
 *   faults           what a callback threw; breakdown is when C itself fails
 *   errors           SqliteError; result-codes names the codes, result-error makes the exception
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
export { prepareReusedEngine } from "./reuse.ts";
