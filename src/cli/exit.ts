/**
 * HOW A COMMAND ENDS: an exit code for scripts and two lines for people.
 *
 *   0   done
 *   1   failed: the message says why, and nothing was half done
 *   2   wrong usage: nothing was tried
 *   3   refused: the store is owned by another process, or takes no writes, or its bucket is another's
 *
 * (1) Every error ends here, and only here is a code chosen.
 * (2) A person sees what went wrong and what to do next, never a stack trace; with BOP_DEBUG set, the
 *     trace follows.
 */
import { CommanderError } from "commander";
import { type ErrorCode, isStorageError, StorageError } from "../base/errors.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

/** Somebody typed what cannot be meant. The message says what to type instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A command cannot be done for a reason that no StorageError stands for. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly advice: string | undefined;

  constructor(message: string, advice?: string) {
    super(message);
    this.advice = advice;
  }
}

export interface Ending {
  readonly exitCode: number;
  readonly message: string;
  /** BOP_…, SQLITE_… or a system code; undefined for what has none. */
  readonly code: string | undefined;
  /** What to do next. */
  readonly advice: string | undefined;
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "BOP_DIVERGED",
  "BOP_FENCED",
  "BOP_LOCKED",
  "BOP_READ_ONLY",
  "BOP_SINK_AHEAD",
  "BOP_SINK_FOREIGN",
]);

const ADVICE: Partial<Record<ErrorCode, string>> = {
  BOP_BACKPRESSURE: "the device is behind; try again in a moment",
  BOP_CORRUPT:
    "the damaged part is not served; `bop verify` tells all damage, `bop verify --repair` what of the log can be kept",
  BOP_DIVERGED:
    "`bop export` keeps what is only here; then restore from the bucket, or name another --sink",
  BOP_DISK_FULL: "make room on the device and run the command again",
  BOP_EXISTS: "choose another name, or remove what has it",
  BOP_FENCED: "see which other process ships there; what it lacks can be read here and exported",
  BOP_FORMAT: "use the version of bop that wrote the store",
  BOP_IO: "check the path, its permissions and the device",
  BOP_LOCKED: "stop that process, or talk to it if it is `bop serve`",
  BOP_NOT_FOUND: "`bop list` shows what there is; `bop create <name>` makes a database",
  BOP_OUTCOME_UNKNOWN: "run the command again and look whether the change is there",
  BOP_READ_ONLY: "the log failed; run a command again to reopen the store and recover",
  BOP_SINK_AHEAD: "`bop restore --from <url>` brings back what the bucket has",
  BOP_SINK_FOREIGN: "give this store a prefix of its own in the bucket",
  BOP_SINK_REFUSED: "`bop doctor --sink <url>` says what is missing",
  BOP_SINK_UNAVAILABLE: "`bop doctor --sink <url>` says whether the bucket answers",
  BOP_SINK_UNFIT: "`bop doctor --sink <url>` says what it lacks; choose another place",
  BOP_SNAPSHOT_GONE: "name a later moment; `bop snapshot list` shows moments that are kept",
};

/** For calls that refuse, with a RangeError, what was typed. */
export async function asUsage<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  }
}

/** The ending of a command that threw. */
export function endingOf(error: unknown): Ending {
  if (error instanceof CommanderError) {
    const isHelp = error.exitCode === 0;
    const exitCode = isHelp ? EXIT.done : EXIT.usage;
    return { exitCode, message: error.message, code: error.code, advice: undefined };
  }
  if (error instanceof UsageError) {
    return { exitCode: EXIT.usage, message: error.message, code: undefined, advice: undefined };
  }
  if (error instanceof CommandError) {
    const { message, advice } = error;
    return { exitCode: EXIT.failed, message, code: undefined, advice };
  }
  if (error instanceof StorageError) return storageEnding(error);
  const message = error instanceof Error ? error.message : String(error);
  const advice = "this should not happen; run with BOP_DEBUG=1 for details and report it";
  return { exitCode: EXIT.failed, message, code: undefined, advice };
}

function storageEnding(error: StorageError): Ending {
  const exitCode = REFUSALS.has(error.code) ? EXIT.refused : EXIT.failed;
  const code = isStorageError(error, "BOP_SQLITE") ? error.details.sqliteCode : error.code;
  const isOfSnapshot =
    isStorageError(error, "BOP_NOT_FOUND") && error.details.snapshot !== undefined;
  const advice = isOfSnapshot ? "`bop snapshot list` shows what is kept" : ADVICE[error.code];
  return { exitCode, message: error.message, code, advice };
}

/** `bop: <what> (<code>)`, and what to do next on a line of its own. */
export function endingText({ message, code, advice }: Ending): string {
  const first = `bop: ${message.split("\n")[0] ?? ""}${code === undefined ? "" : ` (${code})`}\n`;
  return advice === undefined ? first : `${first}     ${advice}\n`;
}

/** The same for programs: one line of JSON. */
export function endingJson({ message, code, advice, exitCode }: Ending): string {
  const error = { message, code: code ?? null, advice: advice ?? null, exitCode };
  return `${JSON.stringify({ error })}\n`;
}
