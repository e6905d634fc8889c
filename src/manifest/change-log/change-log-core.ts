/**
 * WHAT A COMMIT DOES TO THE CHANGE LOG: which records it appends, which it removes, and what becomes
 * of the cursors. Decides only; change-log.ts reads and writes.
 *
 *      removed        acknowledged by all      not yet acknowledged
 *   ─────────────┬─────────────────────────┬──────────────────────────┬────────►
 *             oldest                 slowest cursor                  next
 *
 * (1) A record stays while a cursor has not acknowledged it, or while it is one of the newest
 *     `keepLast` and younger than `maxAgeMs`.
 * (2) But never more than `maxLag` records or `maxBytes` bytes: what is beyond them goes, and with
 *     it every cursor that still wanted it is *evicted*. Its row stays, so that it hears of it.
 * (3) A record that a cursor, not evicted, has not acknowledged is there: `oldest` is at most its
 *     next one.
 * (4) An acknowledgement never goes back. One that comes for a cursor that was evicted or dropped
 *     meanwhile has no effect.
 * (5) Nothing is removed that the same commit appends, and a commit removes at most REMOVALS_MIN
 *     records more than twice what it appends: what is left over goes with the next.
 */
import { assert } from "../../base/assert.ts";
import { LSN_ZERO, type Lsn, laterLsn, MIB } from "../../base/units.ts";
import type { ChangeFact, ChangeRecord } from "./change-record.ts";

const REMOVALS_MIN = 512;

export interface ChangeLogLimits {
  readonly keepLast: number;
  readonly maxAgeMs: number;
  readonly maxLag: number;
  readonly maxBytes: number;
  readonly maxCursors: number;
}

export const CHANGE_LOG_LIMITS: ChangeLogLimits = Object.freeze({
  keepLast: 10_000,
  maxAgeMs: 7 * 24 * 3_600_000,
  maxLag: 100_000,
  maxBytes: 64 * MIB,
  maxCursors: 64,
});

/** The one row that says how far the log has come. */
export interface ChangeLogState {
  /** Sequence of the oldest record that is kept; `next` if there is none. */
  readonly oldest: number;
  /** Sequence that the next record gets. The first is 1. */
  readonly next: number;
  /** Of keys and values of the records that are kept. */
  readonly bytes: number;
  /** Of the newest record. */
  readonly atMs: number;
  /** Every database whose newest commit is above it is still to be told of. */
  readonly advancedLsn: Lsn;
  readonly removedRecords: number;
  readonly removedBytes: number;
  readonly evictions: number;
}

export interface CursorRow {
  readonly name: string;
  readonly state: "active" | "evicted";
  /** Sequence of the newest record that it acknowledged; 0 for none. */
  readonly acknowledged: number;
  /** When the row was written. */
  readonly atMs: number;
}

/** What is asked of one commit. Everything is optional. */
export interface ChangeLogRequest {
  readonly append?: readonly ChangeFact[];
  /** Databases are told of up to here. */
  readonly advancedLsn?: Lsn;
  /** By name of the cursor. */
  readonly acknowledge?: ReadonlyMap<string, number>;
  /** New ones, and ones that begin anew: at the oldest kept record, or behind the newest. */
  readonly beginCursors?: readonly { readonly name: string; readonly at: "oldest" | "now" }[];
  readonly dropCursors?: readonly string[];
}

export interface ChangeLogPlan {
  readonly state: ChangeLogState;
  readonly records: readonly ChangeRecord[];
  /** Cursors as they are afterwards; only those that change. Undefined: removed. */
  readonly cursors: ReadonlyMap<string, CursorRow | undefined>;
  /** Sequences `oldest` to `removeBelow` exclusive are removed. */
  readonly removeBelow: number;
}

export interface PlanContext {
  readonly state: ChangeLogState;
  readonly cursors: ReadonlyMap<string, CursorRow>;
  readonly limits: ChangeLogLimits;
  readonly wallMs: number;
  readonly generation: number;
  /** Known to be durable. Nothing above it is told; evictions carry it. */
  readonly lsn: Lsn;
  /** Age and size of a record that is kept. */
  readonly weigh: (sequence: number) => { readonly atMs: number; readonly bytes: number };
  /** Bytes that a record takes. */
  readonly size: (record: ChangeRecord) => number;
}

/** What a commit of all these requests does, in their order. */
export function planChangeLog(
  context: PlanContext,
  requests: readonly ChangeLogRequest[],
): ChangeLogPlan {
  const planner = new Planner(context);
  for (const request of requests) planner.take(request);
  return planner.finish();
}

class Planner {
  readonly #context: PlanContext;
  readonly #atMs: number;
  readonly #records: ChangeRecord[] = [];
  readonly #changed = new Map<string, CursorRow | undefined>();
  #advancedLsn: Lsn;
  #next: number;
  #bytes: number;
  #removedBytes = 0;
  #evictions = 0;
  /** What all cursors have acknowledged, while records are removed. */
  #slowest = 0;

