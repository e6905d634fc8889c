/**
 * WHAT RECOVERY HANDS OUT: every commit of the log above the checkpoint, in order of LSN. A commit
 * without its commit frame is never handed out.
 */
import type { Lsn, PageNumber, StreamId } from "../base/units.ts";
import type { CommitFields } from "./log.ts";

export interface ReplayedCommit extends CommitFields {
  readonly stream: StreamId;
  readonly lsn: Lsn;
  /** In the order they were staged. Views into a buffer that is reused after the call. */
  readonly frames: readonly ReplayedFrame[];
}

export type ReplayedFrame =
  | { readonly kind: "page"; readonly pageNumber: PageNumber; readonly image: Uint8Array }
  | {
      readonly kind: "delta";
      readonly pageNumber: PageNumber;
      readonly baseLsn: Lsn;
      /** Makes the new image from the base; throws BOP_CORRUPT if its checksum is not as logged. */
      readonly apply: (base: Uint8Array) => Uint8Array;
    }
  | { readonly kind: "entry"; readonly payload: Uint8Array };
