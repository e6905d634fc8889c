/**
 * THE COMMIT THAT IS STAGED NOW: what `seal` will publish. There is one for the store, used again
 * and again, since the log takes one commit at a time and a commit should allocate nothing but what
 * stays.
 *
 *            begin              seal, discard
 *     idle ─────────► staged ─────────────────► idle
 *
 * (1) Until `seal` nothing that a reader could see has changed.
 * (2) `seal` cannot fail: everything it needs was made while staging.
 */
import { assert, present } from "../../base/assert.ts";
import type { Lsn } from "../../base/units.ts";
import type { StagedFrames } from "../../write/index.ts";
import type { StagedCommit } from "../page-space.ts";
import type { SpilledPages } from "../spill/spilled.ts";
import type { PageBuffers } from "./buffers.ts";
import type { DatabaseSize } from "./moments.ts";
import type { Chain, Version } from "./overlay.ts";

/** New versions of pages, with the chains that they will end. */
export interface StagedPages {
  readonly pageNumbers: readonly number[];
  readonly versions: readonly Version[];
  readonly chains: readonly (Chain | undefined)[];
  /** Pages that lie on disk instead, if the commit was too large for memory. */
  readonly spilled: SpilledPages | undefined;
}

export interface StagingDatabase {
  publish(lsn: Lsn, size: DatabaseSize, pages: StagedPages): void;
}

const FEW = 8;

export class Staging implements StagedCommit, StagedPages {
  readonly pageNumbers: number[] = [];
  readonly versions: Version[] = [];
  readonly chains: (Chain | undefined)[] = [];
  spilled: SpilledPages | undefined;
  /** Images that need no version, since they are what is there already. */
  readonly #unchanged: Uint8Array[] = [];
  readonly #buffers: PageBuffers;
  #database: StagingDatabase | undefined;
  #frames: StagedFrames | undefined;
  #size: DatabaseSize = { pageCount: 0, pageBytes: 0 };

  constructor(buffers: PageBuffers) {
    this.#buffers = buffers;
  }

  get idle(): boolean {
    return this.#database === undefined;
  }

  /** Of the commit that is staged, which is not a replayed one. */
  get frames(): StagedFrames {
    return present(this.#frames, "a commit that goes to the log");
  }

  begin(database: StagingDatabase, size: DatabaseSize, frames: StagedFrames | undefined): void {
    assert(this.idle, "one commit is staged at a time");
    this.#database = database;
    this.#size = size;
    this.#frames = frames;
  }

  add(pageNumber: number, chain: Chain | undefined, version: Version): void {
    this.pageNumbers.push(pageNumber);
    this.versions.push(version);
    this.chains.push(chain);
  }

  addUnchanged(image: Uint8Array): void {
    this.#unchanged.push(image);
  }

  seal(): Lsn {
    const frames = present(this.#frames, "a staged commit is sealed or discarded once");
    const lsn = frames.seal(this.#size);
    this.#publish(lsn);
    return lsn;
  }

  /** Publishes a commit that recovery read, and that is in the log already. */
  sealReplayed(lsn: Lsn): void {
    assert(this.#frames === undefined, "a commit that has frames to seal");
    this.#publish(lsn);
  }

  discard(): void {
    assert(!this.idle, "a staged commit is sealed or discarded once");
    this.#frames?.discard();
    this.#clear();
  }

  #publish(lsn: Lsn): void {
    const database = present(this.#database, "a staged commit is sealed or discarded once");
    database.publish(lsn, this.#size, this);
    for (const image of this.#unchanged) this.#buffers.give(image);
    this.#clear();
  }

  #clear(): void {
    this.#database = undefined;
    this.#frames = undefined;
    this.spilled = undefined;
    empty(this.pageNumbers);
    empty(this.versions);
    empty(this.chains);
    empty(this.#unchanged);
  }
}

/** Of a few entries, which is what nearly every commit has, setting the length takes longer. */
function empty(list: unknown[]): void {
  if (list.length > FEW) list.length = 0;
  while (list.length > 0) list.pop();
}
