/** CHANGES as users see them: what `manager.changes` yields. See docs/changes.md. */
import { CATALOGUE_STREAM } from "../../base/units.ts";
import type { ChangeFact, ChangeRecord } from "../../manifest/index.ts";
import type { EngineKind } from "../../sqlite/index.ts";

/** One fact about the store. Which fields there are depends on `kind`. */
export type Change = ChangePosition & ChangeBody;

type ChangeBody =
  | DatabaseChange
  | ForkedChange
  | SnapshotChange
  | RecordLogChange
  | AdvanceChange
  | CursorEvictedChange;

interface ChangePosition {
  /** Grows by one from one change to the next. */
  readonly sequence: number;
  /** When it was recorded. Never earlier than that of the change before. */
  readonly at: Date;
  /** Position in the store's log that it is true of. Durable. */
  readonly lsn: number;
  /** Commit of the manifest that recorded it. */
  readonly generation: number;
  /**
   * This change, and all before it, are dealt with: the cursor goes on behind it, also after a
   * restart. Resolves when that is durable.
   */
  ack(): Promise<void>;
}

type DatabaseChange =
  | {
      readonly kind: "created" | "imported";
      readonly database: string;
      /** Stays the same when the database is renamed, and is never given to another. */
      readonly stream: number;
      readonly engine: EngineKind;
    }
  | {
      readonly kind: "renamed";
      readonly database: string;
      readonly stream: number;
      readonly previousName: string;
    }
  | { readonly kind: "dropped"; readonly database: string; readonly stream: number };

interface ForkedChange {
  readonly kind: "forked";
  readonly database: string;
  readonly stream: number;
  readonly engine: EngineKind;
  /** What it was forked from, by its name of that time, and as of which LSN. */
  readonly origin: { readonly database: string; readonly stream: number; readonly lsn: number };
}

interface SnapshotChange {
  readonly kind: "snapshot" | "snapshot-dropped";
  /** Name of the snapshot. */
  readonly snapshot: string;
  /** Undefined for a snapshot of the whole store. */
  readonly database: string | undefined;
  /** 0 for a snapshot of the whole store. */
  readonly stream: number;
  /** The moment that it keeps, or kept. */
  readonly momentLsn: number;
}

type RecordLogChange =
  | {
      readonly kind: "log-created" | "log-dropped";
      readonly log: string;
      readonly stream: number;
    }
  | {
      readonly kind: "log-renamed";
      readonly log: string;
      readonly stream: number;
      readonly previousName: string;
    };

interface AdvanceChange {
  /** `advanced`: they have new commits. `checkpoint`: their commits were folded into chunks. */
  readonly kind: "advanced" | "checkpoint";
  readonly databases: readonly {
    readonly database: string;
    readonly stream: number;
    /** Of its newest commit then. */
    readonly lsn: number;
  }[];
}

interface CursorEvictedChange {
  readonly kind: "cursor-evicted";
  readonly cursor: string;
  readonly acknowledged: number;
}

export interface CursorOptions {
  /** A new cursor begins behind the newest change instead of at the oldest kept. Default false. */
  readonly fromNow?: boolean;
  /** Begins anew, whatever was acknowledged; the way back for an evicted cursor. Default false. */
  readonly reset?: boolean;
}

export interface ChangesOptions extends CursorOptions {
  /** Name of the place up to which changes were acknowledged. Made if there is none of that name. */
  readonly cursor: string;
  /** Ends the loop with its reason when it aborts. */
  readonly signal?: AbortSignal;
}

export interface CursorInfo {
  readonly name: string;
  readonly state: "active" | "evicted";
  /** Sequence of the newest change that it acknowledged; 0 for none. */
  readonly acknowledged: number;
  /** Changes behind that one. */
  readonly lag: number;
  /** Somebody reads by it now. */
  readonly inUse: boolean;
  /** When it last moved. */
  readonly at: Date;
}

/** The change log, and what became of its oldest part. */
export interface ChangeLogFacts {
  /** Sequence of the oldest change that is kept. */
  readonly oldest: number;
  /** Sequence of the newest; 0 if there never was one. */
  readonly newest: number;
  readonly bytes: number;
  readonly removedRecords: number;
  readonly removedBytes: number;
  /** Cursors that lagged too far, ever. */
  readonly evictions: number;
  readonly cursors: number;
  /** Changes behind the acknowledgement of the slowest cursor. */
  readonly lagMax: number;
}

export function changeOf(record: ChangeRecord, ack: () => Promise<void>): Change {
  const { sequence, generation, atMs, fact } = record;
  const position = { sequence, at: new Date(atMs), lsn: fact.lsn, generation, ack };
  return { ...position, ...bodyOf(fact) };
}

function bodyOf(fact: ChangeFact): ChangeBody {
  switch (fact.kind) {
    case "created":
    case "imported":
      return {
        kind: fact.kind,
        database: fact.name,
        stream: fact.stream,
        engine: fact.engine,
      };
    case "forked": {
      const { kind, name, stream, engine, origin } = fact;
      const from = { database: origin.name, stream: origin.stream, lsn: origin.lsn };
      return { kind, database: name, stream, engine, origin: from };
    }
    case "snapshot":
    case "snapshot-dropped": {
      const { kind, snapshot, stream, momentLsn } = fact;
      const database = stream === CATALOGUE_STREAM ? undefined : fact.name;
      return { kind, snapshot, database, stream, momentLsn };
    }
    case "renamed": {
      const { kind, name, stream, previousName } = fact;
      return { kind, database: name, stream, previousName };
    }
    case "dropped":
      return { kind: fact.kind, database: fact.name, stream: fact.stream };
    case "log-created":
    case "log-dropped":
      return { kind: fact.kind, log: fact.name, stream: fact.stream };
    case "log-renamed": {
      const { kind, name, stream, previousName } = fact;
      return { kind, log: name, stream, previousName };
    }
    case "advanced":
    case "checkpoint":
      return {
        kind: fact.kind,
        databases: fact.databases.map(({ name, stream, lsn }) => ({ database: name, stream, lsn })),
      };
    case "cursor-evicted":
      return { kind: fact.kind, cursor: fact.cursor, acknowledged: fact.acknowledged };
  }
}
