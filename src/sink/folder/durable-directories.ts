/**
 * DIRECTORIES THAT SURVIVE A POWER CUT, made when they are first needed.
 *
 * (1) `ready` returns when the directory and every name on the way to it from the root is synced.
 *     One below the root that is there already may be the work of a process that died before it
 *     synced: it is synced as well, once in the life of this object.
 * (2) Callers who need the same directory at the same time share the work; a failure is forgotten,
 *     so that the next one tries again.
 */
import type { Storage } from "../../base/env.ts";

export class DurableDirectories {
  readonly #storage: Storage;
  readonly #root: string;
  readonly #ready = new Map<string, Promise<void>>();

  constructor(storage: Storage, root: string) {
    this.#storage = storage;
    this.#root = root;
  }

  /** `path` is below the root, with slashes; empty for the root itself. */
  ready(path: string): Promise<void> {
    let making = this.#ready.get(path);
    if (making === undefined) {
      making = this.#make(path);
      this.#ready.set(path, making);
      making.catch(() => this.#ready.delete(path));
    }
    return making;
  }

  /** Somebody removed it: it is made anew when it is needed. */
  forget(): void {
    this.#ready.clear();
  }

  async #make(path: string): Promise<void> {
    if (path === "") return this.#makeRoot();
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    await this.ready(parent);
    await this.#storage.mkdir(`${this.#root}/${path}`);
    await this.#storage.syncDirectory(parent === "" ? this.#root : `${this.#root}/${parent}`);
  }

  /** What lies above it may not be ours to open: only what had to be made is synced. */
  async #makeRoot(): Promise<void> {
    const parents: string[] = [];
    let path = this.#root;
    while ((await this.#storage.stat(path)) === undefined) {
      path = path.slice(0, path.lastIndexOf("/")) || "/";
      parents.push(path);
      if (path === "/") break;
    }
    await this.#storage.mkdir(this.#root);
    for (const parent of parents) await this.#storage.syncDirectory(parent);
  }
}
