/**
 * WAITING FOR PAGES that are in the bucket and not here.
 *
 *   read ── PagesAway ──► nothing was shown, nothing is held ──► bring, beside the event loop ──► read
 *     └──────────────────────────────── answer ◄──────────────────────────────────────────────────┘
 *
 * (1) Whoever reads pages may be thrown PagesAway, at any moment: by eviction, or since a chunk here
 *     turned out to be damaged and is healed. That is no error. It gives up what it has begun, has the
 *     pages brought, and begins anew.
 * (2) All runs of one statement are one visit of the residency. What was brought for a visit stays
 *     until it ends, so every statement gets on, and each miss of it brings more than the one before.
 * (3) A wait ends early, with the reason, when its time is over, its caller gives up, or the database
 *     is closed.
 */
import type { Clock, Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { type PageStore, PagesAway, type RemoteVisit } from "../../page-store/index.ts";

/** What is asked of the page store. Without a bucket (`hasRemote`), nothing here ever happens. */
export type PageResidency = Pick<
  PageStore["residency"],
  "hasRemote" | "mayHaveRemotePages" | "visit"
>;

export interface WaitLimits {
  /** What the caller allowed, for the error; undefined for no limit. */
  readonly timeoutMs?: number | undefined;
  /** Monotonic time at which that is over. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Of one database: who waits for pages of it. */
export class PageWaits {
  readonly #residency: PageResidency;
  readonly #clock: Clock;
  readonly #open = new Set<PageWait>();
  #closed: { readonly error: unknown } | undefined;

  constructor(residency: PageResidency, clock: Clock) {
    this.#residency = residency;
    this.#clock = clock;
  }

  /** There is a bucket that pages may be in. */
  get hasRemote(): boolean {
    return this.#residency.hasRemote;
  }

  /** Some page may be away now. False does not say that none will be in a moment: see (1). */
  get mayMiss(): boolean {
    return this.#residency.mayHaveRemotePages;
  }

  /** Of a statement that missed. To be ended. */
  begin(): PageWait {
    const controller = new AbortController();
    const wait = new PageWait({
      clock: this.#clock,
      controller,
      visit: this.#residency.visit(controller.signal),
      onEnd: () => this.#open.delete(wait),
    });
    this.#open.add(wait);
    if (this.#closed !== undefined) wait.cancel(this.#closed.error);
    return wait;
  }

  /** Ends all waits, and those that come. */
  close(error: unknown): void {
    this.#closed ??= { error };
    for (const wait of [...this.#open]) wait.cancel(error);
  }
}

interface WaitParts {
  readonly clock: Clock;
  readonly controller: AbortController;
  readonly visit: RemoteVisit;
  readonly onEnd: () => void;
}

/** One statement, with all of its runs. */
export class PageWait {
  readonly #parts: WaitParts;

  constructor(parts: WaitParts) {
    this.#parts = parts;
  }

  /** Resolves when the pages can be read. Rejects with what the bucket says, or by (3). */
  async bring(away: PagesAway, limits: WaitLimits = {}): Promise<void> {
    const { controller, visit } = this.#parts;
    const { signal } = controller;
    signal.throwIfAborted();
    let cancelled = (): void => {};
    const giveUp = (): void => this.cancel(limits.signal?.reason);
    const deadline = this.#arm(limits);
    if (limits.signal?.aborted === true) giveUp();
    limits.signal?.addEventListener("abort", giveUp);
    try {
      await new Promise<void>((resolve, reject) => {
        cancelled = () => reject(signal.reason);
        signal.addEventListener("abort", cancelled);
        if (signal.aborted) cancelled();
        else away.bring(visit).then(resolve, reject);
      });
    } finally {
      deadline?.dispose();
      limits.signal?.removeEventListener("abort", giveUp);
      signal.removeEventListener("abort", cancelled);
    }
  }

  /** Whoever waits hears this, and so does who would. */
  cancel(error: unknown): void {
    this.#parts.controller.abort(error);
  }

  /** Throws what it was cancelled with, if it was. */
  assertGoingOn(): void {
    this.#parts.controller.signal.throwIfAborted();
  }

  /** What was brought may go. Idempotent. */
  end(): void {
    this.#parts.visit.end();
    this.#parts.onEnd();
  }

  #arm({ timeoutMs, deadlineMs }: WaitLimits): Disposer | undefined {
    if (timeoutMs === undefined || deadlineMs === undefined) return undefined;
    const { clock } = this.#parts;
    return clock.deadline(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
      const message = `it waited for pages from the bucket; ${timeoutMs} ms are over`;
      const details = { operation: "statement", timeoutMs };
      this.cancel(new StorageError("BOP_TIMEOUT", message, { details }));
    });
  }
}

/**
 * Runs `read`, and again whenever pages were away that are here then: see (1). `missed`: it has run
 * once, and was thrown this.
 */
export async function withPages<T>(
  waits: PageWaits,
  read: () => T | Promise<T>,
  limits?: WaitLimits & { readonly missed?: PagesAway },
): Promise<T> {
  const reading = new LongRead(waits, limits);
  try {
    if (limits?.missed !== undefined) await reading.bring(limits.missed);
    return await reading.run(read);
  } finally {
    reading.end();
  }
}

/** Misses of one visit: by then it has brought some tens of megabytes, which are to be let go. */
const MISSES_PER_VISIT = 10;

/** A reader of many pages that needs each of them once: an export, a check. To be ended. */
export class LongRead {
  readonly #waits: PageWaits;
  readonly #limits: WaitLimits | undefined;
  #wait: PageWait | undefined;
  #misses = 0;

  constructor(waits: PageWaits, limits?: WaitLimits) {
    this.#waits = waits;
    this.#limits = limits;
  }

  /** Runs `read`, and again whenever pages were away that are here then. */
  async run<T>(read: () => T | Promise<T>): Promise<T> {
    if (this.#misses >= MISSES_PER_VISIT) this.end();
    for (;;) {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof PagesAway)) throw error;
        await this.bring(error);
      }
    }
  }

  async bring(away: PagesAway): Promise<void> {
    this.#wait ??= this.#waits.begin();
    this.#misses += 1;
    await this.#wait.bring(away, this.#limits);
  }

  end(): void {
    this.#wait?.end();
    this.#wait = undefined;
    this.#misses = 0;
  }
}
