/**
 * WHAT GOES WRONG WHILE SHIPPING, and what is done about it: what waiting may mend is waited for, with
 * pauses that grow; what it cannot is held as a dead letter until somebody decides.
 */
import type { Clock, Random } from "../../base/env.ts";
import { backoffMs } from "../../sink/index.ts";
import {
  DeadLetters,
  type LetterDecision,
  type LetterPart,
  type LettersGround,
  letterOf,
} from "./dead-letters.ts";

export type FaultListener = (fault: { readonly where: string; readonly error: unknown }) => void;

export interface TroublesOptions extends Omit<LettersGround, "report"> {
  readonly clock: Clock;
  readonly random: Random;
  /** Durable here and not in the bucket. */
  readonly unshippedBytes: () => number;
  /** A letter is held, or none is any more. */
  readonly halted: (isHalted: boolean) => void;
}

/** Between two rounds of attempts; the store's own pauses come on top. */
const PAUSES = { baseMs: 250, maxMs: 15_000 };

export class Troubles {
  readonly letters: DeadLetters;
  /** What went wrong last, unless something went well since. */
  last: unknown;
  readonly #options: TroublesOptions;
  readonly #listeners: FaultListener[] = [];

  constructor(options: TroublesOptions) {
    this.#options = options;
    const { manifest, location } = options;
    const report = (error: unknown) => this.report(error);
    this.letters = new DeadLetters({ manifest, location, report });
  }

  onFault(listener: FaultListener): void {
    this.#listeners.push(listener);
  }

  report(error: unknown): void {
    for (const listener of this.#listeners) listener({ where: "sink", error });
  }

  /** False if it was cut short, by the signal or by the end of its process. */
  async pause(attempt: number, signal: AbortSignal): Promise<boolean> {
    const { clock, random } = this.#options;
    const pauseMs = 1 + backoffMs(attempt, { ...PAUSES, random });
    return await clock.sleep(pauseMs, signal).then(
      () => !signal.aborted,
      () => false,
    );
  }

  /** Resolves with what was decided. A letter that is kept is held by later processes too. */
  async hold(
    part: LetterPart,
    { error, isKept }: { readonly error: unknown; readonly isKept: boolean },
  ): Promise<LetterDecision> {
    const { clock, unshippedBytes } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    const kind = letterOf(error, part) ?? part;
    this.report(error);
    const at = new Date(clock.wallMs());
    const refused = { kind, at, reason, bytes: unshippedBytes(), part, isKept };
    return await this.#decided(this.letters.hold(refused));
  }

  /** Waits for what an earlier process left for that part; undefined if there is nothing. */
  async left(part: LetterPart): Promise<LetterDecision | undefined> {
    const decision = this.letters.left(part);
    return decision && (await this.#decided(decision));
  }

  async #decided(decision: Promise<LetterDecision>): Promise<LetterDecision> {
    const { halted } = this.#options;
    halted(true);
    const decided = await decision;
    if (this.letters.all.length === 0 && decided !== "closed") halted(false);
    return decided;
  }
}

/** Undefined when the signal comes first: then nobody waits for it any more, and it goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
