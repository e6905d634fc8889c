/**
 * NAMES of databases: NFC-normalised, printable UTF-8, 1 to 255 bytes. Every name that enters the
 * engine passes here once; files are named by id, so no name can reach the file system.
 */

export const NAME_BYTES_MAX = 255;
/** Control, format and unassigned characters, surrogates, and the line and paragraph separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u;

declare const checked: unique symbol;
/** A name that has passed `databaseName`. */
export type DatabaseName = string & { readonly [checked]: true };

/** Throws a TypeError or RangeError that says what is wrong with the name. */
export function databaseName(name: unknown): DatabaseName {
  return checkedName("database", name) as DatabaseName;
}

/** As that of a database. The names of cursors are their own. */
export function cursorName(name: unknown): string {
  return checkedName("cursor", name);
}

/** As that of a database. Each database has names of its own for its snapshots, and so has the store. */
export function snapshotName(name: unknown): string {
  return checkedName("snapshot", name);
}

/** As that of a database. The names of record logs are their own. */
export function recordLogName(name: unknown): string {
  return checkedName("record log", name);
}

function checkedName(what: string, name: unknown): string {
  if (typeof name !== "string") {
    throw new TypeError(`a ${what} name is a string, not ${name === null ? "null" : typeof name}`);
  }
  const shown = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
  if (name.length === 0) throw new RangeError(`a ${what} name must not be empty`);
  if (UNPRINTABLE.test(name) || !name.isWellFormed()) {
    throw new RangeError(`${what} name ${shown} has characters that cannot be printed`);
  }
  if (name.normalize("NFC") !== name) {
    throw new RangeError(`${what} name ${shown} is not in NFC; pass name.normalize("NFC")`);
  }
  const bytes = Buffer.byteLength(name, "utf8");
  if (bytes > NAME_BYTES_MAX) {
    throw new RangeError(`${what} name ${shown} takes ${bytes} bytes; at most ${NAME_BYTES_MAX}`);
  }
  return name;
}
