/** RESTORE as its callers see it: what they say, and what they are told. */
import type { Env } from "../../base/env.ts";
import type { OpenKeyValueStore } from "../../manifest/index.ts";
import type { RestoreMoment, StoreRestoreReport } from "../../restore/index.ts";
import type { ObjectStore, ReadCounts } from "../../sink/index.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";

/** Restores a whole store: see Manager.restore. */
export interface RestoreOptions extends TransferOptions {
  /** Where it was shipped to: a URL as of `sink`, or an ObjectStore. It is only read. */
  readonly from: string | ObjectStore;
  /** Where the store is to lie: a directory that is empty, or not there yet. */
  readonly directory: string;
  /** The moment: a time, or a position in the log. Default: the newest that is there. */
  readonly at?: RestoreMoment;
  /**
   * Brings rows and log only, and leaves the pages in the bucket: they are fetched when they are read,
   * so open it with that sink. Of the newest moment only. See docs/tiering.md. Default false.
   */
  readonly lazy?: boolean;
  /** Reads what is needed to tell what would be restored, and makes nothing. Default false. */
  readonly dryRun?: boolean;
  /**
   * Size of the segments that the log is written to. Bytes, a multiple of 4 KiB, from 1 MiB to
   * 1 GiB. Default 64 MiB.
   */
  readonly segmentBytes?: number;
  /** The world. Default: this machine. */
  readonly env?: Env;
  /** Where the manifest lies. Default: LMDB. */
  readonly openKeyValueStore?: OpenKeyValueStore;
}

export type RestoreReport = StoreRestoreReport;

/** Restores one database into a store that is open: see manager.restore. */
export interface DatabaseRestoreOptions extends TransferOptions {
  /** As it was called at that moment. */
  readonly database: string;
  /** The moment: a time, or a position in the log. Default: the newest that is there. */
  readonly at?: RestoreMoment;
  /**
   * The new database, which must not exist. Default: the name that it had; if there is one of that
   * name, it is replaced, and kept under another (`previous`).
   */
  readonly as?: string;
  /** Where it was shipped to. Default: the sink of this store. */
  readonly from?: string | ObjectStore;
  /** Tells what would be read, and changes nothing. Default false. */
  readonly dryRun?: boolean;
}

export interface DatabaseRestoreReport {
  /** What it is called now. */
  readonly database: string;
  /** What the one that it replaced is called now; undefined if it replaced none. */
  readonly previous: string | undefined;
  /** The moment: it has every commit at or below it, and none above. */
  readonly lsn: number;
  readonly sizeBytes: number;
  readonly dryRun: boolean;
  /** What was read so far. */
  readonly reads: ReadCounts;
  /** What its pages take in chunks: requests, and bytes. */
  readonly chunks: { readonly bytes: number; readonly requests: number };
}
