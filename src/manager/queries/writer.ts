/**
 * THE WRITER of one database: whose turn it is, and what runs in it.
 *
 * (1) One piece of work has the writer at a time, in order of arrival; members at the front share.
 * (2) `run` never waits. What cannot go on now (a hold, a full log, pages that are away) is taken up
 *     by `release`, by a timer, or when the pages are here.
 * (3) Every answer passes the gate at the LSN of its commit, or, where nothing was committed, at
 *     the LSN of the state that it saw: an error reveals what it ran into. One that says how it
 *     stands with the device reveals nothing, and is told at once.
 * (4) While pages are waited for, nothing of the work at the front has happened, and the connection
 *     is free for readers; but a script may be in a transaction, and then the writer counts as held.
 *     If they cannot be had, that is the answer of whose they are, and of nobody else.
 * (5) All that waits when the log takes nothing new waits for that from then on, each for as long as
 *     the first: nobody's time begins when that of those before him is over.
 */
import { assert } from "../../base/assert.ts";
import type { Clock, Disposer } from "../../base/env.ts";
import type { StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { OutputGate } from "../gates/gate.ts";
import {
  type GroupContext,
  isOfTheDevice,
  refusedAtTheDoor,
  runGroup,
  runSingly,
} from "./group.ts";
import type { PageWait, PageWaits } from "./page-waits.ts";
import type { Seat } from "./seat.ts";
import type { Alone, Hold, Member, Work } from "./work.ts";
import { WorkQueue } from "./work-queue.ts";

interface WriterContext extends GroupContext {
  readonly gate: OutputGate;
  readonly newestLsn: () => Lsn;
}

export interface WriterOptions extends Omit<WriterContext, "seat" | "mayMiss"> {
  readonly pages: PageWaits;
  /** How long work waits for a full log before it is refused with the reason. */
  readonly admissionTimeoutMs: number;
  /** Asks for a call of `run` in the next turn of the event loop. */
  readonly schedule: () => void;
  /** The same, for work that waited behind a hold: sooner, if others have had their turn. */
  readonly follow: () => void;
  /** A hold began (1) or ended (-1). */
  readonly countHold: (change: 1 | -1) => void;
  /** The writer's seat, opened if it is not. */
  readonly openSeat: () => Seat;
}

export class Writer {
  #options: WriterOptions;
  readonly #clock: Clock;
  readonly #schedule: () => void;
  /** Made anew only when the seat is another: this is on the path of every commit. */
  #lastContext: WriterContext | undefined;
  readonly #queue = new WorkQueue();
  readonly #members = {
    peek: (): Member | undefined => {
      const work = this.#queue.peek();
      return work?.kind === "member" ? work : undefined;
    },
    shift: (): void => {
      this.#queue.shift();
    },
    unshift: (members: readonly Member[]): void => this.#queue.unshift(members),
  };
  #held = false;
  /** The log took nothing new when the front was tried last. */
  #isTurnedAway = false;
  #pause: Disposer | undefined;
  /** Of the work at the front, from its first miss on. */
  #wait: PageWait | undefined;
  /** It waits in the middle of a transaction. See (4). */
  #isInside = false;
  #closed: { readonly error: unknown } | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#schedule = options.schedule;
  }

  get busy(): boolean {
    return this.#held || this.#queue.length > 0;
  }

  /** What waits, waits for the log: see (5). */
  get waitsForLog(): boolean {
    return this.#isTurnedAway;
  }

  get held(): boolean {
    return this.#held || this.#isInside;
  }

  /** What answers pass from now on. */
  set gate(gate: OutputGate) {
    this.#options = { ...this.#options, gate };
    this.#lastContext = undefined;
  }

  push(work: Work): void {
    if (this.#closed !== undefined) {
      work.refuse(this.#closed.error);
      return;
    }
    work.session.queuedCount++;
    this.#queue.push(work);
    if (!this.#held && this.#pause === undefined) this.#schedule();
  }

  /** Runs what is at the front. Returns how many callers now wait at the gate. */
  run(): number {
    let waiting = 0;
    if (this.#held || this.#pause !== undefined) return waiting;
    const work = this.#queue.peek();
    if (work === undefined) return waiting;
    try {
      const context = this.#context();
      if (work.kind === "member") waiting = this.#runMembers(context);
      else if (work.kind === "alone") waiting = this.#runAlone(work);
      else this.#startHold(work);
      this.#isTurnedAway = false;
      if (this.#wait !== undefined) this.#endWait();
    } catch (error) {
      this.#turnedAway(work, error);
    }
    if (!this.#held && this.#pause === undefined && this.#queue.length > 0) this.#schedule();
    return waiting;
  }

  /** Refuses everything that waits, and everything that comes. */
  close(error: unknown): void {
    this.#closed = { error };
    this.refuseAll(error);
  }

  /** Refuses everything that waits. What holds the writer is its owner's to end. */
  refuseAll(error: unknown): void {
    this.#pause?.dispose();
    this.#pause = undefined;
    this.#wait?.cancel(error);
    this.#endWait();
    for (const work of this.#queue.drain()) {
      work.session.queuedCount--;
      work.refuse(error);
    }
  }

  #context(): WriterContext {
    const seat = this.#options.openSeat();
    let context = this.#lastContext;
    if (context?.seat !== seat) {
      const { pages } = this.#options;
      context = { ...this.#options, seat, mayMiss: () => pages.mayMiss };
      this.#lastContext = context;
    }
    return context;
  }

  #runMembers(context: WriterContext): number {
    // With nobody to share with, a transaction around the statement would only cost.
    let done = this.#queue.length > 1 ? runGroup(this.#members, context) : [];
    if (done.length === 0) done = this.#runFirst(context);
    settleAtGate(done, context);
    return done.length;
  }

  #runFirst(context: WriterContext): Member[] {
    const member = this.#members.peek();
    if (member === undefined) return [];
    runSingly(member, context);
    this.#queue.shift();
    return [member];
  }

  #runAlone(work: Alone): number {
    work.run();
    this.#queue.shift();
    work.session.queuedCount--;
    return 1;
  }

  #startHold(work: Hold): void {
    if (work.cancelled) {
      this.#queue.shift();
      work.session.queuedCount--;
      return;
    }
    let mine = true;
    this.#setHeld(true);
    try {
      work.start(() => {
        if (!mine) return;
        mine = false;
        this.#setHeld(false);
        if (this.#queue.length > 0) this.#options.follow();
      });
    } catch (error) {
      mine = false;
      this.#setHeld(false);
      throw error;
    }
    this.#queue.shift();
    work.session.queuedCount--;
  }

  #setHeld(held: boolean): void {
    this.#held = held;
    this.#options.countHold(held ? 1 : -1);
  }

  /** The front could not begin: a full log lets go in time, everything else is its answer. */
  #turnedAway(work: Work, error: unknown): void {
    if (error instanceof PagesAway) {
      this.#waitForPages(work, error);
      return;
    }
    this.#endWait();
    this.#isTurnedAway = refusedAtTheDoor(error);
    if (this.#isTurnedAway && this.#waitedMs(work) < this.#options.admissionTimeoutMs) {
      const { retryAfterMs } = (error as StorageError<"BOP_BACKPRESSURE">).details;
      this.#pause = this.#clock.deadline(retryAfterMs, () => {
        this.#pause = undefined;
        this.#schedule();
      });
      return;
    }
    this.#queue.shift();
    work.session.queuedCount--;
    work.refuse(error);
  }

  /** See (5). */
  #waitedMs(front: Work): number {
    const nowMs = this.#clock.monotonicMs();
    for (const work of this.#queue.waiting()) {
      if (work.waitingSinceMs === 0) work.waitingSinceMs = nowMs;
    }
    return nowMs - front.waitingSinceMs;
  }

  /** See (4). The front keeps its place. */
  #waitForPages(front: Work, away: PagesAway): void {
    const work = this.#queue.find((waiting) => foundAway(waiting, away)) ?? front;
    this.#wait ??= this.#options.pages.begin();
    const wait = this.#wait;
    const limits = "timeoutMs" in work ? work : undefined;
    const connection = this.#lastContext?.seat.connection;
    this.#isInside = work.kind === "alone" && connection?.autocommit === false;
    const pause = { dispose: (): void => {} };
    this.#pause = pause;
    const goOn = (failure?: { readonly error: unknown }): void => {
      if (this.#pause !== pause) return;
      this.#pause = undefined;
      this.#isInside = false;
      if (failure !== undefined) this.#giveUp(work, failure);
      if (this.#queue.length > 0 && this.#pause === undefined) this.#schedule();
    };
    wait.bring(away, limits).then(
      () => goOn(),
      (error: unknown) => goOn({ error }),
    );
  }

  /** Its pages cannot be had, or not in time. */
  #giveUp(work: Work, failure: { readonly error: unknown }): void {
    this.#endWait();
    if (work.kind === "alone") {
      try {
        work.run(failure);
      } catch (error) {
        work.refuse(error);
      }
    } else {
      work.refuse(failure.error);
    }
    this.#queue.remove(work);
    work.session.queuedCount--;
  }

  #endWait(): void {
    this.#wait?.end();
    this.#wait = undefined;
    this.#isInside = false;
  }
}

