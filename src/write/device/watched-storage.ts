/** STORAGE WHOSE OPERATIONS ARE WATCHED: what the log does to its files besides writing batches. */
import type { File, Storage } from "../../base/env.ts";
import type { OperationWatch } from "./operation-watch.ts";

export function watchedStorage(storage: Storage, watch: OperationWatch): Storage {
  const on = <T>(operation: string, file: string, call: () => Promise<T>): Promise<T> =>
    watch.during(call, { operation, file });
  return {
    open: async (path, mode) => {
      const file = await on("opening", path, () => storage.open(path, mode));
      return watchedFile(file, { path, watch });
    },
    openSync: (path) => storage.openSync(path),
    createSync: (path) => storage.createSync(path),
    mkdirSync: (path) => storage.mkdirSync(path),
    renameSync: (from, to) => storage.renameSync(from, to),
    syncDirectorySync: (path) => storage.syncDirectorySync(path),
    mkdir: (path) => on("creating", path, () => storage.mkdir(path)),
    list: (path) => on("listing", path, () => storage.list(path)),
    rename: (from, to) => on("renaming", from, () => storage.rename(from, to)),
    link: (from, to) => on("linking", from, () => storage.link(from, to)),
    unlink: (path) => on("removing", path, () => storage.unlink(path)),
    stat: (path) => on("looking at", path, () => storage.stat(path)),
    syncDirectory: (path) => on("sync", path, () => storage.syncDirectory(path)),
    freeBytes: (path) => storage.freeBytes(path),
    scratch: () => storage.scratch(),
    driver: (options) => storage.driver(options),
    threads: storage.threads,
  };
}

function watchedFile(
  file: File,
  { path, watch }: { readonly path: string; readonly watch: OperationWatch },
): File {
  const on = <T>(operation: string, call: () => Promise<T>): Promise<T> =>
    watch.during(call, { operation, file: path });
  return {
    read: (into, at) => on("reading", () => file.read(into, at)),
    readSync: (into, at) => file.readSync(into, at),
    write: (from, at) => on("writing", () => file.write(from, at)),
    writeSync: (from, at) => file.writeSync(from, at),
    sync: () => on("sync", () => file.sync()),
    syncSync: () => file.syncSync(),
    truncate: (bytes) => on("truncating", () => file.truncate(bytes)),
    preallocate: (bytes) => on("preallocating", () => file.preallocate(bytes)),
    size: () => on("looking at", () => file.size()),
    close: () => on("closing", () => file.close()),
  };
}
