/**
 * THE C SIDE IN NUMBERS: every constant and struct offset that this folder uses, once, with the
 * name that SQLite gives it. Pointers are 32 bits wide in both builds.
 *
 * The structs of the VFS and `sqlite3_file` are public and fixed. `Mem` (a value in a result row)
 * is internal to SQLite: the builds are pinned to exact versions, and `engine.ts` compares what it
 * reads through these offsets with what the public functions say before it hands an engine out.
 */

/** Result codes; the extended ones carry the primary one in their low byte. */
export const SQLITE_OK = 0;
export const SQLITE_ERROR = 1;
export const SQLITE_BUSY = 5;
export const SQLITE_INTERRUPT = 9;
export const SQLITE_NOTFOUND = 12;
export const SQLITE_CANTOPEN = 14;
export const SQLITE_AUTH = 23;
export const SQLITE_ROW = 100;
export const SQLITE_DONE = 101;
export const SQLITE_IOERR_READ = 266;
export const SQLITE_IOERR_SHORT_READ = 522;
export const SQLITE_IOERR_WRITE = 778;
export const SQLITE_IOERR_FSYNC = 1034;
export const SQLITE_IOERR_TRUNCATE = 1546;
export const SQLITE_BUSY_SNAPSHOT = 517;

/** xOpen. */
export const SQLITE_OPEN_READWRITE = 0x2;
export const SQLITE_OPEN_CREATE = 0x4;
export const SQLITE_OPEN_MAIN_DB = 0x100;

/** xLock. */
export const LOCK_NONE = 0;
export const LOCK_SHARED = 1;
export const LOCK_RESERVED = 2;

/** xFileControl. */
export const SQLITE_FCNTL_SYNC = 21;
export const SQLITE_FCNTL_COMMIT_PHASETWO = 22;

/**
 * xDeviceCharacteristics. With UNDELETABLE_WHEN_OPEN the journal stays open between transactions;
 * with POWERSAFE_OVERWRITE its header takes 512 bytes; the others spare it syncs and rewrites.
 */
export const IOCAP_SAFE_APPEND = 0x200;
export const IOCAP_SEQUENTIAL = 0x400;
export const IOCAP_UNDELETABLE_WHEN_OPEN = 0x800;
export const IOCAP_POWERSAFE_OVERWRITE = 0x1000;

/** sqlite3_db_config. */
export const SQLITE_DBCONFIG_LOOKASIDE = 1001;
export const SQLITE_DBCONFIG_DEFENSIVE = 1010;
export const SQLITE_DBCONFIG_TRUSTED_SCHEMA = 1017;

/** sqlite3_db_status and sqlite3_stmt_status. */
export const SQLITE_DBSTATUS_DEFERRED_FKS = 10;
export const SQLITE_STMTSTATUS_REPREPARE = 5;

/** sqlite3_prepare_v3: the statement will be kept, so it stays out of the lookaside memory. */
export const SQLITE_PREPARE_PERSISTENT = 1;

/** A bound value is copied at once. */
export const SQLITE_TRANSIENT = -1;

/** Byte offsets in `struct sqlite3_file`: our own field follows the method table. */
export const FILE_STRUCT = { methods: 0, id: 4, sizeBytes: 8 } as const;

/** Offsets of the database header within page 1. Big-endian, as all of SQLite's file format. */
export const HEADER = {
  pageBytes: 16,
  changeCounter: 24,
  pageCount: 28,
  /** The change counter for which `pageCount` is true. */
  versionValidFor: 92,
  sizeBytes: 100,
} as const;

/** What the pager reads after each SHARED lock, to see if its cache is still true. */
export const CACHE_STAMP = { offset: HEADER.changeCounter, bytes: 16 } as const;

/** Byte offsets in `Mem`, and the bits of `flags` that say what it holds. */
export const MEM = {
  number: 0,
  pointer: 8,
  bytes: 12,
  flags: 16,
  sizeBytes: 40,
  isNull: 0x1,
  isText: 0x2,
  isInteger: 0x4,
  isReal: 0x8,
  isBlob: 0x10,
  isIntegerAsReal: 0x20,
  /** A blob whose tail of zeros is not spelled out. */
  hasZeros: 0x400,
} as const;
