/**
 * A CIRCUIT BREAKER: after some failures in a row nobody calls the service for a while; then one
 * call at a time tries whether it is back.
 *
 *              failuresMax in a row            the pause is over, someone asks
 *     closed ───────────────────────► open ───────────────────────────────────► half-open
 *       ▲                               ▲            a probe fails                │   │
 *       │                               └─────────────────────────────────────────┘   │
 *       └─────────────────────────────────────────────────────────────────────────────┘
 *                                      probesMin succeed in a row
 *
 *   closed      Everybody goes. A success forgets the failures before it.
 *   open        Nobody goes until the pause is over. Each pause in a row is up to twice as long.
 *   half-open   One goes at a time: the probe.
 *
 * (1) Whoever goes gets a ticket and says how it went, once. The word of a ticket from before the
 *     last move counts for nothing: calls that hung through an outage end it no sooner and renew it
 *     no later than the probe says.
 * (2) A probe that is given up leaves its place to the next caller.
 * (3) It has no clock and no dice: it is told the time, and given what jitter needs.
 */
import type { Random } from "../../base/env.ts";
import { StateTable } from "../../base/state-table.ts";
import { backoffLimitMs } from "./backoff.ts";

export interface BreakerLimits {
  readonly failuresMax: number;
  readonly probesMin: number;
  readonly pauseMs: number;
  readonly pauseMsMax: number;
}

export type BreakerState = "closed" | "open" | "half-open";
export type Outcome = "succeeded" | "failed" | "abandoned";

export interface Ticket {
  readonly move: number;
}

export type Answer =
  | { readonly type: "go"; readonly ticket: Ticket }
  /** Ask again then, or when the state has changed. */
  | { readonly type: "wait"; readonly untilMs: number };

const NEXT = new StateTable<BreakerState>("breaker", {
  closed: ["open"],
  open: ["half-open"],
  "half-open": ["open", "closed"],
});

export class CircuitBreaker {
  readonly #limits: BreakerLimits;
  readonly #random: Random;
  #state: BreakerState = "closed";
  /** Counts moves. */
  #move = 0;
  /** In a row: failures while closed, successes while half-open. */
  #count = 0;
  /** In a row, without being closed between them. */
  #pauses = 0;
  #untilMs = 0;
  #probe: Ticket | undefined;

  constructor(limits: BreakerLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Counts every change of state. */
  get moves(): number {
    return this.#move;
  }

  ask(nowMs: number): Answer {
    if (this.#state === "open") {
      if (nowMs < this.#untilMs) return { type: "wait", untilMs: this.#untilMs };
      this.#moveTo("half-open");
    }
    const ticket = { move: this.#move };
    if (this.#state === "closed") return { type: "go", ticket };
    if (this.#probe !== undefined) {
      return { type: "wait", untilMs: nowMs + this.#limits.pauseMs };
    }
    this.#probe = ticket;
    return { type: "go", ticket };
  }

  settle(ticket: Ticket, { outcome, nowMs }: { outcome: Outcome; nowMs: number }): void {
    if (ticket.move !== this.#move) return;
    if (this.#state === "closed") this.#settleClosed(outcome, nowMs);
    else this.#settleProbe(ticket, { outcome, nowMs });
  }

  #settleClosed(outcome: Outcome, nowMs: number): void {
    if (outcome === "abandoned") return;
    this.#count = outcome === "failed" ? this.#count + 1 : 0;
    if (this.#count >= this.#limits.failuresMax) this.#open(nowMs);
  }

  #settleProbe(ticket: Ticket, { outcome, nowMs }: { outcome: Outcome; nowMs: number }): void {
    if (ticket !== this.#probe) return; // Said twice.
    this.#probe = undefined;
    if (outcome === "failed") this.#open(nowMs);
    if (outcome !== "succeeded") return;
    this.#count += 1;
    if (this.#count < this.#limits.probesMin) return;
    this.#pauses = 0;
    this.#moveTo("closed");
  }

  /** Half of the pause is certain, so that nobody hammers; the other half spreads the stores. */
  #open(nowMs: number): void {
    const { pauseMs, pauseMsMax } = this.#limits;
    const limitMs = backoffLimitMs(this.#pauses, { baseMs: pauseMs, maxMs: pauseMsMax });
    this.#pauses += 1;
    this.#untilMs = nowMs + limitMs / 2 + this.#random.below(Math.floor(limitMs / 2) + 1);
    this.#moveTo("open");
  }

  /** The only place where the state changes. */
  #moveTo(next: BreakerState): void {
    NEXT.assertMove(this.#state, next);
    this.#state = next;
    this.#move += 1;
    this.#count = 0;
    this.#probe = undefined;
  }
}