  constructor(context: PlanContext) {
    this.#context = context;
    this.#atMs = Math.max(context.wallMs, context.state.atMs);
    this.#advancedLsn = context.state.advancedLsn;
    this.#next = context.state.next;
    this.#bytes = context.state.bytes;
  }

  take(request: ChangeLogRequest): void {
    const { state } = this.#context;
    const { advancedLsn = LSN_ZERO } = request;
    this.#advancedLsn = laterLsn(this.#advancedLsn, advancedLsn);
    for (const fact of request.append ?? []) this.#append(fact);
    for (const name of request.dropCursors ?? []) this.#changed.set(name, undefined);
    for (const { name, at } of request.beginCursors ?? []) {
      const acknowledged = (at === "oldest" ? state.oldest : this.#next) - 1;
      this.#changed.set(name, { name, state: "active", acknowledged, atMs: this.#atMs });
    }
    for (const [name, sequence] of request.acknowledge ?? []) this.#acknowledge(name, sequence);
  }

  finish(): ChangeLogPlan {
    const { state } = this.#context;
    const removeBelow = this.#remove();
    return {
      records: this.#records,
      cursors: this.#changed,
      removeBelow,
      state: {
        oldest: removeBelow,
        next: this.#next,
        bytes: this.#bytes,
        atMs: this.#records.length > 0 ? this.#atMs : state.atMs,
        advancedLsn: this.#advancedLsn,
        removedRecords: state.removedRecords + (removeBelow - state.oldest),
        removedBytes: state.removedBytes + this.#removedBytes,
        evictions: state.evictions + this.#evictions,
      },
    };
  }

  #append(fact: ChangeFact): void {
    const { generation, size } = this.#context;
    assert(fact.lsn <= this.#context.lsn, () => `a change names LSN ${fact.lsn}`);
    const record = { sequence: this.#next, generation, atMs: this.#atMs, fact };
    this.#next += 1;
    this.#records.push(record);
    this.#bytes += size(record);
  }

  /** See (4). */
  #acknowledge(name: string, sequence: number): void {
    const row = this.#cursor(name);
    assert(sequence < this.#next, () => `cursor ${name} acknowledges what is not there`);
    if (row?.state !== "active" || sequence <= row.acknowledged) return;
    this.#changed.set(name, { ...row, acknowledged: sequence, atMs: this.#atMs });
  }

  /** Returns the oldest sequence that is left. */
  #remove(): number {
    const { state, weigh } = this.#context;
    const most = REMOVALS_MIN + 2 * this.#records.length;
    this.#slowest = this.#findSlowest();
    let sequence = state.oldest;
    for (let count = 0; count < most && sequence < state.next; count++, sequence++) {
      const { atMs, bytes } = weigh(sequence);
      if (this.#isBeyond(sequence)) this.#evictBefore(sequence);
      else if (!this.#isFree(sequence, atMs)) break;
      this.#bytes -= bytes;
      this.#removedBytes += bytes;
    }
    return sequence;
  }

  /** See (2). */
  #isBeyond(sequence: number): boolean {
    const { maxLag, maxBytes } = this.#context.limits;
    return sequence < this.#next - maxLag || this.#bytes > maxBytes;
  }

  /** See (1). */
  #isFree(sequence: number, atMs: number): boolean {
    const { keepLast, maxAgeMs } = this.#context.limits;
    if (sequence > this.#slowest) return false;
    return sequence < this.#next - keepLast || atMs < this.#context.wallMs - maxAgeMs;
  }

  /** Cursors that wanted the record lose their place. */
  #evictBefore(sequence: number): void {
    if (sequence <= this.#slowest) return;
    for (const row of [...this.#active()]) {
      if (row.acknowledged >= sequence) continue;
      this.#changed.set(row.name, { ...row, state: "evicted", atMs: this.#atMs });
      this.#evictions += 1;
      const { lsn } = this.#context;
      const { name: cursor, acknowledged } = row;
      this.#append({ kind: "cursor-evicted", lsn, cursor, acknowledged });
    }
    this.#slowest = this.#findSlowest();
  }

  #findSlowest(): number {
    let slowest = Number.POSITIVE_INFINITY;
    for (const { acknowledged } of this.#active()) slowest = Math.min(slowest, acknowledged);
    return slowest;
  }

  #cursor(name: string): CursorRow | undefined {
    return this.#changed.has(name) ? this.#changed.get(name) : this.#context.cursors.get(name);
  }

  *#active(): Iterable<CursorRow> {
    const names = new Set([...this.#context.cursors.keys(), ...this.#changed.keys()]);
    for (const name of names) {
      const row = this.#cursor(name);
      if (row?.state === "active") yield row;
    }
  }
}
