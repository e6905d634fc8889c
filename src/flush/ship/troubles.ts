/**
 * WHAT GOES WRONG WHILE SHIPPING, and what is done about it: what waiting may mend is waited for, with
 * pauses that grow; what it cannot is held as a dead letter until somebody decides.
 */
import type { Clock, Random } from "../../base/env.ts";
import { backoffMs } from "../../sink/index.ts";
import { DeadLetters, type LetterDecision, letterOf } from "./dead-letters.ts";

export type FaultListener = (fault: { readonly where: string; readonly error: unknown }) => void;

export interface TroublesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A letter is held, or none is any more. */
  readonly halted: (isHalted: boolean) => void;
}

/** Between two rounds of attempts; the store's own pauses come on top. */
const PAUSES = { baseMs: 250, maxMs: 15_000 };

export class Troubles {
  readonly letters = new DeadLetters();
  /** What went wrong last, unless something went well since. */
  last: unknown;
  readonly #options: TroublesOptions;
  readonly #listeners: FaultListener[] = [];

  constructor(options: TroublesOptions) {
    this.#options = options;
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

  /** Resolves with what was decided. */
  async hold(part: "log" | "manifest", error: unknown): Promise<LetterDecision> {
    const { clock, halted } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    const kind = letterOf(error, part) ?? part;
    this.report(error);
    halted(true);
    const decision = await this.letters.hold({ kind, at: new Date(clock.wallMs()), reason });
    if (this.letters.all.length === 0 && decision !== "closed") halted(false);
    return decision;
  }
}
