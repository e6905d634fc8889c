/**
 * WHAT THE WRITER TELLS THE TOUR besides acknowledgements, which have a pipe of their own: descriptor
 * ACKNOWLEDGEMENTS_FD, a run of numbers of deeds (ledger.ts).
 */

export const ACKNOWLEDGEMENTS_FD = 3;

export interface LogCounters {
  readonly flushes: number;
  readonly writtenBytes: number;
}

export type WriterMessage =
  | { readonly kind: "opened"; readonly ms: number }
  /** All databases are there and filled, and the callers begin. */
  | { readonly kind: "created"; readonly databases: number; readonly log: LogCounters }
  | { readonly kind: "progress"; readonly log: LogCounters };
