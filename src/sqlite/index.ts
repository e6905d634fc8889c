/**
 * SQLITE: the WebAssembly engine and its file system over a PageSpace.
 *
 *   api               what the manager sees: engine, connection, statement, traits
 *   engine            one instance of a build; engine-core is what its parts share
 *   connection        SQL over one database: prepare, commands, counters, deadline
 *   limits            what tenants may ask of it
 *   reuse             an engine that is used again, for simulations
 *
 *   statement/        a compiled statement: bind (into C), step, read rows (value, out of C)
 *     traits, pragmas what it does, what it may not do, what is answered instead
 *     columns, parameters, real
 *   vfs/              the file system: io-methods are its callbacks on open files; shims spare bigints
 *     main-file       the database file: locks, snapshots, commits; pending-pages is its write set
 *     temp-file       journals and temporary files
 *     faults          what a callback threw; handles: numbers that C has for our objects
 *   wasm/             raw, heap, abi: the C functions, their memory, their numbers; web-assembly: types
 *     counter-fields  changes() and total_changes() for sessions that share a connection
 *   failure/          errors: SqliteError; result-codes names the codes, result-error makes the exception
 *     breakdown       when C itself fails
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
export { SqliteError } from "./failure/errors.ts";
export { prepareReusedEngine } from "./reuse.ts";
export { SqlReal } from "./statement/real.ts";
export { prepareEngines } from "./wasm/raw.ts";
