/** DATABASES AS COMMANDS LOOK FOR THEM: one by name, with a hint at what may have been meant. */
import { StorageError } from "../base/errors.ts";
import type { DatabaseInfo, Manager } from "../manager/index.ts";
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

/** All of them, page by page, in order of name. */
export async function* everyDatabase(
  manager: Manager,
  prefix?: string,
): AsyncGenerator<DatabaseInfo> {
  let after: string | undefined;
  do {
    const page = await manager.list({
      ...(prefix === undefined ? {} : { prefix }),
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    after = page.at(-1)?.name;
  } while (after !== undefined);
}
