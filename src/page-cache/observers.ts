/**
 * OBSERVERS of the cache, told of pages that came and went.
 *
 *   note ──► queue ──► deliver: each observer, in the order in which they came
 *
 * (1) They are told after the cache has done all that it was asked to do, so they may call whatever
 *     they like of it. What comes of such calls is told behind what is in the queue already.
 * (2) They are held weakly: who wants to observe keeps the observer.
 * (3) One that throws does no harm: it is counted, and the others are told all the same.
 * (4) At most EVENTS_MAX events are told in one go, so that an observer who inserts a page for each
 *     one that it hears of ends. What is beyond is counted.
 */
import type { Clock, Disposer } from "../base/env.ts";

const EVENTS_MAX = 1024;

export interface CachedPage {
  readonly location: number;
  readonly bytes: number;
}

export interface PageObserver {
  onInsert?(page: CachedPage): void;
  /** The page is gone already. */
  onEvict?(page: CachedPage): void;
}

export interface ObserverStats {
  readonly count: number;
  /** Time that all of them took. */
  readonly totalMs: number;
  readonly errors: number;
  /** What the last of them said. */
  readonly lastError: string | undefined;
  /** Events that nobody was told of: see (4). */
  readonly dropped: number;
}

interface Event extends CachedPage {
  readonly kind: "onInsert" | "onEvict";
}

export class Observers {
  readonly #clock: Clock;
  #observers: readonly WeakRef<PageObserver>[] = [];
  readonly #queue: Event[] = [];
  #isDelivering = false;
  #totalMs = 0;
  #errors = 0;
  #lastError: string | undefined;
  #dropped = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** If not, no event need be noted. */
  get any(): boolean {
    return this.#observers.length > 0;
  }

  get stats(): ObserverStats {
    return {
      count: this.#observers.length,
      totalMs: this.#totalMs,
      errors: this.#errors,
      lastError: this.#lastError,
      dropped: this.#dropped,
    };
  }

  add(observer: PageObserver): Disposer {
    const reference = new WeakRef(observer);
    this.#observers = [...this.#observers, reference];
    return { dispose: () => this.#remove(reference) };
  }

  note(event: Event): void {
    if (this.any) this.#queue.push(event);
  }

  /** Tells what was noted. Within itself it does nothing: the call outside goes on with it. */
  deliver(): void {
    if (this.#isDelivering || this.#queue.length === 0) return;
    this.#isDelivering = true;
    const beganMs = this.#clock.monotonicMs();
    let told = 0;
    for (const event of this.#queue) {
      if (told === EVENTS_MAX) break;
      told += 1;
      for (const reference of this.#observers) this.#tell(reference, event);
    }
    this.#dropped += this.#queue.length - told;
    this.#queue.length = 0;
    this.#totalMs += this.#clock.monotonicMs() - beganMs;
    this.#isDelivering = false;
  }

  #tell(reference: WeakRef<PageObserver>, { kind, location, bytes }: Event): void {
    const observer = reference.deref();
    if (observer === undefined) {
      this.#remove(reference);
      return;
    }
    try {
      observer[kind]?.({ location, bytes });
    } catch (error) {
      this.#errors += 1;
      this.#lastError = error instanceof Error ? error.message : "what it threw is no error";
    }
  }

  #remove(reference: WeakRef<PageObserver>): void {
    this.#observers = this.#observers.filter((one) => one !== reference);
  }
}
