/**
 * LIBSQL: `createClient` with the interface of @libsql/client, running embedded. This is what
 * programs import as "bop-storage/libsql".
 *
 *   config          what it accepts
 *   client          calls, transactions, close
 *   transaction     BEGIN to COMMIT
 *   statement       their statements and results ↔ ours
 *   error           their errors
 *   shared-store    one manager for a directory
 */
export {
  type Client,
  type InArgs,
  type InStatement,
  type IntMode,
  type InValue,
  LibsqlBatchError,
  LibsqlError,
  type Replicated,
  type ResultSet,
  type Row,
  type Transaction,
  type TransactionMode,
  type Value,
} from "@libsql/core/api";
export { createClient } from "./client.ts";
export type { Config } from "./config.ts";
