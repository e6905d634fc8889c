/**
 * NAMES, PLACES, MOMENTS AND SIZES ON THE COMMAND LINE: what cannot be one is wrong usage, found before a
 * store is opened.
 */
import { Argument, InvalidArgumentError } from "commander";
import { GIB, KIB, MIB } from "../base/units.ts";
import { databaseName, snapshotName } from "../manager/index.ts";
import { parseLocation } from "../sink/index.ts";

const TIB = 1024 * GIB;

/** The argument of a command that names a database. */
export function nameArgument(meaning: string, placeholder = "<name>"): Argument {
  return new Argument(placeholder, meaning).argParser(checkedName);
}

/** The argument of a command that names a snapshot. */
export function snapshotArgument(meaning: string): Argument {
  return new Argument("<snapshot>", meaning).argParser(checkedSnapshot);
}

export function checkedName(text: string): string {
  return checked(text, databaseName);
}

export function checkedSnapshot(text: string): string {
  return checked(text, snapshotName);
}

/** A folder or bucket, as its URL. */
export function checkedPlace(url: string): string {
  checked(url, parseLocation);
  return url;
}

function checked<T>(text: string, check: (text: string) => T): T {
  try {
    return check(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: TIB };

/** `10GiB`, or bytes. */
export function sizeOf(text: string): number {
  const [, digits = "", unit = ""] = /^([0-9]+(?:\.[0-9]+)?) ?([KMGT]iB)?$/.exec(text) ?? [];
  const bytes = Math.floor(Number(digits) * (UNITS[unit] ?? Number.NaN));
  if (digits !== "" && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("It is no size such as 10GiB or 268435456.");
}

/** Of ISO 8601: `Date` alone takes "-5" for a day in 2001. */
const TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i;

/** A number is a position in the log; anything else is a time. */
export function momentOf(text: string): Date | { readonly lsn: number } {
  if (/^\d+$/.test(text)) return { lsn: Number(text) };
  const time = new Date(TIME.test(text) ? text : Number.NaN);
  if (Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError("It is neither an LSN nor a time such as 2026-11-22T12:00:00Z.");
  }
  return time;
}
