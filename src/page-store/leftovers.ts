/**
 * LEFTOVERS of a process that ended in the middle of something: unfinished files in tmp/, and chunks
 * that no manifest came to name, or that a later one names no more.
 *
 * (1) A chunk that the manifest names is never removed, nor is a file whose name is not ours.
 */
import type { Storage } from "../base/env.ts";
import { ioError } from "../base/errors.ts";
import type { ChunkId } from "../base/units.ts";
import { chunkDirectory, chunkOfName } from "./chunk-files.ts";

/** Makes the directories that the page store needs, and empties them of leftovers. */
export async function removeLeftovers(
  storage: Storage,
  directory: string,
  isNamed: (chunk: ChunkId) => boolean,
): Promise<void> {
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
    for (const folder of await storage.list(chunks)) {
      if (/^[0-9a-f]{2}$/.test(folder)) await sweepFolder(storage, `${chunks}/${folder}`, isNamed);
    }
  } catch (cause) {
    throw ioError("clean", directory, cause);
  }
}

async function sweepFolder(
  storage: Storage,
  folder: string,
  isNamed: (chunk: ChunkId) => boolean,
): Promise<void> {
  for (const name of await storage.list(folder)) {
    const chunk = chunkOfName(name);
    if (chunk !== undefined && !isNamed(chunk)) await storage.unlink(`${folder}/${name}`);
  }
}
