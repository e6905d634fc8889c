/**
 * SERVER: the databases of a manager for whoever speaks libSQL's Hrana protocol over HTTP.
 *
 *   server          start, listen, drain
 *   limits          what one client may cost
 *   database-name   which database a request means
 *   hrana/          the protocol
 *     protocol        requests and answers as types
 *     json-decode, json-encode, value      JSON ↔ those types
 *     http            routes and statuses
 *     pipeline        the requests of one call
 *     stream-table    who may go on with which stream
 *     stream          one session: a connection, stored texts, a transaction
 *     batch           conditions (pure)
 *     baton           signed tickets
 *     sql-text        just enough SQL
 *     error           what a client gets to see
 */
export type { ServerLimits } from "./limits.ts";
export { assertMayListen, type RunningServer, type ServerOptions, startServer } from "./server.ts";
