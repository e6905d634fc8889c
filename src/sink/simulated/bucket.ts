/**
 * A SIMULATED BUCKET: what the service holds and does, without the network in front of it. Pure: it
 * is told the time, and its dice are seeded.
 *
 * (1) Strongly consistent, like the services of today: after a change every get, head and list sees
 *     it. `listLagMs` and `missingMs` (faults.ts) take that away on purpose.
 * (2) A request that was sent may arrive much later than its sender waits, and twice. `later` keeps
 *     it; whoever looks at the bucket afterwards finds that it has happened in its time, whether or
 *     not its sender is still alive.
 * (3) It outlives the processes that use it, so that what a dead one sent may still land.
 */
import { slice } from "../object-key.ts";
import type { ByteRange } from "../object-store.ts";

export interface BucketObject {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  readonly changedAtMs: number;
}

export interface PutRequest {
  readonly key: string;
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  readonly ifAbsent: boolean;
}

interface Delayed {
  readonly atMs: number;
  readonly order: number;
  readonly put: PutRequest;
}

interface Gone {
  readonly object: BucketObject;
  readonly goneAtMs: number;
}

export class SimulatedBucket {
  readonly #objects = new Map<string, BucketObject>();
  /** Deleted ones, for lists that lag. */
  readonly #gone = new Map<string, Gone>();
  #delayed: Delayed[] = [];
  #order = 0;
  #puts = 0;

  /** Puts that were applied, late and double ones included. */
  get putCount(): number {
    return this.#puts;
  }

  /** Keys in order, for tests. */
  keys(nowMs: number): string[] {
    this.#catchUp(nowMs);
    return [...this.#objects.keys()].sort();
  }

  /** HTTP's status: 200, or 412 if it was to be absent and is not. */
  put(put: PutRequest, nowMs: number): 200 | 412 {
    this.#catchUp(nowMs);
    return this.#apply(put, nowMs);
  }

  /** The request lands at `atMs`. */
  later(put: PutRequest, atMs: number): void {
    this.#delayed.push({ put, atMs, order: this.#order++ });
  }

  find(key: string, nowMs: number): BucketObject | undefined {
    this.#catchUp(nowMs);
    return this.#objects.get(key);
  }

  delete(key: string, nowMs: number): void {
    this.#catchUp(nowMs);
    const object = this.#objects.get(key);
    if (object !== undefined) this.#gone.set(key, { object, goneAtMs: nowMs });
    this.#objects.delete(key);
  }

  /** As the bucket was `lagMs` ago, as far as keys go. */
  list(
    prefix: string,
    { nowMs, lagMs }: { nowMs: number; lagMs: number },
  ): [string, BucketObject][] {
    this.#catchUp(nowMs);
    const seen = new Map<string, BucketObject>();
    for (const [key, object] of this.#objects) {
      if (lagMs === 0 || object.changedAtMs <= nowMs - lagMs) seen.set(key, object);
    }
    for (const [key, { object, goneAtMs }] of this.#gone) {
      if (lagMs > 0 && goneAtMs > nowMs - lagMs && !this.#objects.has(key)) seen.set(key, object);
    }
    return [...seen].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #catchUp(nowMs: number): void {
    const due = this.#delayed.filter(({ atMs }) => atMs <= nowMs);
    if (due.length === 0) return;
    this.#delayed = this.#delayed.filter(({ atMs }) => atMs > nowMs);
    due.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    for (const { put, atMs } of due) this.#apply(put, atMs);
  }

  #apply({ key, body, metadata, ifAbsent }: PutRequest, nowMs: number): 200 | 412 {
    if (ifAbsent && this.#objects.has(key)) return 412;
    this.#objects.set(key, { body, metadata, changedAtMs: nowMs });
    this.#puts += 1;
    return 200;
  }
}

/** What a range request answers with. */
export function partOf(body: Uint8Array, range: ByteRange | undefined): Uint8Array {
  if (range === undefined) return body;
  const { from, to } = slice(range, body.length);
  return body.subarray(from, to);
}
