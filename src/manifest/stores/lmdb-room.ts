/**
 * ROOM THAT AN LMDB FILE HAS ON THE DISK before it needs it, so that a store is opened, and says what
 * must be said, though the disk has become full.
 *
 *   0 ──── pages in use, or free ────┬──── zeros, at least ROOM_BYTES_MIN ────┐ end of the file
 *                              last page
 *
 * (1) A commit of LMDB never writes over a page that the commit before it needs. Where none is free it
 *     takes the one behind the last, and there the file grows: a full disk refuses that, however small
 *     the commit is. It finds blocks there that are the file's already.
 * (2) LMDB looks at its header only, never at where the file ends.
 * (3) Nobody commits meanwhile: what LMDB has put behind the end would be written over.
 */
import type { Storage } from "../../base/env.ts";

/** More than a small commit takes, several times over; made for some more commits at once. */
const ROOM_BYTES_MIN = 128 * 1024;
const ROOM_BYTES = 2 * ROOM_BYTES_MIN;

export class LmdbRoom {
  readonly #storage: Storage;
  readonly #path: string;
  #endBytes = 0;

  constructor(storage: Storage, path: string) {
    this.#storage = storage;
    this.#path = path;
  }

  /**
   * Behind `usedBytes` there is room when it resolves, if the disk has any; it never rejects. Undefined:
   * there is room already.
   */
  keep(usedBytes: number): Promise<void> | undefined {
    return usedBytes + ROOM_BYTES_MIN <= this.#endBytes ? undefined : this.#grow(usedBytes);
  }

  async #grow(usedBytes: number): Promise<void> {
    try {
      const file = await this.#storage.open(this.#path, "write");
      try {
        this.#endBytes = await file.size();
        if (usedBytes + ROOM_BYTES_MIN <= this.#endBytes) return;
        await file.preallocate(usedBytes + ROOM_BYTES);
        await file.sync();
        this.#endBytes = usedBytes + ROOM_BYTES;
      } finally {
        await file.close();
      }
    } catch {
      // A disk without room: it is tried again behind the next commit.
    }
  }
}
