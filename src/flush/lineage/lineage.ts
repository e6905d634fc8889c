/**
 * LINEAGE: which writers there were, and how far each of them came. What a take-over finds out, and
 * what a disk compares itself with.
 */

export interface LineageEpoch {
  readonly epoch: number;
  /** So many objects it has put into the log, index objects included: the first fence's number. */
  readonly walEnd: number;
  readonly manifestEnd: number;
  /** The log that it has shipped; undefined if none. */
  readonly shipped: { readonly firstLsn: number; readonly endLsn: number } | undefined;
}

export interface Lineage {
  /**
   * Oldest first, from the newest one that has published a state on. What came before that one
   * stands in that state's rows.
   */
  readonly epochs: readonly LineageEpoch[];
  /** How far the log in the bucket reaches without a break; undefined if there is none. */
  readonly endLsn: number | undefined;
  /**
   * Where the log begins from which that end is reached without a break, as far as these epochs go:
   * all the way, if none has published a state.
   */
  readonly unbrokenLsn: number | undefined;
  /**
   * Up to where the newest state leads: from its checkpoint on, through log without a break;
   * undefined if there is no state. Below `endLsn` if log was given up and no state followed.
   */
  readonly reachedLsn: number | undefined;
  /** Its newest log object. */
  readonly lastWal:
    | { readonly epoch: number; readonly number: number; readonly endLsn: number }
    | undefined;
  /** The newest state of the manifest. */
  readonly newestState: PublishedState | undefined;
}

export interface PublishedState {
  readonly epoch: number;
  /** Of the batch with which it is whole. */
  readonly number: number;
  readonly generation: number;
  readonly checkpointLsn: number;
  readonly maxLsn: number;
  readonly wallMs: number;
  /** The newest log object when it was put, and where the log ended then; 0 if there was none. */
  readonly walEpoch: number;
  readonly walNumber: number;
  readonly walEndLsn: number;
  /** Of the first part of the base that it stands on. */
  readonly baseNumber: number;
}

export const NO_LINEAGE: Lineage = Object.freeze({
  epochs: [],
  endLsn: undefined,
  unbrokenLsn: undefined,
  reachedLsn: undefined,
  lastWal: undefined,
  newestState: undefined,
});
