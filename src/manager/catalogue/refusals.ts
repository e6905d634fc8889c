/** WHAT A DATABASE IS REFUSED FOR, by name: it is not there, not ready, or not what was asked for. */
import { isStorageError, StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import type { DatabaseOptions } from "../api/database.ts";
import { engineKind } from "../resolve-options.ts";
import type { CatalogueRow } from "./catalogue-row.ts";

/** Options say what a new database shall be; one that is there must not be taken for another. */
export function refuseMismatch(row: CatalogueRow, { engine }: DatabaseOptions): void {
  if (engine === undefined || engineKind(engine) === row.engine) return;
  throw new TypeError(
    `database ${JSON.stringify(row.name)} has engine "${row.engine}", not "${engine}"; ` +
      "leave the option out to open it as it is",
  );
}

export function checkedPageBytes(pageBytes: number): number {
  const isPower = Number.isInteger(pageBytes) && Number.isInteger(Math.log2(pageBytes));
  if (isPower && pageBytes >= 512 && pageBytes <= 65_536) return pageBytes;
  throw new RangeError(`database: pageBytes is ${pageBytes}; want a power of two, 512 to 65536`);
}

export function notFound(name: string): StorageError {
  return new StorageError("BOP_NOT_FOUND", `there is no database named ${JSON.stringify(name)}`, {
    details: { database: name },
  });
}

export function beingImported(name: string): StorageError {
  const message = `database ${JSON.stringify(name)} is being imported; it is there when that is done`;
  return new StorageError("BOP_EXISTS", message, { details: { name } });
}

/** The store was closed behind the creation, which may be durable: it is not as if nothing was done. */
export function unsureOfCreation(name: string, marks: CreationMarks, error: unknown): unknown {
  if (!isStorageError(error, "BOP_CLOSED")) return error;
  const message = `the store was closed while database ${JSON.stringify(name)} was being created`;
  return new StorageError("BOP_OUTCOME_UNKNOWN", message, { details: marks, cause: error });
}

interface CreationMarks {
  readonly lsn: Lsn;
  readonly durableLsn: Lsn;
}
