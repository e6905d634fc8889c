/**
 * THE REAL CLOCK. `sleep` and `deadline` keep the process alive, since somebody waits for them;
 * `every` and `after` do not, since they are the engine's own housekeeping and must not hold up the
 * end of a program.
 */
import type { Clock } from "../base/env.ts";

/** What a timer of Node can hold; a longer delay would fire at once. 24.8 days. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep,
  every(periodMs, fn) {
    const timer = setInterval(fn, Math.min(periodMs, DELAY_MS_MAX)).unref();
    return { dispose: () => clearInterval(timer) };
  },
  after(delayMs, fn) {
    const timer = setTimeout(fn, Math.min(delayMs, DELAY_MS_MAX)).unref();
    return { dispose: () => clearTimeout(timer) };
  },
  deadline(delayMs, fn) {
    const timer = setTimeout(fn, Math.min(delayMs, DELAY_MS_MAX));
    return { dispose: () => clearTimeout(timer) };
  },
  turn(fn) {
    setImmediate(fn);
  },
};

function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const endMs = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const wait = () => {
      // A timer may fire up to a millisecond early, and the promise says "no sooner".
      const leftMs = endMs - performance.now();
      if (leftMs > 0) {
        timer = setTimeout(wait, Math.min(Math.ceil(leftMs), DELAY_MS_MAX));
        return;
      }
      signal?.removeEventListener("abort", onAbort);
      resolve();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    wait();
  });
}
