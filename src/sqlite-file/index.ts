/**
 * SQLITE FILES of other programs, read for import. Pure but for the `Storage` it is given.
 *
 *   reader      a file and its -wal as they were at one moment; refuses what cannot be read
 *   header      the first 100 bytes
 *   wal-file    the -wal file: which frames are committed
 *   page-walk   is every page where it belongs: tables, indexes, free list, pointer map
 *   tree-page   one page of a table or index; record and varint are what its cells are made of
 *   schema-row  what the schema says of a table or index
 */
export { type WalkedTree, type WalkVerdict, walkPages } from "./page-walk.ts";
export { openSqliteFile, type SqliteFile } from "./reader.ts";
