/**
 * KEYS OF A FOLDER IN ORDER, without looking into directories that cannot hold any that is wanted.
 *
 * (1) The order is that of the keys' bytes: a directory `a` sorts as `a/`, behind a file `a-b`.
 * (2) What is no key (`.unfinished`, the notes of an operator) is passed over.
 * (3) What vanishes meanwhile is passed over: listing is a hint.
 */
import type { Storage } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";
import { isKey } from "../object-key.ts";

export interface KeysWanted {
  readonly prefix: string;
  readonly after: string;
}

export interface FoundFile {
  readonly key: string;
  readonly bytes: number;
}

interface Entry {
  /** Of a directory: with a slash at its end. */
  readonly key: string;
  readonly bytes: number;
}

export async function* keysFrom(
  storage: Storage,
  root: string,
  wanted: KeysWanted,
): AsyncIterable<FoundFile> {
  const folder = wanted.prefix.slice(0, wanted.prefix.lastIndexOf("/") + 1);
  yield* walk({ storage, root, wanted }, folder);
}

interface Walk {
  readonly storage: Storage;
  readonly root: string;
  readonly wanted: KeysWanted;
}

async function* walk(from: Walk, folder: string): AsyncIterable<FoundFile> {
  for (const { key, bytes } of await entries(from, folder)) {
    if (!key.endsWith("/")) yield { key, bytes };
    else yield* walk(from, key);
  }
}

async function entries({ storage, root, wanted }: Walk, folder: string): Promise<Entry[]> {
  const found: Entry[] = [];
  for (const name of await namesIn(storage, `${root}/${folder}`)) {
    const key = `${folder}${name}`;
    if (!isKey(key) || !mayHold(key, wanted)) continue;
    const stat = await storage.stat(`${root}/${key}`);
    if (stat?.kind === "directory") found.push({ key: `${key}/`, bytes: 0 });
    if (stat?.kind === "file" && isWanted(key, wanted)) found.push({ key, bytes: stat.bytes });
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function isWanted(key: string, { prefix, after }: KeysWanted): boolean {
  return key.startsWith(prefix) && key > after;
}

/** As a file, or as a directory of some. */
function mayHold(key: string, wanted: KeysWanted): boolean {
  const { prefix, after } = wanted;
  if (isWanted(key, wanted)) return true;
  const folder = `${key}/`;
  const inPrefix = folder.startsWith(prefix) || prefix.startsWith(folder);
  return inPrefix && (folder > after || after.startsWith(folder));
}

async function namesIn(storage: Storage, path: string): Promise<readonly string[]> {
  try {
    return await storage.list(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return [];
    throw error;
  }
}