/** It is the member that ran into this. */
function foundAway(work: Work, away: PagesAway): boolean {
  if (work.kind !== "member" || work.outcome === undefined) return false;
  return "error" in work.outcome && work.outcome.error === away;
}

/** One waiter for the whole group. See (3). */
function settleAtGate(done: readonly Member[], context: WriterContext): void {
  const { gate, seat } = context;
  const lsn = context.newestLsn();
  let refused = 0;
  for (const member of done) {
    const { session, outcome } = member;
    session.queuedCount--;
    session.committed(seat.connection.lastCommitLsn ?? lsn);
    if (outcome === undefined || !("error" in outcome) || !isRefused(member)) continue;
    member.refuse(outcome.error);
    refused++;
  }
  if (refused === done.length) return;
  const members = refused === 0 ? done : done.filter((member) => !isRefused(member));
  gate.pass(lsn, {
    release: () => {
      for (const member of members) settle(member, lsn);
    },
    refuse: (error) => {
      for (const member of members) member.refuse(error);
    },
  });
}

function isRefused({ outcome }: Member): boolean {
  return outcome !== undefined && "error" in outcome && isOfTheDevice(outcome.error);
}

function settle(member: Member, lsn: Lsn): void {
  const { outcome } = member;
  assert(outcome !== undefined, "a member was settled before it ran");
  if ("error" in outcome) {
    member.refuse(outcome.error);
    return;
  }
  const { answer } = outcome;
  const finish = member.statements === undefined ? member.shape.finish : undefined;
  member.release(finish === undefined ? answer : finish(answer, lsn));
}
