/**
 * DEAD FILES: chunks that no manifest names any more, or that were written for a commit of it that was
 * refused.
 *
 *   named no more ───────────────────────────────────────► dead ─────► removed
 *   refused ─────► doubted ─── a later commit is settled ───┘    nothing reads it, nobody ships it
 *
 * (1) A refused commit may have been made all the same: then the manifest that is opened next names its
 *     chunks. When a later one has succeeded it was not made, or was taken back. Where none succeeds any
 *     more, the chunks stay, and the next open knows. Nothing more is written meanwhile: see
 *     maintenance.ts (5).
 * (2) A commit is settled when the mirror of the manifest has it too, so that a manifest that is made
 *     again from the mirror finds every chunk that it names.
 * (3) A snapshot that reads from the chunks of a commit that spilled does not ask a map: its chunks
 *     stay until it is gone.
 * (4) Where the store ships to a bucket, the log that is not there yet may name a chunk that died here:
 *     it stays until whoever ships lets it go (`mayForget`).
 */
import type { Storage } from "../../base/env.ts";
import type { ChunkId, Lsn } from "../../base/units.ts";
import { chunkPath } from "../chunks/chunk-files.ts";
import type { Commons } from "../commons.ts";

interface DeadFilesOptions {
  readonly storage: Storage;
  readonly directory: string;
  /** See (4). Absent: nobody ships anything. */
  readonly mayForget?: ((diedAtLsn: Lsn) => boolean) | undefined;
  /** Of the newest commit of the manifest that succeeded. */
  readonly generation: () => number;
}

interface DeadFile {
  readonly chunk: ChunkId;
  /** The checkpoint that needed it no more: no commit above names it. */
  readonly diedAtLsn: Lsn;
  /** A commit above it is to be settled first. Undefined: it is dead. */
  readonly doubtedAt: number | undefined;
}

export class DeadFiles {
  readonly #options: DeadFilesOptions;
  readonly #commons: Pick<Commons, "files" | "spillers" | "residency">;
  #dead: DeadFile[] = [];
  #settledGeneration = 0;

  constructor(
    options: DeadFilesOptions,
    commons: Pick<Commons, "files" | "spillers" | "residency">,
  ) {
    this.#options = options;
    this.#commons = commons;
  }

  /** A commit that succeeded names them no more. Settle it before anything is removed. */
  add(chunks: readonly ChunkId[], diedAtLsn: Lsn): void {
    for (const chunk of chunks) this.#dead.push({ chunk, diedAtLsn, doubtedAt: undefined });
  }

  /** They were written for a commit that was refused: see (1). */
  doubt(chunks: readonly ChunkId[], diedAtLsn: Lsn): void {
    const doubtedAt = this.#options.generation();
    for (const chunk of chunks) this.#dead.push({ chunk, diedAtLsn, doubtedAt });
  }

  /** Some wait for a later commit. */
  get hasDoubts(): boolean {
    return this.#dead.some((dead) => this.#isDoubted(dead));
  }

  /** See (2). */
  settled(generation: number): void {
    this.#settledGeneration = Math.max(this.#settledGeneration, generation);
  }

  async remove(): Promise<void> {
    const { storage, directory, mayForget } = this.#options;
    const { files, spillers, residency } = this.#commons;
    const inUse = new Set<ChunkId>();
    for (const spilled of spillers) for (const chunk of spilled.chunks()) inUse.add(chunk);
    const stays = (dead: DeadFile): boolean =>
      this.#isDoubted(dead) || inUse.has(dead.chunk) || mayForget?.(dead.diedAtLsn) === false;
    const removable = this.#dead.filter((dead) => !stays(dead));
    this.#dead = this.#dead.filter(stays);
    for (const { chunk } of removable) {
      await residency.forget(chunk);
      await files.closeFile(chunk).catch(() => undefined);
      // A file that cannot be removed is a leftover, which the next open removes.
      await storage.unlink(chunkPath(directory, chunk)).catch(() => undefined);
    }
  }

  #isDoubted({ doubtedAt }: DeadFile): boolean {
    return doubtedAt !== undefined && doubtedAt >= this.#settledGeneration;
  }
}
