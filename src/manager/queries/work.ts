/**
 * WORK: what waits for its turn to write to one database.
 *
 * (1) A member is a value (text, parameters, shape of the answer), so that it can run again by
 *     itself when the group that it shared a transaction with fails as a whole.
 * (2) Alone work runs synchronously with the writer to itself, but for waits for pages. A hold keeps
 *     the writer for as long as it likes, across turns of the event loop, until it calls `release`.
 * (3) Each piece of work is settled exactly once.
 */
import type { Lsn } from "../../base/units.ts";
import type { PreparedStatement, SqlParameters } from "../../sqlite/index.ts";
import type { ExecuteResult } from "../api/queryable.ts";
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";

export type Work = Member | Alone | Hold;

/** How the answer of a statement is taken from it. */
export interface Shape<T> {
  /** Steps through the bound statement and makes the answer, rows and counters. */
  collect(statement: PreparedStatement, seat: Seat): T;
  /** Adds what is known only after the commit, or what a read has seen. */
  finish?(answer: T, lsn: Lsn): T;
}

interface Settled {
  readonly session: Session;
  /** Monotonic time since which it waits for the log to take something new; 0 if it never did. */
  waitingSinceMs: number;
  refuse(error: unknown): void;
}

/** What can share a transaction with others: one statement, or a batch of them. */
export type Member = StatementMember | BatchMember;

interface Shareable extends Settled {
  readonly kind: "member";
  /** What the caller allowed, and the monotonic time at which that is over; undefined for none. */
  readonly timeoutMs: number | undefined;
  readonly deadlineMs: number | undefined;
  /** Filled while it runs. */
  outcome: Outcome | undefined;
  release(answer: unknown): void;
}

export interface StatementMember extends Shareable {
  readonly statements: undefined;
  readonly sql: string;
  readonly parameters: SqlParameters;
  readonly shape: Shape<unknown>;
}

export interface BatchMember extends Shareable {
  readonly statements: readonly BatchItem[];
  /** Of each statement's answer. */
  readonly shape: Shape<ExecuteResult>;
}

export interface BatchItem {
  readonly sql: string;
  readonly parameters: SqlParameters;
}

export type Outcome = { readonly answer: unknown } | { readonly error: unknown };

export interface Alone extends Settled {
  readonly kind: "alone";
  /** As of a member; the deadline is known once it has begun. */
  readonly timeoutMs: number | undefined;
  readonly deadlineMs: number | undefined;
  /**
   * Runs to its end; throws if refused at the door (BOP_BACKPRESSURE…), before it did anything.
   * Throws PagesAway where it is called again to go on, with the reason if they cannot be had.
   */
  run(failure?: { readonly error: unknown }): void;
}

export interface Hold extends Settled {
  readonly kind: "hold";
  /** The writer is this work's until `release` is called. */
  start(release: () => void): void;
  /** True if nobody wants it any more. */
  readonly cancelled: boolean;
}
