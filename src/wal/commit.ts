/**
 * A COMMIT AS THE LOG KNOWS IT: what its commit frame says of the database, and what recovery
 * hands out. Every commit of the log above the checkpoint is handed out, in order of LSN; a commit
 * without its commit frame never is.
 */
import type { Lsn, PageNumber, StreamId } from "../base/units.ts";
import type { SpillFields } from "./frame.ts";

export interface CommitFields {
  /** Pages of the database after this commit; 0 for the catalogue. */
  readonly pageCount: number;
  /** Bytes of a page of the database; 0 for the catalogue. */
  readonly pageBytes: number;
}

export interface ReplayedCommit extends CommitFields {
  readonly stream: StreamId;
  readonly lsn: Lsn;
  /** Of the last commit of its group, before which none of them counts; undefined if it is alone. */
  readonly groupLsn?: Lsn;
  /** In the order they were staged. Views into a buffer that is reused after the call. */
  readonly frames: readonly ReplayedFrame[];
}

export type ReplayedFrame =
  | { readonly kind: "page"; readonly pageNumber: PageNumber; readonly image: Uint8Array }
  | {
      readonly kind: "delta";
      readonly pageNumber: PageNumber;
      readonly baseLsn: Lsn;
      /** Of the new image. */
      readonly sum: number;
      /** Makes the new image from the base; throws BOP_CORRUPT if its sum is not as logged. */
      readonly apply: (base: Uint8Array) => Uint8Array;
    }
  | { readonly kind: "entry"; readonly payload: Uint8Array }
  | { readonly kind: "records"; readonly payload: Uint8Array }
  | ({ readonly kind: "spill" } & SpillFields);
