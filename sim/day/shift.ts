/**
 * A SHIFT: one life of the day's store, from its opening to its end, and what everybody who works in
 * it shares.
 *
 * (1) Work goes on beside other work (`beside`), but for what wants to look at the whole: it waits
 *     until nothing is under way, and nothing begins before it is done (`alone`).
 */
import type { Manager } from "../../src/index.ts";
import type { Life } from "../life.ts";
import type { Kept, Mark, Tenant } from "./tenants.ts";

export interface DayPlan {
  readonly hours: number;
  /** How much longer pauses are before six in the morning. */
  readonly night: number;
  /** Databases in the morning, and the most that there may be. */
  readonly tenants: number;
  readonly tenantsMax: number;
  readonly snapshotsMax: number;
  /** Between two acts of one kind, by day, on the average. */
  readonly pauseMs: { readonly write: number; readonly family: number; readonly scan: number };
  /** Rows of a bulk load, at most. */
  readonly loadRows: number;
}

/** What lives on from one shift to the next. */
export class Books {
  readonly plan: DayPlan;
  readonly tenants: Tenant[] = [];
  readonly kept: Kept[] = [];
  marks: readonly Mark[] = [];
  /** Most that one checkpoint has written. */
  checkpointBytes = 0;
  #released: readonly { readonly tenant: Tenant | undefined; readonly atMs: number }[] = [];
  #names = 0;

  constructor(plan: DayPlan) {
    this.plan = plan;
  }

  nextName(kind: string): string {
    this.#names += 1;
    return `${kind}-${this.#names}`;
  }

  /** A moment of the tenant is needed no more; undefined: of every one. */
  release(tenant: Tenant | undefined, atMs: number): void {
    this.#released = [...this.#released, { tenant, atMs }];
  }

  /** How many were released since. What was before that is forgotten. */
  releasedSince(fromMs: number, name: string): number {
    this.#released = this.#released.filter(({ atMs }) => atMs >= fromMs);
    return this.#released.filter(({ tenant }) => (tenant?.name ?? name) === name).length;
  }
}

export class Shift {
  readonly life: Life;
  readonly manager: Manager;
  readonly books: Books;
  readonly endMs: number;
  /** Readers of moments that are open. */
  openReaders = 0;
  #atWork = 0;
  /** Somebody wants to be alone, or is. */
  #closed: Promise<void> | undefined;
  #quiet: (() => void) | undefined;

  constructor(of: { life: Life; manager: Manager; books: Books; endMs: number }) {
    this.life = of.life;
    this.manager = of.manager;
    this.books = of.books;
    this.endMs = of.endMs;
  }

  get nowMs(): number {
    return this.life.simulation.world.nowMs;
  }

  get isOver(): boolean {
    return this.nowMs >= this.endMs;
  }

  /** A free tenant, the busier ones rather than others. Undefined if there is none. */
  choose(): Tenant | undefined {
    const { random } = this.life.simulation;
    const free = this.books.tenants.filter(({ isFree }) => isFree);
    const busiest = Math.max(1, Math.floor(free.length / 8));
    return free[random.below(random.chance(0.6) ? busiest : free.length || 1)];
  }

  /** See (1). */
  async beside(act: () => Promise<void>): Promise<void> {
    while (this.#closed !== undefined) await this.#closed;
    this.#atWork += 1;
    try {
      await act();
    } finally {
      this.#atWork -= 1;
      if (this.#atWork === 0) this.#quiet?.();
    }
  }

  /** See (1). */
  async alone(act: () => Promise<void>): Promise<void> {
    while (this.#closed !== undefined) await this.#closed;
    let open = () => {};
    this.#closed = new Promise((resolve) => {
      open = resolve;
    });
    try {
      if (this.#atWork > 0) {
        await new Promise<void>((resolve) => {
          this.#quiet = resolve;
        });
      }
      await act();
    } finally {
      this.#quiet = undefined;
      this.#closed = undefined;
      open();
    }
  }
}
