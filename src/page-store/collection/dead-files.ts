/**
 * DEAD FILES: chunks that no manifest names any more, or that were written for one that was refused.
 *
 *   added ──► nothing reads it, nobody ships it ──► removed, behind the next commit of the manifest
 *
 * (1) Whether a publish that failed took place is known when a later one succeeds: then its chunks
 *     are named by nothing.
 * (2) A snapshot that reads from the chunks of a commit that spilled does not ask a map: its chunks
 *     stay until it is gone.
 * (3) Where the store ships to a bucket, the log that is not there yet may name a chunk that died here:
 *     it stays until whoever ships lets it go (`mayForget`).
 */
import type { Storage } from "../../base/env.ts";
import type { ChunkId, Lsn } from "../../base/units.ts";
import { chunkPath } from "../chunks/chunk-files.ts";
import type { Commons } from "../commons.ts";

interface DeadFilesOptions {
  readonly storage: Storage;
  readonly directory: string;
  /** See (3). Absent: nobody ships anything. */
  readonly mayForget?: ((diedAtLsn: Lsn) => boolean) | undefined;
}

interface DeadFile {
  readonly chunk: ChunkId;
  /** The checkpoint that needed it no more: no commit above names it. */
  readonly diedAtLsn: Lsn;
}

export class DeadFiles {
  readonly #options: DeadFilesOptions;
  readonly #commons: Pick<Commons, "files" | "spillers" | "residency">;
  #dead: DeadFile[] = [];

  constructor(
    options: DeadFilesOptions,
    commons: Pick<Commons, "files" | "spillers" | "residency">,
  ) {
    this.#options = options;
    this.#commons = commons;
  }

  add(chunks: readonly ChunkId[], diedAtLsn: Lsn): void {
    for (const chunk of chunks) this.#dead.push({ chunk, diedAtLsn });
  }

  /** A commit of the manifest has succeeded. */
  async remove(): Promise<void> {
    const { storage, directory, mayForget } = this.#options;
    const { files, spillers, residency } = this.#commons;
    const inUse = new Set<ChunkId>();
    for (const spilled of spillers) for (const chunk of spilled.chunks()) inUse.add(chunk);
    const stays = ({ chunk, diedAtLsn }: DeadFile): boolean =>
      inUse.has(chunk) || mayForget?.(diedAtLsn) === false;
    const removable = this.#dead.filter((dead) => !stays(dead));
    this.#dead = this.#dead.filter(stays);
    for (const { chunk } of removable) {
      await residency.forget(chunk);
      await files.closeFile(chunk).catch(() => undefined);
      // A file that cannot be removed is a leftover, which the next open removes.
      await storage.unlink(chunkPath(directory, chunk)).catch(() => undefined);
    }
  }
}
