/** ONE SEED over a bucket: where its store lies, the service, and how often that fails. */
import { isStorageError } from "../../src/index.ts";
import { type SimulatedService, simulatedService } from "../../src/sink/index.ts";
import { promise } from "../failure.ts";
import type { Simulation } from "../simulation.ts";

export const LATENCY_MS_MAX = 30;
/** Until who found the service down asks again. */
export const OUTAGE_MS = 5000;
/** Why pages that are only in the bucket cannot be had now. */
const AWAY = ["BOP_SINK_UNAVAILABLE", "BOP_SINK_CORRUPT", "BOP_SINK_REFUSED"] as const;

/** Where the store lies now; a lost machine's directory is not used again. */
export class Places {
  #count = 1;
  /** The next life begins in a directory that is empty. */
  isLost = false;
  /** The store that lies there has shipped: no writer came after it. */
  hasShipped = false;

  get directory(): string {
    return `/store-${this.#count}`;
  }

  lose(): void {
    this.#count += 1;
    this.isLost = true;
    this.hasShipped = false;
  }
}

export interface Tier {
  readonly diskBytes: number;
  /** How a new machine begins: with an empty disk, or with one that was restored lazily. */
  readonly startsFromSink: boolean;
  /** Some databases are larger than what is brought at once. */
  readonly isLoaded: boolean;
}

/** What happens how often, where scenarios differ. */
export interface Habits {
  readonly ends: readonly End[];
  /** Refusals go on until log is a dead letter, which is given up. Otherwise they last a while. */
  readonly givesLogUp: boolean;
}

export type End = "kill" | "power" | "machine" | "replaced";

export interface Run {
  /** Undefined: all chunks stay on the disk. */
  readonly tier: Tier | undefined;
  readonly habits: Habits;
  readonly simulation: Simulation;
  service: SimulatedService;
  readonly places: Places;
  readonly faultChance: number;
  readonly keepForMs: number;
  readonly flushBytes: number;
  readonly flushIntervalMs: number;
  /** The process before has lost its place and lives: it ships on. */
  isReplaced: boolean;
  /** Letters that somebody was told to have decided on, and their directories. See (4). */
  readonly decided: Set<string>;
  /** Those of them that were there again. */
  readonly ghosts: string[];
}

export function newService({ random, injectors }: Simulation): SimulatedService {
  const service = simulatedService(random.below(2 ** 31));
  injectors.push({ prefix: "sink ", injected: service.faults.injected });
  return service;
}

export const isAway = (error: unknown): boolean => AWAY.some((code) => isStorageError(error, code));

export function assertNoGhosts({ ghosts }: Run): void {
  promise(ghosts.length === 0, () => `decided, and there again: ${ghosts.join("; ")}`);
}
