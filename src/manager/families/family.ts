/** FORKS AND SNAPSHOTS as users see them: what databases and the manager give. See docs/forks.md. */
import type { EngineKind } from "../../sqlite/index.ts";
import type { Connection } from "../api/connection.ts";
import type { Queryable } from "../api/queryable.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";

export type { CollectReport } from "../../page-store/index.ts";

export interface ForkOptions {
  /**
   * The moment that the fork begins with. A time or an LSN must lie within the history that is kept;
   * a snapshot is one of this database or, if it has none of that name, of the store. Default: now,
   * which is what every commit that was acknowledged, and this handle's own, have made of it.
   */
  readonly at?: Date | { readonly lsn: number } | { readonly snapshot: string };
}

export interface SnapshotInfo {
  readonly name: string;
  /** Of one database, or of all that there were. */
  readonly scope: "database" | "store";
  /** The moment: commits at or below this LSN are in it. */
  readonly lsn: number;
  readonly createdAt: Date;
}

/** A moment of a database, open for reading. What would write is refused with BOP_READ_ONLY. */
export interface DatabaseSnapshot extends Queryable, SnapshotInfo {
  /** Name of the database, as it is now. */
  readonly database: string;
  readonly engine: EngineKind;
  /** A session of its own: BEGIN, temp tables, changed pragmas. Close it. */
  connect(): Promise<Connection>;
  /** Writes the moment to a file that any SQLite opens. Refuses an existing file. */
  export(path: string, options?: TransferOptions): Promise<void>;
  /** Lets go of the moment. Statements throw BOP_CLOSED from then on. Idempotent. */
  close(): Promise<void>;
}

export interface CollectOptions {
  /** Looks, and changes nothing. Default false. */
  readonly dryRun?: boolean;
}

/** A database among its relatives. */
export interface FamilyNode {
  /** Undefined for one that is gone, tombstone and all, and of which only forks are left. */
  readonly name: string | undefined;
  /** Stays the same when the database is renamed, and is never given to another. */
  readonly stream: number;
  readonly state: "live" | "dropped";
  /** Size at its newest durable commit, as if it were alone; 0 for a dropped one. */
  readonly sizeBytes: number;
  /** LSN of the origin that it was forked at; undefined for the root. */
  readonly forkedAtLsn: number | undefined;
  readonly createdAt: Date | undefined;
  /** Its own, in order of name. */
  readonly snapshots: readonly SnapshotInfo[];
  /** In order of the LSN at which they were forked. */
  readonly forks: readonly FamilyNode[];
}
