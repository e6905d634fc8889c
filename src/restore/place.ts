/**
 * THE DIRECTORY THAT A STORE IS RESTORED TO.
 *
 *   empty ──begin──► marked (chunks, log, manifest, superblock come) ──finish──► a store
 *                      └── cut off: begin again, with the same point or another
 *
 * (1) A directory that holds anything else than a restore that was cut off is refused, and nothing
 *     in it is touched.
 * (2) The marker is the first that comes and the last that goes, each synced. While it is there the
 *     directory is no store: opening it is refused.
 * (3) The marker says what was being restored. Chunks that lie there count only if that is the same:
 *     another history has other pages under the same ids.
 * (4) A store that is started from its sink is opened while the marker is there, and may write: nothing
 *     that lies there counts when it begins again. It is finished when the bucket is known to be its.
 *     So is one that begins where the bucket holds none: another machine may begin there first.
 */
import { dirname } from "node:path";
import type { Storage } from "../base/env.ts";
import { ioError, StorageError } from "../base/errors.ts";
import { chunkOfName } from "../page-store/index.ts";

const MARKER = "restoring";
const MARKER_FORMAT = 1;
/** Whoever restores owns the directory; that lies there first. */
const ALLOWED: ReadonlySet<string> = new Set(["owner", "lost+found"]);
const FOLDERS = ["manifest", "wal", "chunks", "tmp"];
/** Files that are written anew each time. */
const FILES = ["superblock", "manifest.mirror"];

/** What is restored, or where a store begins: chunks of two restores are the same if this is. */
export interface RestoredFrom {
  readonly location: string;
  readonly storeId: string;
  /** Of the state of the manifest; 0 for none. */
  readonly epoch: number;
  readonly number: number;
  /** By a store that is being opened: see (4). */
  readonly starts?: boolean;
}

export interface RestorePlace {
  readonly storage: Storage;
  readonly directory: string;
}

/** Throws BOP_EXISTS for a directory that is neither empty nor marked: see (1). */
export async function refuseOccupied(place: RestorePlace): Promise<void> {
  const why = await whatOccupies(place);
  if (why !== undefined) throw occupied(place.directory, why);
}

/** Undefined if it is empty or marked. */
export async function whatOccupies({ storage, directory }: RestorePlace) {
  const found = await storage.stat(directory).catch(failed("look at", directory));
  if (found === undefined) return undefined;
  if (found.kind !== "directory") return "it is a file";
  const names = await storage.list(directory).catch(failed("list", directory));
  if (names.includes(MARKER)) return undefined;
  const strange = names.find((name) => !ALLOWED.has(name));
  return strange && `there is ${strange} in it`;
}

/** A store whose restore was cut off is not opened: see (2). */
export async function refuseUnfinishedRestore({ storage, directory }: RestorePlace) {
  const file = `${directory}/${MARKER}`;
  if ((await storage.stat(file).catch(failed("look at", file))) === undefined) return;
  const why = "a restore to this directory was cut off; restore again, or remove the directory";
  const message = `the store in ${directory} cannot be opened: ${why}`;
  throw new StorageError("BOP_CORRUPT", message, { details: { file, offset: 0, why } });
}

/**
 * A store was being started here from its sink, and was not opened: see (4). So is a marker that is
 * torn, before which nothing came.
 */
export async function isStartCutOff(place: RestorePlace): Promise<boolean> {
  const file = `${place.directory}/${MARKER}`;
  const text = await markerOf(place).catch(failed("read", file));
  return text !== undefined && startsIn(text);
}

function startsIn(text: string): boolean {
  try {
    const found: unknown = JSON.parse(text);
    return (
      typeof found === "object" && found !== null && "starts" in found && found.starts === true
    );
  } catch {
    return true;
  }
}

/** Folders made, marker written. What lies there that does not belong is removed: see (3). */
export async function beginRestore(place: RestorePlace, from: RestoredFrom): Promise<void> {
  const { storage, directory } = place;
  const file = `${directory}/${MARKER}`;
  const text = JSON.stringify({ format: MARKER_FORMAT, ...from });
  try {
    await storage.mkdir(directory);
    const isSame = (await markerOf(place)) === text && from.starts !== true;
    if (!isSame) await writeMarker(place, text);
    await storage.syncDirectory(dirname(directory));
    await storage.syncDirectory(directory);
    for (const name of FOLDERS) await storage.mkdir(`${directory}/${name}`);
    for (const name of FILES) await removeFile(storage, `${directory}/${name}`);
    await removeAll(storage, `${directory}/wal`);
    await removeAll(storage, `${directory}/tmp`);
    if (!isSame) await removeChunks(place);
    await storage.syncDirectory(`${directory}/wal`);
    await storage.syncDirectory(directory);
  } catch (cause) {
    throw cause instanceof StorageError ? cause : ioError("write", file, cause);
  }
}

/** Everything is in place and synced: the directory is a store. */
export async function finishRestore({ storage, directory }: RestorePlace): Promise<void> {
  const file = `${directory}/${MARKER}`;
  await storage.unlink(file).catch(failed("remove", file));
  await storage.syncDirectory(directory).catch(failed("sync", directory));
}

/** Undefined if there is none that can be read. */
async function markerOf({ storage, directory }: RestorePlace): Promise<string | undefined> {
  const path = `${directory}/${MARKER}`;
  if ((await storage.stat(path)) === undefined) return undefined;
  const file = await storage.open(path, "read");
  try {
    const bytes = new Uint8Array(await file.size());
    await file.read(bytes, 0);
    return Buffer.from(bytes).toString("utf8");
  } finally {
    await file.close();
  }
}

/** One that is torn is of no restore: then everything is fetched anew. */
async function writeMarker({ storage, directory }: RestorePlace, text: string): Promise<void> {
  const path = `${directory}/${MARKER}`;
  const isThere = (await storage.stat(path)) !== undefined;
  const file = await storage.open(path, isThere ? "write" : "create");
  try {
    await file.truncate(0);
    await file.write(Buffer.from(text), 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function removeChunks({ storage, directory }: RestorePlace): Promise<void> {
  const chunks = `${directory}/chunks`;
  for (const folder of await storage.list(chunks)) {
    const path = `${chunks}/${folder}`;
    if ((await storage.stat(path))?.kind !== "directory") continue;
    for (const name of await storage.list(path)) {
      if (chunkOfName(name) !== undefined) await storage.unlink(`${path}/${name}`);
    }
    await storage.syncDirectory(path);
  }
}

async function removeAll(storage: Storage, directory: string): Promise<void> {
  for (const name of await storage.list(directory)) {
    await removeFile(storage, `${directory}/${name}`);
  }
}

async function removeFile(storage: Storage, path: string): Promise<void> {
  if ((await storage.stat(path))?.kind === "file") await storage.unlink(path);
}

function occupied(directory: string, why: string): StorageError {
  const message = `${directory} cannot take a restored store: ${why}; name a new directory`;
  return new StorageError("BOP_EXISTS", message, { details: { name: directory } });
}

function failed(operation: string, file: string): (cause: unknown) => never {
  return (cause) => {
    throw ioError(operation, file, cause);
  };
}
