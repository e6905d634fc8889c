/** WORK IN STEPS, with turns of the event loop between them, so that nobody is held up by it. */
import type { Clock } from "../../base/env.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { Steps } from "../format/steps.ts";

/** Of a processor, between two turns. */
const SLICE_MS = 3;

export async function paced<T>(
  steps: Steps<T>,
  clock: Pick<Clock, "monotonicMs" | "turn">,
): Promise<T> {
  let sinceMs = clock.monotonicMs();
  while (true) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (clock.monotonicMs() - sinceMs < SLICE_MS) continue;
    await nextTurn(clock);
    sinceMs = clock.monotonicMs();
  }
}
