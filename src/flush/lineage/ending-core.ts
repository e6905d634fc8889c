/**
 * ENDING A SEQUENCE of numbered objects that somebody may still be writing: finds where it stops and
 * puts a fence there, which its writer meets instead of a free number. Plain data and pure functions.
 *
 *                  nothing there                 created, or a fence is there
 *     searching ─────────────────────► fencing ───────────────────────────────► ended
 *         │                             │  ▲
 *         │ a fence is there            │  │ whatever was there
 *         └─────────► ended             ▼  │
 *                                      ahead   the writer was faster, twice
 *
 *   searching  How far does the data go? It doubles its steps until something else is met, and then
 *              halves them, so that a hundred thousand objects take some thirty questions.
 *   fencing    A fence is tried where the data seemed to end. Data there: one further.
 *   ahead      A writer that is always busy is not caught up with by going one number at a time. A
 *              fence is tried further on, where it runs into it by itself; then fencing goes on.
 *   ended      `number` is the first fence. What lies behind it is void.
 *
 * (1) Objects of an epoch are dense from 0 up to its first fence: its writer creates number n + 1
 *     when n is there, and nothing of an epoch is deleted before a newer one has published a state.
 *     So "is data" holds up to some number and for none behind it, and halving finds that number.
 * (2) To look is a hint, to create is the proof. A look may miss what is there (that costs a try); it
 *     never sees what is not there, so a fence never gets behind a free number of this sequence,
 *     but for one that was put ahead, and that one counts for nothing once another comes before it.
 * (3) An unclear answer changes nothing: the same question is asked again, with the same body.
 */
import { assert } from "../../base/assert.ts";

/** What stands under a number, as far as its size tells. */
export type Seen = "absent" | "data" | "fence";

/** How an attempt to create it ended; "unclear" may yet become any of the others. */
export type Tried = "created" | "data" | "fence" | "unclear";

export type SequenceEnding =
  | {
      readonly phase: "searching";
      /** All below are data. */
      readonly low: number;
      /** This one is no data; undefined as long as none was met. */
      readonly high: number | undefined;
      readonly highIsFence: boolean;
      readonly step: number;
    }
  | { readonly phase: "fencing"; readonly number: number; readonly lost: number }
  | {
      readonly phase: "ahead";
      readonly number: number;
      readonly target: number;
      readonly lost: number;
    }
  | { readonly phase: "ended"; readonly number: number; readonly byUs: boolean };

export type Question =
  | { readonly type: "look"; readonly number: number }
  | { readonly type: "fence"; readonly number: number };

/** So many numbers are lost to the writer before a fence is tried ahead of it. */
const LOST_MAX = 2;
const AHEAD_STEP = 4;
const AHEAD_DOUBLINGS_MAX = 20;

/** `known`: so many are known to be data. */
export function beginEnding(known = 0): SequenceEnding {
  return { phase: "searching", low: known, high: undefined, highIsFence: false, step: 1 };
}

/** What is to be asked next; undefined when it has ended. */
export function questionOf(ending: SequenceEnding): Question | undefined {
  switch (ending.phase) {
    case "searching": {
      const { low, high, step } = ending;
      const number = high === undefined ? low + step - 1 : Math.floor((low + high) / 2);
      return { type: "look", number };
    }
    case "fencing":
      return { type: "fence", number: ending.number };
    case "ahead":
      return { type: "fence", number: ending.target };
    case "ended":
      return undefined;
  }
}

export function afterLook(ending: SequenceEnding, seen: Seen): SequenceEnding {
  assert(ending.phase === "searching", () => `a look while ${ending.phase}`);
  const { low, high, step } = ending;
  const asked = high === undefined ? low + step - 1 : Math.floor((low + high) / 2);
  const next: SequenceEnding =
    seen === "data"
      ? { ...ending, low: asked + 1, step: high === undefined ? step * 2 : step }
      : { ...ending, high: asked, highIsFence: seen === "fence" };
  if (next.low !== next.high) return next;
  if (next.highIsFence) return { phase: "ended", number: next.low, byUs: false };
  return { phase: "fencing", number: next.low, lost: 0 };
}

export function afterTry(ending: SequenceEnding, tried: Tried): SequenceEnding {
  if (tried === "unclear") return ending; // See (3).
  if (ending.phase === "ahead") {
    const { number, target, lost } = ending;
    return { phase: "fencing", number: tried === "data" ? target + 1 : number, lost };
  }
  assert(ending.phase === "fencing", () => `a try while ${ending.phase}`);
  const { number, lost } = ending;
  if (tried !== "data") return { phase: "ended", number, byUs: tried === "created" };
  if (lost + 1 < LOST_MAX) return { phase: "fencing", number: number + 1, lost: lost + 1 };
  const far = AHEAD_STEP * 2 ** Math.min(lost + 1 - LOST_MAX, AHEAD_DOUBLINGS_MAX);
  return { phase: "ahead", number: number + 1, target: number + 1 + far, lost: lost + 1 };
}
