/** WHAT A PAGE STORE IS OPENED WITH. */
import type { Env } from "../base/env.ts";
import type { Lsn } from "../base/units.ts";
import type { Manifest } from "../manifest/index.ts";
import type { PageStoreLimits } from "./limits.ts";
import type { HealedChunk, RemoteChunks } from "./residency/remote-chunks.ts";

export interface PageStoreOptions {
  /**
   * States of databases from here on are kept, pinned or not. By default nothing that is not the
   * newest is kept.
   */
  readonly historyLsn?: () => Lsn;
  readonly env: Env;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly manifest: Manifest;
  /**
   * Called before files go that a process left which has died, that were written for a commit which was
   * refused, or that the bucket has: resolves when the mirror has what the manifest has. Absent: there
   * is no mirror.
   */
  readonly settle?: () => Promise<void>;
  readonly limits?: PageStoreLimits;
  /** Asked before the file of a chunk goes that died at an LSN: whoever ships may still need it. */
  readonly mayForget?: (diedAtLsn: Lsn) => boolean;
  /** Where chunks are whose files are not here. Absent: all of them are. */
  readonly remote?: RemoteChunks;
  /** The file of a chunk was damaged, and is whole again. */
  readonly onHealed?: (healed: HealedChunk) => void;
}
