/** THE TIME OF DAY AS FILES HAVE IT: whole milliseconds since 1970, and never less than none. */
import type { Clock } from "./env.ts";

export function wallMsOf(clock: Clock): number {
  return Math.max(0, Math.floor(clock.wallMs()));
}
