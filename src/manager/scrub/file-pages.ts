/**
 * THE PAGES OF ONE MOMENT IN A TEMPORARY FILE, as SQLite reads them: for a database that is looked
 * through and forgotten.
 *
 * (1) Nobody writes through it: who has it made sees to that (`admit`).
 */
import { assert } from "../../base/assert.ts";
import type { ScratchFile } from "../../base/env.ts";
import type { Lsn, PageNumber } from "../../base/units.ts";
import type { FrozenSpace, PageSpill, Snapshot, StagedCommit } from "../../page-store/index.ts";

export class FilePages implements FrozenSpace {
  readonly newestLsn: Lsn;
  readonly transactionMemoryBytes = 0;
  readonly #file: ScratchFile;
  readonly #snapshot: Snapshot;
  readonly #image: Uint8Array;

  /** Page n lies at `(n - 1) * pageBytes` of the file, which is its caller's. */
  constructor(file: ScratchFile, snapshot: Snapshot) {
    this.newestLsn = snapshot.lsn;
    this.#file = file;
    this.#snapshot = snapshot;
    this.#image = new Uint8Array(snapshot.pageBytes);
  }

  pin(): Snapshot {
    return this.#snapshot;
  }

  unpin(): void {}

  read({ pageBytes }: Snapshot, pageNumber: PageNumber): Uint8Array {
    this.#image.fill(0);
    this.#file.read(this.#image, (pageNumber - 1) * pageBytes);
    return this.#image;
  }

  takeBuffer(pageBytes: number): Uint8Array {
    return new Uint8Array(pageBytes);
  }

  spill(): PageSpill {
    return neverWritten();
  }

  stage(): StagedCommit {
    return neverWritten();
  }

  close(): void {}
}

function neverWritten(): never {
  assert(false, "nobody writes to the pages of a moment");
  throw new Error("unreachable");
}
