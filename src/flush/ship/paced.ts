/** WORK IN STEPS, with turns of the event loop between them, so that nobody is held up by it. */
import { type SliceClock, TimeSlice } from "../../base/time-slice.ts";
import type { Steps } from "../format/steps.ts";

export async function paced<T>(steps: Steps<T>, clock: SliceClock): Promise<T> {
  const slice = new TimeSlice(clock);
  while (true) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await slice.pause();
  }
}
