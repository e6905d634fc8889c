/**
 * DATABASES AS COMMANDS LOOK FOR THEM: one by name, with a hint at what may have been meant; or all of
 * them, as of record logs.
 */
import { StorageError } from "../base/errors.ts";
import type { DatabaseInfo, ListOptions, Manager } from "../manager/index.ts";
import { suggestion } from "./suggestion.ts";

/** Names that a misspelt one is compared with. */
const COMPARED_NAMES = 1000;

export async function findDatabase(
  manager: Manager,
  name: string,
): Promise<DatabaseInfo | undefined> {
  const [first] = await manager.list({ prefix: name, limit: 1 });
  return first?.name === name ? first : undefined;
}

/** Throws BOP_NOT_FOUND that names the nearest one there is. */
export async function existingDatabase(manager: Manager, name: string): Promise<DatabaseInfo> {
  const found = await findDatabase(manager, name);
  if (found !== undefined) return found;
  const known = await manager.list({ limit: COMPARED_NAMES });
  const near = suggestion(
    name,
    known.map((database) => database.name),
  );
  const hint = near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`;
  const message = `there is no database named ${JSON.stringify(name)}${hint}`;
  throw new StorageError("BOP_NOT_FOUND", message, { details: { database: name } });
}

/** All of them, in order of name. */
export function everyDatabase(manager: Manager, prefix?: string): AsyncGenerator<DatabaseInfo> {
  return everyOne((page) => manager.list(page), prefix);
}

/** Whatever is listed page by page, in order of name. */
export async function* everyOne<T extends { readonly name: string }>(
  list: (page: ListOptions) => Promise<readonly T[]>,
  prefix = "",
): AsyncGenerator<T> {
  let after = "";
  while (true) {
    const page = await list({ prefix, after });
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.name;
  }
}
