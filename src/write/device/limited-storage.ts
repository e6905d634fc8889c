/**
 * STORAGE WITH A LIMIT ON WHAT IS UNDER WAY, so that the log never queues behind the rest: the
 * system's pool has few threads, and a chunk that is being written holds one of them.
 *
 * (1) At most `maxConcurrentWrites` calls that change something are under way; the others wait
 *     outside of the pool, in order of arrival. Reads and the log's own driver are not counted: the
 *     reader of a page holds up nobody but itself.
 * (2) What the thread waits for (`…Sync`) takes no permit: it could not wait for one.
 */
import type { File, Storage } from "../../base/env.ts";

export function limitedStorage(storage: Storage, maxConcurrentWrites: number): Storage {
  const permits = new Permits(maxConcurrentWrites);
  return {
    open: async (path, mode) => {
      const open = () => storage.open(path, mode);
      return limitedFile(mode === "create" ? await permits.during(open) : await open(), permits);
    },
    openSync: (path) => storage.openSync(path),
    createSync: (path) => storage.createSync(path),
    mkdirSync: (path) => storage.mkdirSync(path),
    renameSync: (from, to) => storage.renameSync(from, to),
    syncDirectorySync: (path) => storage.syncDirectorySync(path),
    mkdir: (path) => permits.during(() => storage.mkdir(path)),
    list: (path) => storage.list(path),
    rename: (from, to) => permits.during(() => storage.rename(from, to)),
    link: (from, to) => permits.during(() => storage.link(from, to)),
    unlink: (path) => permits.during(() => storage.unlink(path)),
    stat: (path) => storage.stat(path),
    syncDirectory: (path) => permits.during(() => storage.syncDirectory(path)),
    freeBytes: (path) => storage.freeBytes(path),
    scratch: () => storage.scratch(),
    driver: (options) => storage.driver(options),
    threads: storage.threads,
  };
}

function limitedFile(file: File, permits: Permits): File {
  return {
    read: (into, at) => file.read(into, at),
    readSync: (into, at) => file.readSync(into, at),
    write: (from, at) => permits.during(() => file.write(from, at)),
    writeSync: (from, at) => file.writeSync(from, at),
    sync: () => permits.during(() => file.sync()),
    syncSync: () => file.syncSync(),
    truncate: (bytes) => permits.during(() => file.truncate(bytes)),
    preallocate: (bytes) => permits.during(() => file.preallocate(bytes)),
    size: () => file.size(),
    close: () => file.close(),
  };
}

class Permits {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async during<T>(call: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await call();
    } finally {
      this.#pass();
    }
  }

  /** To who waits longest, so that nobody who comes later overtakes. */
  #pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
