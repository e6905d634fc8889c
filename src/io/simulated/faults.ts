/**
 * WHICH CALLS FAIL, AND HOW. Two sources: orders given by a test (`failNext`), and chance.
 *
 * (1) A fault hits one call. The file is clean afterwards: what it does next works, which is what
 *     makes a failed sync so dangerous.
 * (2) A failed write may have landed in part; a failed sync leaves one of three states: content.ts.
 * (3) A call that hangs comes back in the end, and lands: later than anybody thought.
 */
import { assert } from "../../base/assert.ts";
import type { SyncFailure } from "./content.ts";
import type { SeededRandom } from "./seeded.ts";

export type DiskOperation =
  | "open"
  | "create"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "preallocate"
  | "rename"
  | "link"
  | "unlink"
  | "mkdir"
  | "list"
  | "stat"
  | "syncDirectory"
  | "freeBytes";

/** `SHORT` is a read that ends too soon, without an error. */
export type FaultCode = "EIO" | "ENOSPC" | "EACCES" | "SHORT";

export interface Fault {
  readonly code: FaultCode;
  /** For a sync; chosen by seed if absent. */
  readonly after?: SyncFailure;
}

export interface FaultOrder {
  readonly operation: DiskOperation;
  /** Only calls on paths that match. Default: all. */
  readonly pathPattern?: RegExp;
  /** Default EIO. */
  readonly error?: FaultCode;
  readonly after?: SyncFailure;
  /** Matching calls that are let through first. Default 0. */
  readonly skip?: number;
  /** Matching calls that fail. Default 1; Infinity for "from now on". */
  readonly times?: number;
}

/** An asynchronous call that takes its time. */
export interface HangOrder {
  readonly operation: DiskOperation;
  /** Only calls on paths that match. Default: all. */
  readonly pathPattern?: RegExp;
  readonly ms: number;
}

export interface HangChance {
  readonly chance: number;
  readonly msMax: number;
}

/** How likely a call fails, by operation, from 0 to 1. What is absent does not fail. */
export type FaultChances = Readonly<Partial<Record<DiskOperation, number>>>;

interface Standing {
  readonly order: FaultOrder;
  skip: number;
  times: number;
}

export class Faults {
  readonly #random: SeededRandom;
  #standing: Standing[] = [];
  #hangs: HangOrder[] = [];
  chances: FaultChances = {};
  hanging: HangChance = { chance: 0, msMax: 0 };

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  order(order: FaultOrder): void {
    const { skip = 0, times = 1 } = order;
    assert(order.error !== "SHORT" || order.operation === "read", "only a read can be short");
    this.#standing.push({ order, skip, times });
  }

  /** Forgets every order and every chance. */
  clear(): void {
    this.#standing = [];
    this.#hangs = [];
    this.chances = {};
    this.hanging = { chance: 0, msMax: 0 };
  }

  hang(order: HangOrder): void {
    this.#hangs.push(order);
  }

  /** How long this call hangs; 0 if it does not. */
  nextHangMs(operation: DiskOperation, path: string): number {
    const at = this.#hangs.findIndex((order) => {
      return order.operation === operation && (order.pathPattern?.test(path) ?? true);
    });
    const [ordered] = at < 0 ? [] : this.#hangs.splice(at, 1);
    if (ordered !== undefined) return ordered.ms;
    const { chance, msMax } = this.hanging;
    return chance > 0 && this.#random.chance(chance) ? this.#random.below(msMax) : 0;
  }

  /** The fault that hits this call, if one does. */
  next(operation: DiskOperation, path: string): Fault | undefined {
    for (const standing of this.#standing) {
      const { order } = standing;
      if (order.operation !== operation) continue;
      if (order.pathPattern !== undefined && !order.pathPattern.test(path)) continue;
      if (standing.skip > 0) {
        standing.skip -= 1;
        continue;
      }
      standing.times -= 1;
      if (standing.times <= 0) this.#standing = this.#standing.filter((each) => each !== standing);
      const after = order.after === undefined ? {} : { after: order.after };
      return { code: order.error ?? "EIO", ...after };
    }
    return this.#byChance(operation);
  }

  #byChance(operation: DiskOperation): Fault | undefined {
    const chance = this.chances[operation] ?? 0;
    if (chance === 0 || !this.#random.chance(chance)) return undefined;
    const grows = ["write", "create", "preallocate", "mkdir"].includes(operation);
    return { code: grows && this.#random.chance(0.3) ? "ENOSPC" : "EIO" };
  }
}
