/**
 * COALESCED EXECUTION: statements of many callers that wait for one database share a transaction.
 * To each of them it must look as if it had run by itself.
 *
 * (1) Members run in order of arrival, each with its own result or error. A statement that fails
 *     leaves its neighbours alone: SQLite undoes the statement and not the transaction.
 * (2) If the transaction is lost (a conflict clause ROLLBACK, a full disk, an interrupt, a commit
 *     that is refused, a batch that fails, a write whose rows cannot be taken), nothing of it has been
 *     seen by anybody; every member runs again singly.
 * (3) Foreign keys that a member leaves violated until the commit would fail it when alone, so they
 *     fail the group, by (2).
 * (4) Only plain statements share: see `mayShare`. A group is bounded in members and in time.
 * (5) If a member finds pages away, nothing of the group has happened: it is rolled back, and all of
 *     it is at the front of the queue again. The one that found them has that for its outcome.
 */
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/env.ts";
import { isStorageError, type StorageError } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";
import type { PreparedStatement, SessionCounters } from "../../sqlite/index.ts";
import { everyStatement, runBatch, runBatchAlone } from "./batch.ts";
import { interrupted } from "./interrupted.ts";
import type { Seat } from "./seat.ts";
import type { Session } from "./session.ts";
import { collectWhole, isOfTheRows, returnsRows } from "./whole.ts";
import type { BatchItem, BatchMember, Member, Outcome, StatementMember } from "./work.ts";

const GROUP_MEMBERS_MAX = 512;
const GROUP_MS_MAX = 4;
/** The clock is read once in so many members. */
const MEMBERS_PER_CLOCK_READ = 16;

export interface GroupContext {
  readonly seat: Seat;
  readonly clock: Clock;
  /** Pages may be away now: see page-waits.ts. */
  readonly mayMiss: () => boolean;
  /** Some table of the database has a foreign key, and they are enforced. */
  readonly foreignKeys: () => boolean;
  /** A member created or dropped something: compiled statements are out of date. */
  readonly schemaChanged: () => void;
}

/** May this statement run in one transaction with those of others? */
export function mayShare({ traits, explain }: PreparedStatement): boolean {
  const { kind, sessionBound, readsCounters } = traits;
  return kind === "plain" && !sessionBound && !readsCounters && explain === 0;
}

/**
 * Runs members from the front of the queue that may share a transaction, and returns those that
 * have an outcome. None: the first may not share. Throws what BEGIN throws and PagesAway, having
 * done nothing.
 */
export function runGroup(queue: MemberQueue, context: GroupContext): Member[] {
  const group: Group = { members: [], before: new Map(), queue };
  try {
    const isWhole = runTogether(group, context);
    return isWhole ? group.members : again(group, context);
  } catch (error) {
    undo(group, context);
    // What was compiled behind a member that changed the schema knows of its change.
    if (group.before.size > 0) context.schemaChanged();
    queue.unshift(group.members);
    throw error;
  }
}

/** False if the transaction is lost. */
function runTogether({ members, before, queue }: Group, context: GroupContext): boolean {
  const { seat, clock } = context;
  const startedMs = clock.monotonicMs();
  let begun = false;
  for (let member = queue.peek(); member !== undefined; member = queue.peek()) {
    if (!classify(member, seat)) break;
    if (!begun && member.outcome === undefined) {
      seat.connection.command("BEGIN IMMEDIATE");
      begun = true;
    }
    queue.shift();
    members.push(member);
    if (member.outcome === undefined) {
      if (!before.has(member.session)) before.set(member.session, seat.note(member.session));
      const outcome = runMember(member, context);
      if ("error" in outcome && outcome.error instanceof PagesAway) throw outcome.error;
      if (groupIsLost({ member, outcome }, context)) return false;
    }
    if (members.length >= GROUP_MEMBERS_MAX) break;
    if (members.length % MEMBERS_PER_CLOCK_READ > 0) continue;
    if (clock.monotonicMs() - startedMs > GROUP_MS_MAX) break;
  }
  return !begun || commit(seat);
}

/** The front of a database's queue, as far as members go. */
export interface MemberQueue {
  peek(): Member | undefined;
  shift(): void;
  /** They are at the front again. */
  unshift(members: readonly Member[]): void;
}

interface Group {
  readonly members: Member[];
  /** The counters of each session as they were before the group began. */
  readonly before: Map<Session, SessionCounters>;
  readonly queue: MemberQueue;
}

/** Runs one member in a transaction of its own. Throws what refuses it at the door, and PagesAway. */
export function runSingly(member: Member, context: GroupContext): void {
  const { seat } = context;
  const before = context.mayMiss() ? seat.note(member.session) : undefined;
  const outcome = runAlone(member, context);
  if ("error" in outcome) {
    const isAway = outcome.error instanceof PagesAway;
    if (isAway && before !== undefined) seat.restore(member.session, before);
    if (isAway || refusedAtTheDoor(outcome.error)) throw outcome.error;
  }
  assert(seat.connection.autocommit, "a statement alone ends its transaction");
}

