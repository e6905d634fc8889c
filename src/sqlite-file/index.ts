/**
 * SQLITE FILES of other programs, read for import. Pure but for the `Storage` it is given.
 *
 *   reader      a file and its -wal as they were at one moment; refuses what cannot be read
 *   header      the first 100 bytes
 *   wal-file    the -wal file: which frames are committed
 */
export { openSqliteFile, type SqliteFile } from "./reader.ts";
