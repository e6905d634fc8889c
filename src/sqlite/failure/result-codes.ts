/**
 * RESULT CODES BY NAME: all of SQLite's, extended ones included. The extended code is
 * `primary | (index << 8)`; the names of a primary code's extensions stand in order of that index.
 */

const PRIMARY = [
  "OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL",
  "CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB",
  "NOTICE WARNING",
]
  .join(" ")
  .split(" ");

const EXTENDED: Readonly<Record<string, string>> = {
  OK: "LOAD_PERMANENTLY SYMLINK",
  ERROR: "MISSING_COLLSEQ RETRY SNAPSHOT RESERVESIZE KEY UNABLE",
  IOERR:
    "READ SHORT_READ WRITE FSYNC DIR_FSYNC TRUNCATE FSTAT UNLOCK RDLOCK DELETE BLOCKED NOMEM " +
    "ACCESS CHECKRESERVEDLOCK LOCK CLOSE DIR_CLOSE SHMOPEN SHMSIZE SHMLOCK SHMMAP SEEK " +
    "DELETE_NOENT MMAP GETTEMPPATH CONVPATH VNODE AUTH BEGIN_ATOMIC COMMIT_ATOMIC " +
    "ROLLBACK_ATOMIC DATA CORRUPTFS IN_PAGE BADKEY CODEC",
  LOCKED: "SHAREDCACHE VTAB",
  BUSY: "RECOVERY SNAPSHOT TIMEOUT",
  CANTOPEN: "NOTEMPDIR ISDIR FULLPATH CONVPATH DIRTYWAL SYMLINK",
  CORRUPT: "VTAB SEQUENCE INDEX",
  READONLY: "RECOVERY CANTLOCK ROLLBACK DBMOVED CANTINIT DIRECTORY",
  ABORT: "- ROLLBACK",
  CONSTRAINT:
    "CHECK COMMITHOOK FOREIGNKEY FUNCTION NOTNULL PRIMARYKEY TRIGGER UNIQUE VTAB ROWID PINNED " +
    "DATATYPE",
  NOTICE: "RECOVER_WAL RECOVER_ROLLBACK RBU",
  WARNING: "AUTOINDEX",
  AUTH: "USER",
};

const NAMES = new Map<number, string>([
  [100, "SQLITE_ROW"],
  [101, "SQLITE_DONE"],
]);
for (const [code, primary] of PRIMARY.entries()) {
  // SQLite numbers NOTICE and WARNING 27 and 28, right behind NOTADB.
  NAMES.set(code, `SQLITE_${primary}`);
  for (const [index, name] of (EXTENDED[primary]?.split(" ") ?? []).entries()) {
    if (name !== "-") NAMES.set(code | ((index + 1) << 8), `SQLITE_${primary}_${name}`);
  }
}

/** `SQLITE_CONSTRAINT_UNIQUE` for 2067. A code that is new to us is named after its primary one. */
export function resultCodeName(code: number): string {
  return NAMES.get(code) ?? NAMES.get(code & 0xff) ?? `SQLITE_${code}`;
}
