/**
 * WHAT A SERVICE AND THE NETWORK BEFORE IT DO WRONG, once by order or often by chance.
 *
 *   fault            hits            what happens                            what the caller learns
 *   error-before     any             nothing                                 500
 *   error-after      changes         it is applied                           500
 *   slow-down        any             nothing                                 503 with Retry-After
 *   slow-down-after  changes         it is applied                           503 with Retry-After
 *   throttled        any             nothing                                 429
 *   timeout-before   any             it never arrives                        no answer in time
 *   timeout-after    changes         it is applied, the answer is lost       no answer in time
 *   delayed          puts            it is applied minutes later             no answer in time
 *   twice            puts            it is applied now and again later       success
 *   conflict         putIfAbsent     nothing                                 409
 *   refused          any             the connection does not come about      ECONNREFUSED
 *   reset            any             cut off in the middle; puts: nothing    ECONNRESET
 *   truncated        gets            half of the body, then the end          a short body
 *   damaged          gets            a flipped bit, of the right length      a wrong body
 *   damaged-put      puts            a flipped bit on the way there          400, nothing is stored
 *   missing          gets, heads     404 for something that is there         not found
 *
 * States last until they are lifted: `denied` (403), `gone` (the bucket is not there), `down` (no
 * connection), `listLagMs` (lists show an older bucket), `missingMs` (what was put is not found by
 * gets and heads for so long), `skewMs` (the clock of the service).
 *
 * (1) A fault hits one call; the service is well afterwards.
 */
import { assert } from "../../base/assert.ts";
import type { SeededRandom } from "../../io/index.ts";
import type { SinkOperation } from "../sink-error.ts";

export type SinkFault =
  | "error-before"
  | "error-after"
  | "slow-down"
  | "slow-down-after"
  | "throttled"
  | "timeout-before"
  | "timeout-after"
  | "delayed"
  | "twice"
  | "conflict"
  | "refused"
  | "reset"
  | "truncated"
  | "damaged"
  | "damaged-put"
  | "missing";

const ANY: readonly SinkOperation[] = ["put", "putIfAbsent", "get", "head", "list", "delete"];
const CHANGES: readonly SinkOperation[] = ["put", "putIfAbsent", "delete"];
const PUTS: readonly SinkOperation[] = ["put", "putIfAbsent"];

/** Which calls a fault can hit. */
export const SINK_FAULTS: Readonly<Record<SinkFault, readonly SinkOperation[]>> = {
  "error-before": ANY,
  "error-after": CHANGES,
  "slow-down": ANY,
  "slow-down-after": CHANGES,
  throttled: ANY,
  "timeout-before": ANY,
  "timeout-after": CHANGES,
  delayed: PUTS,
  twice: PUTS,
  conflict: ["putIfAbsent"],
  refused: ANY,
  reset: ANY,
  truncated: ["get"],
  damaged: ["get"],
  "damaged-put": PUTS,
  missing: ["get", "head"],
};

export interface SinkFaultOrder {
  readonly fault: SinkFault;
  /** Default: every operation that the fault can hit. */
  readonly operation?: SinkOperation;
  /** Only calls for keys that match. Default: all. */
  readonly keyPattern?: RegExp;
  /** Matching calls that are let through first. Default 0. */
  readonly skip?: number;
  /** Matching calls that are hit. Default 1. */
  readonly times?: number;
}

export interface SinkStates {
  denied: boolean;
  gone: boolean;
  down: boolean;
  listLagMs: number;
  missingMs: number;
  skewMs: number;
}

interface Standing {
  readonly order: SinkFaultOrder;
  skip: number;
  times: number;
}

export class SinkFaults {
  readonly state: SinkStates = {
    denied: false,
    gone: false,
    down: false,
    listLagMs: 0,
    missingMs: 0,
    skewMs: 0,
  };
  /** Calls that were hit so far, by fault. */
  readonly injected = new Map<SinkFault, number>();
  readonly #random: SeededRandom;
  #standing: Standing[] = [];
  #chance = 0;
  #except: readonly SinkFault[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  failNext(order: SinkFaultOrder): void {
    const { fault, operation, skip = 0, times = 1 } = order;
    const hits = operation === undefined || SINK_FAULTS[fault].includes(operation);
    assert(hits, () => `${fault} does not hit ${operation}`);
    this.#standing.push({ order, skip, times });
  }

  /** From now on any call is hit with this probability, by any fault that can hit it. */
  failSometimes(chance: number, { except = [] }: { except?: readonly SinkFault[] } = {}): void {
    this.#chance = chance;
    this.#except = except;
  }

  /** Forgets orders and chances, and lifts every state. What is delayed still lands. */
  heal(): void {
    this.#standing = [];
    this.#chance = 0;
    const { state } = this;
    state.denied = state.gone = state.down = false;
    state.listLagMs = state.missingMs = state.skewMs = 0;
  }

  /** The fault that hits this call, if one does. */
  next(operation: SinkOperation, key: string): SinkFault | undefined {
    const fault = this.#next(operation, key);
    if (fault !== undefined) this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
    return fault;
  }

  #next(operation: SinkOperation, key: string): SinkFault | undefined {
    for (const standing of this.#standing) {
      const { fault, keyPattern } = standing.order;
      const wanted = standing.order.operation ?? operation;
      if (wanted !== operation || !SINK_FAULTS[fault].includes(operation)) continue;
      if (keyPattern !== undefined && !keyPattern.test(key)) continue;
      if (standing.skip > 0) {
        standing.skip -= 1;
        continue;
      }
      standing.times -= 1;
      if (standing.times <= 0) this.#standing = this.#standing.filter((each) => each !== standing);
      return fault;
    }
    if (this.#chance === 0 || !this.#random.chance(this.#chance)) return undefined;
    const faults = Object.keys(SINK_FAULTS) as SinkFault[];
    const possible = faults.filter((fault) => SINK_FAULTS[fault].includes(operation));
    return this.#random.pick(possible.filter((fault) => !this.#except.includes(fault)));
  }
}
