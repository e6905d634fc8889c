/**
 * THE JANITOR of a running store: deletes that failed are tried again, so that nothing is orphaned
 * until the next open only because a device had a bad moment.
 *
 * (1) What is to be deleted is named by nothing, now and ever: ids of chunks are not given twice. So
 *     a later try deletes what the first was to delete.
 * (2) That a file is not there is no failure: it is what was wanted.
 * (3) What is still owed when the store closes is a leftover, which the next open removes.
 */
import type { Storage } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";

export class Janitor {
  /** As the storage it is made over, and it remembers what could not be deleted. */
  readonly storage: Storage;
  readonly #below: Storage;
  readonly #owed = new Set<string>();

  constructor(below: Storage) {
    this.#below = below;
    this.storage = {
      open: (path, mode) => below.open(path, mode),
      openSync: (path) => below.openSync(path),
      createSync: (path) => below.createSync(path),
      mkdirSync: (path) => below.mkdirSync(path),
      renameSync: (from, to) => below.renameSync(from, to),
      syncDirectorySync: (path) => below.syncDirectorySync(path),
      mkdir: (path) => below.mkdir(path),
      list: (path) => below.list(path),
      rename: (from, to) => below.rename(from, to),
      link: (from, to) => below.link(from, to),
      unlink: (path) => this.#unlink(path),
      stat: (path) => below.stat(path),
      syncDirectory: (path) => below.syncDirectory(path),
      freeBytes: (path) => below.freeBytes(path),
      scratch: () => below.scratch(),
      driver: (options) => below.driver(options),
      threads: below.threads,
    };
  }

  /** Files that nothing names and that are still there. */
  get owed(): number {
    return this.#owed.size;
  }

  /** Tries once more what is owed. Does not reject. */
  async tryAgain(): Promise<void> {
    for (const path of [...this.#owed]) await this.#unlink(path).catch(() => undefined);
  }

  async #unlink(path: string): Promise<void> {
    try {
      await this.#below.unlink(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") {
        this.#owed.add(path);
        throw error;
      }
    }
    this.#owed.delete(path);
  }
}
