/**
 * ONE RECORD LOG OF AN OPEN STORE, as its handles, writes and checkpoints share it.
 *
 * (1) There is one of each log, however many handles it has: who has it knows the log by it.
 * (2) Who waits takes the turns of all logs that he changes at once, so that nobody waits for one who
 *     waits for him.
 */
import type { StorageError } from "../base/errors.ts";
import { LSN_ZERO, type Lsn, type StreamId } from "../base/units.ts";
import type { RecordLogCore } from "./core.ts";
import { DurableMarks } from "./durable-marks.ts";

/** Does nothing. */
const nothing = (): void => undefined;

export interface OpenLog {
  readonly stream: StreamId;
  readonly core: RecordLogCore;
  readonly marks: DurableMarks;
  /** Why it can be used no more: it was dropped. */
  gone: StorageError | undefined;
  /**
   * Changes that wait for a chunk, and those called after them; see RecordLogHandle (4). Never
   * rejects. Undefined if none waits.
   */
  turn: Promise<void> | undefined;
}

/** One as a checkpoint has it: all of it is shown as durable when its newest commit is. */
export function openLog(stream: StreamId, core: RecordLogCore): OpenLog {
  const marks = new DurableMarks();
  const { lastIndex, lsn } = core;
  if (lastIndex !== undefined) marks.append(lsn, lastIndex, LSN_ZERO);
  return { stream, core, marks, gone: undefined, turn: undefined };
}

/** The commit that its core has applied just now has this LSN. */
export function markApplied({ core, marks }: OpenLog, lsn: Lsn, durableLsn: Lsn): void {
  const { lastIndex, lowest } = core;
  if (lowest !== undefined) marks.truncate(lowest === "none" ? undefined : lowest);
  if (lastIndex !== undefined) marks.append(lsn, lastIndex, durableLsn);
}

/** Runs when what waits on these logs is done, and before what is called later. See (2). */
export function inTurnOf<T>(logs: readonly OpenLog[], work: () => Promise<T>): Promise<T> {
  const made = Promise.all(logs.map(({ turn }) => turn)).then(work);
  const turn: Promise<void> = made.then(nothing, nothing).then(() => {
    for (const log of logs) if (log.turn === turn) log.turn = undefined;
  });
  for (const log of logs) log.turn = turn;
  return made;
}
