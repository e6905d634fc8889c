/**
 * LEFTOVERS of a process that ended in the middle of something: unfinished files in tmp/, and chunks
 * that no manifest came to name, or that a later one names no more.
 *
 * (1) A chunk that the manifest names is never removed, nor is a file whose name is not ours.
 * (2) Nor is one that a transaction wrote itself: a commit in the log may name it. They are returned.
 * (3) The last owner may have died between a commit of the manifest and what settles it: the mirror may
 *     still name what the manifest does not. It is settled before the first chunk goes.
 */
import type { Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import { decodeHeader, FILE_HEADER } from "../../chunk/index.ts";
import { chunkDirectory, chunkOfName } from "../chunks/chunk-files.ts";

export interface LeftoversPlace {
  readonly storage: Storage;
  /** Of the store. */
  readonly directory: string;
  /** See (3). */
  readonly settle: () => Promise<void>;
}

/**
 * Makes the directories that the page store needs, and empties them of leftovers. Returns the chunks
 * of (2).
 */
export async function removeLeftovers(
  { storage, directory, settle }: LeftoversPlace,
  isNamed: (chunk: ChunkId) => boolean,
): Promise<ChunkId[]> {
  const chunks = chunkDirectory(directory);
  const unfinished = `${directory}/tmp`;
  try {
    await storage.mkdir(chunks);
    await storage.mkdir(unfinished);
    await storage.syncDirectory(directory);
    for (const name of await storage.list(unfinished)) {
      const path = `${unfinished}/${name}`;
      if ((await storage.stat(path))?.kind === "file") await storage.unlink(path);
    }
    const unnamed: Unnamed[] = [];
    for (const folder of await storage.list(chunks)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      unnamed.push(...(await unnamedIn(storage, `${chunks}/${folder}`, isNamed)));
    }
    if (unnamed.length === 0) return [];
    await settle();
    return await sweep(storage, unnamed);
  } catch (cause) {
    throw ioError("clean", directory, cause);
  }
}

interface Unnamed {
  readonly chunk: ChunkId;
  readonly path: string;
}

async function unnamedIn(
  storage: Storage,
  folder: string,
  isNamed: (chunk: ChunkId) => boolean,
): Promise<Unnamed[]> {
  const names = await storage.list(folder);
  return names.flatMap((name) => {
    const chunk = chunkOfName(name);
    return chunk === undefined || isNamed(chunk) ? [] : [{ chunk, path: `${folder}/${name}` }];
  });
}

/** See (2). */
async function sweep(storage: Storage, unnamed: readonly Unnamed[]): Promise<ChunkId[]> {
  const spilled: ChunkId[] = [];
  for (const { chunk, path } of unnamed) {
    if (await isSpilled(storage, path)) spilled.push(chunk);
    else await storage.unlink(path);
  }
  return spilled;
}

/** One that cannot be read, or is damaged, may be: whoever needs it hears why it cannot be had. */
async function isSpilled(storage: Storage, path: string): Promise<boolean> {
  const file = await storage.open(path, "read");
  try {
    const bytes = new Uint8Array(FILE_HEADER.sizeBytes);
    const count = await file.read(bytes, 0).catch(() => undefined);
    if (count === undefined) return true;
    const answer = decodeHeader(bytes.subarray(0, count));
    return answer.type !== "header" || answer.header.spilled === true;
  } finally {
    await file.close().catch(() => undefined);
  }
}
