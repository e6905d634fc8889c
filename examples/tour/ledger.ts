/**
 * THE LEDGER: which commits were acknowledged, as somebody outside the writing process heard it.
 *
 * (1) A caller makes one commit at a time and tells the ledger of it before it makes the next.
 *     So of each caller the ledger knows an unbroken run of turns, and at most one commit more can
 *     be on its way.
 * (2) After a crash each caller's commits must be exactly its acknowledged turns, and perhaps the
 *     one that was on its way. Less is a broken promise; more is invented.
 */
import { CALLERS, callerOf, deedNumber, turnOf } from "./workload.ts";

const RECORD_BYTES = 4;

export interface Verdict {
  /** Acknowledged and found. */
  readonly kept: number;
  /** Acknowledged and not there: numbers of deeds. */
  readonly missing: readonly number[];
  /** There, though nobody can have asked for it: numbers of deeds. */
  readonly foreign: readonly number[];
  /** On their way when the process died, and there. */
  readonly durableUnheard: number;
}

export class Ledger {
  readonly #turns = new Array<number>(CALLERS).fill(0);
  #rest = Buffer.alloc(0);
  #acknowledged = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Takes bytes as they come out of the pipe; a record may lie across two pieces. */
  hear(piece: Buffer): void {
    const bytes = Buffer.concat([this.#rest, piece]);
    const whole = bytes.length - (bytes.length % RECORD_BYTES);
    for (let at = 0; at < whole; at += RECORD_BYTES) this.#record(bytes.readUInt32LE(at));
    this.#rest = bytes.subarray(whole);
  }

  /** `found`: numbers of all deeds whose rows are there, each once. See (2). */
  judge(found: ReadonlySet<number>): Verdict {
    const missing: number[] = [];
    for (let caller = 0; caller < CALLERS; caller += 1) {
      for (let turn = 1; turn <= this.#turnOf(caller); turn += 1) {
        const id = deedNumber(caller, turn);
        if (!found.has(id)) missing.push(id);
      }
    }
    const beyond = [...found].filter((id) => !this.#isAcknowledged(id));
    const foreign = beyond.filter((id) => turnOf(id) !== this.#turnOf(callerOf(id)) + 1);
    return {
      kept: this.#acknowledged - missing.length,
      missing,
      foreign,
      durableUnheard: beyond.length - foreign.length,
    };
  }

  #record(id: number): void {
    const expected = deedNumber(callerOf(id), this.#turnOf(callerOf(id)) + 1);
    if (id !== expected) throw new Error(`deed ${id} was acknowledged before ${expected}`);
    this.#turns[callerOf(id)] = turnOf(id);
    this.#acknowledged += 1;
  }

  #isAcknowledged(id: number): boolean {
    const turn = turnOf(id);
    return turn >= 1 && turn <= this.#turnOf(callerOf(id));
  }

  #turnOf(caller: number): number {
    return this.#turns[caller] ?? 0;
  }
}

/** A deed as the ledger hears of it. */
export function acknowledgement(id: number): Buffer {
  const record = Buffer.alloc(RECORD_BYTES);
  record.writeUInt32LE(id);
  return record;
}
