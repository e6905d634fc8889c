/**
 * DEAD FILES: chunks that no manifest names any more, or that were written for one that was refused.
 *
 *   added ──► nothing reads it ──► removed, behind the next commit of the manifest
 *
 * (1) Whether a publish that failed took place is known when a later one succeeds: then its chunks
 *     are named by nothing.
 * (2) A snapshot that reads from the chunks of a commit that spilled does not ask a map: its chunks
 *     stay until it is gone.
 */
import type { Storage } from "../base/env.ts";
import type { ChunkId } from "../base/units.ts";
import { chunkPath } from "./chunk-files.ts";
import type { Commons } from "./commons.ts";

export interface ChunkPlace {
  readonly storage: Storage;
  readonly directory: string;
}

export class DeadFiles {
  readonly #place: ChunkPlace;
  readonly #commons: Pick<Commons, "files" | "spillers">;
  #chunks: ChunkId[] = [];

  constructor(place: ChunkPlace, commons: Pick<Commons, "files" | "spillers">) {
    this.#place = place;
    this.#commons = commons;
  }

  add(chunks: readonly ChunkId[]): void {
    this.#chunks.push(...chunks);
  }

  /** A commit of the manifest has succeeded. */
  async remove(): Promise<void> {
    const { storage, directory } = this.#place;
    const { files, spillers } = this.#commons;
    const inUse = new Set<ChunkId>();
    for (const { spilled } of spillers) for (const chunk of spilled.chunks()) inUse.add(chunk);
    const removable = this.#chunks.filter((chunk) => !inUse.has(chunk));
    this.#chunks = this.#chunks.filter((chunk) => inUse.has(chunk));
    for (const chunk of removable) {
      await files.closeFile(chunk).catch(() => undefined);
      // A file that cannot be removed is a leftover, which the next open removes.
      await storage.unlink(chunkPath(directory, chunk)).catch(() => undefined);
    }
  }
}
