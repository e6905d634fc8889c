/** NAMES ON THE COMMAND LINE: what cannot be a name is wrong usage, found before a store is opened. */
import { Argument, InvalidArgumentError } from "commander";
import { databaseName } from "../manager/index.ts";

/** The argument of a command that names a database. */
export function nameArgument(meaning: string, placeholder = "<name>"): Argument {
  return new Argument(placeholder, meaning).argParser(checkedName);
}

export function checkedName(text: string): string {
  try {
    return databaseName(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