/** False if it may not share. A text that does not compile has its outcome at once. */
function classify(member: Member, seat: Seat): boolean {
  member.outcome = undefined;
  if (member.statements !== undefined) return classifyBatch(member, seat);
  try {
    return mayShare(seat.statement(member.sql));
  } catch (error) {
    if (error instanceof PagesAway) throw error;
    member.outcome = { error };
    return true;
  }
}

/** One that holds a statement which does not compile is left to run alone, and to say which. */
function classifyBatch(member: BatchMember, seat: Seat): boolean {
  try {
    return everyStatement(member, seat, mayShare);
  } catch (error) {
    if (error instanceof PagesAway) throw error;
    return false;
  }
}

function runMember(member: Member, context: GroupContext): Outcome {
  const { statements } = member;
  if (statements === undefined) return runStatement(member, context);
  return inSession(member, context, () => runBatch(member, context.seat));
}

function runAlone(member: Member, context: GroupContext): Outcome {
  const { statements } = member;
  if (statements === undefined) return runStatement(member, context);
  return inSession(member, context, () => runBatchAlone(member, context.seat));
}

function inSession(member: BatchMember, context: GroupContext, run: () => Outcome): Outcome {
  const { seat, schemaChanged } = context;
  const { session, deadlineMs, statements } = member;
  seat.enter(session);
  if (deadlineMs !== undefined) seat.connection.deadline(deadlineMs);
  const outcome = run();
  if (deadlineMs !== undefined) seat.connection.deadline(undefined);
  if (changesSchema(statements, seat)) schemaChanged();
  member.outcome = outcome;
  return outcome;
}

function changesSchema(statements: readonly BatchItem[], seat: Seat): boolean {
  return statements.some(({ sql }) => seat.known(sql)?.traits.changesSchema === true);
}

function runStatement(member: StatementMember, context: GroupContext): Outcome {
  const { seat } = context;
  const { session, deadlineMs } = member;
  let statement: PreparedStatement | undefined;
  let outcome: Outcome;
  seat.enter(session);
  if (deadlineMs !== undefined) seat.connection.deadline(deadlineMs);
  try {
    statement = seat.statement(member.sql);
    outcome = { answer: collectWhole(member, statement, { seat, session }) };
  } catch (error) {
    outcome = { error: interrupted(error, member.timeoutMs) };
  }
  if (deadlineMs !== undefined) seat.connection.deadline(undefined);
  if (statement?.traits.changesSchema) context.schemaChanged();
  member.outcome = outcome;
  return outcome;
}

function groupIsLost({ member, outcome }: Ran, { seat, foreignKeys }: GroupContext): boolean {
  if ("error" in outcome) {
    if (member.statements !== undefined || seat.connection.autocommit) return true;
    // What it changed before its rows could not be taken is there still.
    const statement = isOfTheRows(outcome.error) ? seat.known(member.sql) : undefined;
    if (statement !== undefined && returnsRows(statement)) return true;
  }
  // Asked after errors too: what OR FAIL changed before it failed stays.
  return foreignKeys() && seat.connection.deferredForeignKeys > 0;
}

interface Ran {
  readonly member: Member;
  readonly outcome: Outcome;
}

/** False if the commit was refused; the transaction is over in any case. */
function commit({ connection }: Seat): boolean {
  try {
    connection.command("COMMIT");
    return true;
  } catch (error) {
    if (error instanceof PagesAway) throw error;
    return false;
  }
}

/** What the lost run did to the counters of sessions is undone too. */
function undo({ before }: Group, { seat }: GroupContext): void {
  const { connection } = seat;
  if (!connection.autocommit) connection.command("ROLLBACK");
  // Where nobody has run, the counters in place are somebody's from before.
  if (before.size > 0) seat.forgetSession();
  for (const [session, counters] of before) Object.assign(session, counters);
}

/** By (2). Who finds pages away, and who comes behind him, waits at the front of the queue. */
function again(group: Group, context: GroupContext): Member[] {
  const { seat } = context;
  const { members, queue } = group;
  undo(group, context);
  for (const [index, member] of members.entries()) {
    const before = seat.note(member.session);
    const outcome = runAlone(member, context);
    if (!seat.connection.autocommit) seat.connection.command("ROLLBACK");
    if (!("error" in outcome) || !(outcome.error instanceof PagesAway)) continue;
    seat.restore(member.session, before);
    queue.unshift(members.slice(index));
    return members.slice(0, index);
  }
  return members;
}

/** Refusals that come before any work was done, and may be gone a moment later. */
export function refusedAtTheDoor(error: unknown): error is StorageError {
  return isStorageError(error, "BOP_BACKPRESSURE");
}

/**
 * Refusals that tell how it stands with the device, and nothing of the data: nobody waits to hear
 * them until what he might have seen is durable. On a full disk that would be until there is room.
 */
export function isOfTheDevice(error: unknown): boolean {
  return isStorageError(error, "BOP_DISK_FULL") || refusedAtTheDoor(error);
}
