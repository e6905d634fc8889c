/**
 * REAL FILES BY PATH. Failures are Node's own system errors; callers wrap them.
 *
 * (1) `create` is exclusive: two creators of one path never share a file.
 * (2) Files are readable by their owner only: they hold other people's data.
 * (3) Where a directory cannot be opened for a sync (Windows), entries are as durable as the file
 *     system's own journal makes them; `syncDirectory` then does nothing.
 */
import {
  closeSync,
  constants,
  openSync as fsOpenSync,
  fsyncSync,
  mkdirSync,
  renameSync,
} from "node:fs";
import { link, mkdir, open, readdir, rename, stat, statfs, unlink } from "node:fs/promises";
import type { File, OpenMode, PathKind, Storage } from "../base/env.ts";
import { systemCode } from "../base/errors.ts";
import { spillingScratch } from "./scratch-file.ts";
import { systemDriver } from "./system-driver.ts";
import { openDescriptor, SystemFile } from "./system-file.ts";

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};
const FILE_MODE = 0o600;
/** libuv's pool: fixed when the process begins. */
const THREADS = Number(process.env.UV_THREADPOOL_SIZE) || 4;

export function systemStorage(scratchDirectory: string): Storage {
  return {
    async open(path, mode): Promise<File> {
      return new SystemFile(await openDescriptor(path, { flags: FLAGS[mode], mode: FILE_MODE }));
    },
    openSync: (path) => new SystemFile(fsOpenSync(path, FLAGS.read)),
    createSync: (path) => new SystemFile(fsOpenSync(path, FLAGS.create, FILE_MODE)),
    mkdirSync: (path) => void mkdirSync(path, { recursive: true }),
    renameSync,
    syncDirectorySync,
    async mkdir(path) {
      try {
        await mkdir(path, { recursive: true });
      } catch (error) {
        // On a read-only mount Node says ENOENT of a recursive mkdir; the plain one says why.
        if (systemCode(error) !== "ENOENT") throw error;
        await mkdir(path);
      }
    },
    list: async (path) => (await readdir(path)).sort(),
    rename,
    link,
    unlink,
    stat: statOf,
    syncDirectory,
    async freeBytes(path) {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    },
    scratch: () => spillingScratch(scratchDirectory),
    driver: (options) => systemDriver(options),
    threads: THREADS,
  };
}

async function statOf(path: string): Promise<{ bytes: number; kind: PathKind } | undefined> {
  try {
    const found = await stat(path);
    const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
    return { bytes: found.size, kind };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function syncDirectorySync(path: string): void {
  if (process.platform === "win32") return;
  const fd = fsOpenSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
