/**
 * OPERATIONS THAT DO NOT COME BACK. A device that hangs reports no error: the call just never
 * returns. It is noticed here, and told; it is never given up.
 *
 * (1) Until the call returns, nobody touches its buffer or its file: it may still land. So there is
 *     nothing to cancel and nothing to try again; whoever waits for it goes on waiting.
 * (2) An operation is reported once, when it has been under way for `timeoutMs`, and shown for as
 *     long as it is.
 * (3) A timer runs only while something is under way, and is set anew when it fires, not with
 *     every operation: a flush must not cost a timer.
 * (4) A call that blocks the thread (a flush within a call) cannot be watched from the same thread.
 */
import type { Clock, Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";

/** An operation that is under way for longer than it should be. */
export interface HungOperation {
  readonly operation: string;
  readonly file: string;
  /** Milliseconds since it began. */
  readonly sinceMs: number;
}

export interface WatchedOperation {
  readonly operation: string;
  readonly file: string;
  readonly startedMs: number;
}

interface Watched extends WatchedOperation {
  isReported: boolean;
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly onHung: (hung: HungOperation) => void;
}

export class OperationWatch {
  readonly #options: WatchOptions;
  /** Oldest first. */
  readonly #underWay = new Set<Watched>();
  #hungCount = 0;
  #timer: Disposer | undefined;
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** The one that has hung for longest; undefined if none does. */
  get hung(): HungOperation | undefined {
    if (this.#hungCount === 0) return undefined;
    for (const watched of this.#underWay) {
      if (watched.isReported) return hungFrom(watched, this.#options.clock.monotonicMs());
    }
    return undefined;
  }

  /** `startedMs` is now, which the caller mostly knows already. */
  begin(operation: WatchedOperation): WatchedOperation {
    const { startedMs, file } = operation;
    const watched = { operation: operation.operation, file, startedMs, isReported: false };
    this.#underWay.add(watched);
    this.#timer ??= this.#arm(this.#options.timeoutMs);
    return watched;
  }

  end(operation: WatchedOperation): void {
    const watched = operation as Watched;
    if (this.#underWay.delete(watched) && watched.isReported) this.#hungCount -= 1;
  }

  /** Watches a call until it settles. */
  async during<T>(
    call: () => Promise<T>,
    what: { readonly operation: string; readonly file: string },
  ): Promise<T> {
    const watched = this.begin({ ...what, startedMs: this.#options.clock.monotonicMs() });
    try {
      return await call();
    } finally {
      this.end(watched);
    }
  }

  /** Leaves no timer behind. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.dispose();
  }

  #arm(delayMs: number): Disposer | undefined {
    return this.#stopped ? undefined : this.#options.clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    const { clock, timeoutMs, onHung } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#timer = undefined;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const watched of [...this.#underWay]) {
      if (watched.isReported) continue;
      const dueMs = watched.startedMs + timeoutMs - nowMs;
      if (dueMs > 0) {
        nextMs = Math.min(nextMs, dueMs);
        continue;
      }
      watched.isReported = true;
      this.#hungCount += 1;
      onHung(hungFrom(watched, nowMs));
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#timer = this.#arm(nextMs);
  }
}

export function hungError({ operation, file, sinceMs }: HungOperation): StorageError {
  const message = `${operation} of ${file} has not returned for ${Math.round(sinceMs)} ms`;
  return new StorageError("BOP_IO", message, { details: { operation, file } });
}

function hungFrom({ operation, file, startedMs }: Watched, nowMs: number): HungOperation {
  return { operation, file, sinceMs: nowMs - startedMs };
}
