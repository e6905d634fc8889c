/** NAMES ON THE COMMAND LINE: what cannot be a name is wrong usage, found before a store is opened. */
import { Argument, InvalidArgumentError } from "commander";
import { databaseName, snapshotName } from "../manager/index.ts";

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

function checked(text: string, check: (text: string) => string): string {
  try {
    return check(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
