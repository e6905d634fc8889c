/** THE NEXT TURN OF THE EVENT LOOP, for work that is done in slices. */
import type { Clock } from "./env.ts";

/** Resolves in the next turn of the event loop: what waits for its turn comes first. */
export function nextTurn(clock: Pick<Clock, "turn">): Promise<void> {
  return new Promise((resolve) => clock.turn(resolve));
}
