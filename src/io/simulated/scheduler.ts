/**
 * VIRTUAL TIME, and the one queue of everything that will happen in a simulated world.
 *
 * (1) Time moves only when an event fires, when the clock is read (a microsecond, so that a loop
 *     that polls the clock ends), and by what a synchronous call takes.
 * (2) Between two events every promise callback runs to its end: the driver gives the real event
 *     loop one turn. So the order of all that happens follows from the seed alone, as long as
 *     nothing in the world waits for something real.
 * (3) `run` never hangs: when nothing can happen any more, or simulated time runs away, it throws.
 */
import { assert } from "../../base/assert.ts";

/** A reading of the clock takes this long. */
const READING_MS = 0.001;
/** Real time given to a world whose process has died. */
const HOPELESS_WAIT_MS = 5;

export interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

export interface RunLimits {
  /** How long `run` waits for real work (a module being compiled) when nothing else can happen. */
  readonly realWaitMs: number;
  /** Longest simulated time that it may take. */
  readonly runMsMax: number;
  /** Why nothing will happen any more, if that is known. */
  readonly whyIdle: () => Error | undefined;
}

export class Scheduler {
  readonly #heap: Event[] = [];
  #nowMs: number;
  #order = 0;
  #running = false;

  constructor(nowMs = 0) {
    this.#nowMs = nowMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  readMs(): number {
    this.#nowMs += READING_MS;
    return this.#nowMs;
  }

  /** Time that a synchronous call takes. */
  spend(ms: number): void {
    this.#nowMs += ms;
  }

  schedule(delayMs: number, fire: () => void): Event {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const event: Event = { atMs, order: this.#order++, fire, cancelled: false };
    push(this.#heap, event);
    return event;
  }

  /** Fires events until the promise settles, and returns what it settled with. */
  async run<T>(until: Promise<T>, limits: RunLimits): Promise<T> {
    assert(!this.#running, "the simulated world is already running");
    this.#running = true;
    let settled = false;
    const settle = () => {
      settled = true;
    };
    until.then(settle, settle);
    const endMs = this.#nowMs + limits.runMsMax;
    try {
      await realTurn();
      while (!settled) {
        if (this.#nowMs > endMs) {
          throw new Error(`simulation: not done within ${limits.runMsMax} ms of its time`);
        }
        if (this.#step()) await realTurn();
        else if (!(await this.#waitForReal(() => settled, limits))) {
          throw limits.whyIdle() ?? new Error("simulation: deadlock, nothing is left to happen");
        }
      }
      return await until;
    } finally {
      this.#running = false;
    }
  }

  #step(): boolean {
    while (true) {
      const event = pop(this.#heap);
      if (event === undefined) return false;
      if (event.cancelled) continue;
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      event.fire();
      return true;
    }
  }

  /** True as soon as something real has given the simulation something to do. */
  async #waitForReal(settled: () => boolean, limits: RunLimits): Promise<boolean> {
    const hopeless = limits.whyIdle() !== undefined;
    const endMs = performance.now() + (hopeless ? HOPELESS_WAIT_MS : limits.realWaitMs);
    while (this.#heap.length === 0 && !settled()) {
      if (performance.now() > endMs) return false;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return true;
  }
}

/** Runs every promise callback that is ready, and those that they make ready. */
function realTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  while (at > 0) {
    const parentAt = (at - 1) >> 1;
    const parent = heap[parentAt] as Event;
    if (!before(event, parent)) break;
    heap[at] = parent;
    at = parentAt;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let at = 0;
  while (true) {
    let childAt = 2 * at + 1;
    if (childAt >= heap.length) break;
    const right = heap[childAt + 1];
    if (right !== undefined && before(right, heap[childAt] as Event)) childAt += 1;
    const child = heap[childAt] as Event;
    if (!before(child, last)) break;
    heap[at] = child;
    at = childAt;
  }
  heap[at] = last;
  return first;
}
