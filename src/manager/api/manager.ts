/** A STORE as programs hold it: databases and record logs by name, and what is done to all of them. */
import type { LogMember, LogWritten, RecordLog } from "../../record-log/index.ts";
import type { Change, ChangesOptions, CursorInfo, CursorOptions } from "../changes/change.ts";
import type {
  CollectOptions,
  CollectReport,
  FamilyNode,
  SnapshotInfo,
} from "../families/family.ts";
import type { DurableOptions } from "../gates/durability.ts";
import type { JobHandle, JobInfo } from "../jobs/job.ts";
import type { ScrubReport, ScrubRequest } from "../scrub/scrub.ts";
import type { DatabaseRestoreOptions, DatabaseRestoreReport } from "../shipping/restore-options.ts";
import type { DeadLetterInfo } from "../shipping/sink-facts.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { Database, DatabaseInfo, DatabaseOptions } from "./database.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { LogInfo, LogOptions } from "./logs.ts";

export interface Manager {
  readonly directory: string;
  /** Opens the database of that name, or creates it. Resolves when its creation is durable. */
  database(name: string, options?: DatabaseOptions): Promise<Database>;
  list(options?: ListOptions): Promise<DatabaseInfo[]>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a database. Its open handles throw BOP_DROPPED from then on. */
  drop(name: string): Promise<void>;
  /**
   * Keeps one moment of all databases under a name, until it is dropped: `openSnapshot` and `fork` of
   * any of them find it. Record logs are not in it.
   */
  snapshot(name: string): Promise<SnapshotInfo>;
  /** Snapshots of the store, in order of name. */
  snapshots(): Promise<SnapshotInfo[]>;
  /** Forgets a snapshot of the store. */
  dropSnapshot(name: string): Promise<void>;
  /**
   * The family of a database from its root, dropped ones included as long as forks read through
   * them; without a name, every family of more than one.
   */
  tree(name?: string): Promise<FamilyNode[]>;
  /** Makes a database of a SQLite file. Refused with BOP_IMPORT before anything is changed. */
  import(path: string, name: string, options?: TransferOptions): Promise<void>;
  /**
   * Brings one database back as it was at a moment, from the sink, under a new name or over the one
   * that has its name: that one stays under another, so that it can be undone. Only what it needs is
   * read. See docs/restore.md.
   */
  restore(options: DatabaseRestoreOptions): Promise<DatabaseRestoreReport>;
  /** Opens the record log of that name, or creates it. Resolves when its creation is durable. */
  log(name: string, options?: LogOptions): Promise<RecordLog>;
  logs(options?: ListOptions): Promise<LogInfo[]>;
  renameLog(from: string, to: string): Promise<void>;
  /** Removes a record log. Its open handles throw BOP_DROPPED from then on. */
  dropLog(name: string): Promise<void>;
  /** One atomic change over several record logs: after a crash all of it is there, or nothing. */
  commitLogs(members: readonly LogMember[]): Promise<LogWritten[]>;
  /**
   * What happens to the store, from where the cursor is: databases created, imported, renamed,
   * dropped, written to. Waits for more when it has told all. See docs/changes.md.
   */
  changes(options: ChangesOptions): AsyncIterableIterator<Change>;
  /** Makes a cursor without reading by it yet. One that is there stays where it is. */
  createCursor(name: string, options?: CursorOptions): Promise<CursorInfo>;
  /** Every cursor, in order of name. */
  cursors(): CursorInfo[];
  /** Forgets a cursor, so that it holds no change back. BOP_CURSOR_BUSY while it is read by. */
  dropCursor(name: string): Promise<void>;
  /**
   * Checks a database in the background: SQLite's integrity check of every table and index, over one
   * durable moment. Resolves when the job is recorded; it survives a restart. See docs/jobs.md.
   */
  verifyDatabase(name: string): Promise<JobInfo>;
  /** Every job that is pending, and those that are over and kept; oldest first. */
  jobs(): JobInfo[];
  /** One job. Throws RangeError from its methods if there is none of that id. */
  job(id: number): JobHandle;
  /** Writes what the log holds to chunks, so that its segments can be used again. */
  checkpoint(): Promise<void>;
  /**
   * Resolves when the log is durable up to an LSN, at the level of the store or another. With
   * `remote`: whatever was committed up to there survives the machine.
   */
  durable(lsn: number, options?: DurableOptions): Promise<void>;
  /**
   * What the sink, or this disk, refused for a reason that waiting cannot mend. Shipping of its kind
   * rests until it is retried or discarded.
   */
  deadLetters(): DeadLetterInfo[];
  /** Tries again, once what stood in the way is mended. RangeError if there is none of that id. */
  retryDeadLetter(id: number): Promise<void>;
  /**
   * Goes on without what it stands for, which then cannot be restored from the sink: see
   * docs/durability.md. RangeError if there is none of that id.
   */
  discardDeadLetter(id: number): Promise<void>;
  /**
   * Lets go of pages that nobody can reach any more, beyond what checkpoints let go by themselves.
   * With `dryRun` it changes nothing and says what would go, and what keeps the rest.
   */
  collect(options?: CollectOptions): Promise<CollectReport>;
  /**
   * Reads everything that was written again, at once: this disk, and what the sink holds. Restores one
   * database from there to try it. Heals what it finds damaged, where there is a good copy: see
   * docs/scrub.md. TypeError for parts that need a sink if there is none; rejects with the signal's
   * reason.
   */
  scrub(request?: ScrubRequest): Promise<ScrubReport>;
  diagnostics(): Diagnostics;
  /** Drains, checkpoints, marks the store clean. Idempotent. */
  close(): Promise<void>;
}

export interface ListOptions {
  /** Only names that begin with it. */
  readonly prefix?: string;
  /** Only names behind it: the last name of the page before. */
  readonly after?: string;
  /** 1 to 10,000. Default 1,000. */
  readonly limit?: number;
}
