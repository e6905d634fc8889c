/**
 * WHICH CALLS FAIL, AND HOW. Two sources: orders given by a test (`failNext`), and chance.
 *
 * (1) A fault hits one call. The file is clean afterwards: what it does next works, which is what
 *     makes a failed sync so dangerous.
 * (2) A failed write may have landed in part; a failed sync leaves one of three states: content.ts.
 *     So a write that the device took in part only is either gone on with, by the file itself
 *     (system-file.ts), or refused with a part of it there; nobody is told of success.
 * (3) A call that hangs comes back in the end, and lands: later than anybody thought.
 *
 * What may fail where, beside calls: damage at rest (damage.ts), and what a store makes of it. At most
 * one of two copies of the same is hurt at a time, and then what must be survived can be asserted.
 *
 *   zone             a failed call            damage at rest
 *   log, active      read-only or waits;      not read while the store is open; the newest batches
 *                    nothing acknowledged     cannot be told from a torn tail after a crash, so the
 *                    is lost                  model hurts only what a later segment has behind it
 *   log, sealed      as a read                survived if a checkpoint has it, or the bucket does
 *                                             and this disk remembers that; else detected: the start
 *                                             is refused (BOP_CORRUPT, BOP_IO), nothing is cut off
 *   history          as a read                detected by who reads the past; the start may refuse
 *   superblock       BOP_IO                   one of four copies: survived. Two: detected
 *   chunks           BOP_IO of statements     survived where the bucket has the chunk; else detected
 *   spilled pages    BOP_IO                   by the statement that meets it, and others go on
 *   manifest's twin  refused or unknown, its  a value: detected by who reads it, the start may refuse.
 *                    map full; then reopened  The mirror: survived
 *   unfinished (tmp) BOP_IO, BOP_DISK_FULL    as what it becomes. Nothing reads it before it has a name
 *   exports          the export is refused    not ours: no checksum of ours is in a SQLite file
 *   import sources   the import is refused    what SQLite's own check finds; the import is refused
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
  /** Where calls fail by chance; undefined: everywhere. */
  zone: RegExp | undefined;
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
    this.zone = undefined;
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
    return this.#byChance(operation, path);
  }

  #byChance(operation: DiskOperation, path: string): Fault | undefined {
    const chance = this.chances[operation] ?? 0;
    if (chance === 0 || this.zone?.test(path) === false) return undefined;
    if (!this.#random.chance(chance)) return undefined;
    const grows = ["write", "create", "preallocate", "mkdir"].includes(operation);
    return { code: grows && this.#random.chance(0.3) ? "ENOSPC" : "EIO" };
  }
}
