/**
 * THE CHANGE LOG: what has happened to the store, in the order in which it became part of the
 * manifest, and how far each cursor has read it. Rows of two tables and one row of state.
 *
 *   state   oldest u64, next u64, bytes u64, at ms u64, advanced lsn u64, removed records u64,
 *           removed bytes u64, evictions u64
 *
 * The tables are those of changes and of cursors.
 *
 * (1) Its rows ride in the commits of the manifest: `plan` says which, `apply` is called once they
 *     are committed. So a record is there if and only if what it tells of is.
 * (2) Readers see what is committed. They take a page at a time and hold nothing in between.
 */
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { LSN_ZERO, type Lsn, lsn } from "../../base/units.ts";
import type { Base } from "../commit/draft.ts";
import { ByteWriter } from "../rows/bytes.ts";
import { corrupt, type Sealed, seal, unseal } from "../rows/envelope.ts";
import { CHANGE_LOG_KEY } from "../rows/keys.ts";
import type { Pair } from "../rows/table.ts";
import type { KeyValueOperation } from "../stores/key-value.ts";
import { changes } from "../tables/changes.ts";
import { cursors } from "../tables/cursors.ts";
import {
  type ChangeLogLimits,
  type ChangeLogPlan,
  type ChangeLogRequest,
  type ChangeLogState,
  type CursorRow,
  planChangeLog,
} from "./change-log-core.ts";
import type { ChangeRecord } from "./change-record.ts";

const VERSION = 1;

export interface ChangeLogSource {
  /** The store as it is now: it is opened anew after some failures. */
  readonly store: () => Base;
  /** Where it lies, for messages. */
  readonly file: string;
  readonly clock: Pick<Clock, "wallMs">;
  readonly limits: ChangeLogLimits;
}

const FRESH: ChangeLogState = Object.freeze({
  oldest: 1,
  next: 1,
  bytes: 0,
  atMs: 0,
  advancedLsn: LSN_ZERO,
  removedRecords: 0,
  removedBytes: 0,
  evictions: 0,
});

/** A plan, and the rows that carry it out. */
export interface ChangeLogCommit {
  readonly plan: ChangeLogPlan;
  readonly operations: readonly KeyValueOperation[];
}

export class ChangeLog {
  readonly limits: ChangeLogLimits;
  readonly #source: ChangeLogSource;
  readonly #cursors = new Map<string, CursorRow>();
  readonly #listeners = new Set<() => void>();
  #state: ChangeLogState;

  /** Throws BOP_CORRUPT and BOP_FORMAT. */
  constructor(source: ChangeLogSource) {
    this.#source = source;
    this.limits = source.limits;
    const store = source.store();
    const value = store.get(CHANGE_LOG_KEY);
    const { file } = source;
    this.#state = value === undefined ? FRESH : decodeState({ key: CHANGE_LOG_KEY, value, file });
    const { from, to } = cursors.range();
    for (const { key, value: row } of store.range(from, to)) {
      const cursor = cursors.decode({ key, value: row, file });
      this.#cursors.set(cursor.name, cursor);
    }
  }

  get state(): ChangeLogState {
    return this.#state;
  }

  get cursors(): ReadonlyMap<string, CursorRow> {
    return this.#cursors;
  }

  /** What commits of all these requests together would do. Changes nothing. */
  plan(
    requests: readonly ChangeLogRequest[],
    commit: { readonly generation: number; readonly durableLsn: Lsn },
  ): ChangeLogCommit {
    const { generation, durableLsn } = commit;
    const store = this.#source.store();
    const pairs = new Map<ChangeRecord, Pair>();
    const plan = planChangeLog(
      {
        state: this.#state,
        cursors: this.#cursors,
        limits: this.limits,
        wallMs: this.#source.clock.wallMs(),
        generation,
        lsn: durableLsn,
        weigh: (sequence) => this.#weigh(store, sequence),
        size: (record) => {
          const pair = changes.encode(record, generation);
          pairs.set(record, pair);
          return pair.key.length + pair.value.length;
        },
      },
      requests,
    );
    const operations: KeyValueOperation[] = [];
    for (let n = this.#state.oldest; n < plan.removeBelow; n++) {
      operations.push({ key: changes.encodeKey(n) });
    }
    operations.push(...pairs.values());
    for (const [name, row] of plan.cursors) {
      const key = cursors.encodeKey(name);
      operations.push(row === undefined ? { key } : cursors.encode(row, generation));
    }
    operations.push(encodeState(plan.state, generation));
    return { plan, operations };
  }

  /** The plan is committed. */
  apply({ state, cursors }: ChangeLogPlan): void {
    this.#state = state;
    for (const [name, row] of cursors) {
      if (row === undefined) this.#cursors.delete(name);
      else this.#cursors.set(name, row);
    }
    for (const listener of [...this.#listeners]) listener();
  }

  /** Up to `limit` records behind a sequence, oldest first. Throws BOP_CORRUPT. */
  read(after: number, limit: number): ChangeRecord[] {
    const from = Math.max(after + 1, this.#state.oldest);
    const to = Math.min(from + limit, this.#state.next);
    const records: ChangeRecord[] = [];
    if (from >= to) return records;
    const { store, file } = this.#source;
    for (const { key, value } of store().range(changes.encodeKey(from), changes.encodeKey(to))) {
      records.push(changes.decode({ key, value, file }));
    }
    return records;
  }

  /** Called after each commit that changed anything here. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #weigh(store: Base, sequence: number): { atMs: number; bytes: number } {
    const { file } = this.#source;
    const key = changes.encodeKey(sequence);
    const value = store.get(key);
    if (value === undefined) {
      throw corrupt({ key, value: new Uint8Array(), file }, "the change is missing");
    }
    const { atMs } = changes.decode({ key, value, file });
    return { atMs, bytes: key.length + value.length };
  }
}

export function encodeState(state: ChangeLogState, generation: number): Pair {
  const key = CHANGE_LOG_KEY;
  const payload = new ByteWriter()
    .u64(state.oldest)
    .u64(state.next)
    .u64(state.bytes)
    .u64(state.atMs)
    .u64(state.advancedLsn)
    .u64(state.removedRecords)
    .u64(state.removedBytes)
    .u64(state.evictions)
    .finish();
  return { key, value: seal(payload, { key, version: VERSION, generation }) };
}

export function decodeState(found: Sealed): ChangeLogState {
  return unseal(found, {
    version: VERSION,
    parse: (from) => ({
      oldest: from.u64(),
      next: from.u64(),
      bytes: from.u64(),
      atMs: from.u64(),
      advancedLsn: lsn(from.u64()),
      removedRecords: from.u64(),
      removedBytes: from.u64(),
      evictions: from.u64(),
    }),
  });
}

/** For whoever comes back by a cursor that lagged too far. */
export function evictedError(
  { name: cursor, acknowledged }: CursorRow,
  { oldest: oldestKept }: ChangeLogState,
): StorageError {
  const lost = `it acknowledged up to ${acknowledged}, and the oldest kept is ${oldestKept}`;
  const message = `cursor ${JSON.stringify(cursor)} was evicted: ${lost}; begin anew with reset: true`;
  return new StorageError("BOP_CURSOR_EVICTED", message, {
    details: { cursor, acknowledged, oldestKept },
  });
}
