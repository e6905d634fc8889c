/**
 * THE LOG OF A STORE THAT IS CLOSED: what was sealed becomes durable, or it is known that it may not.
 *
 * (1) A device without room is waited for, as always, until the time is over. Then the log is closed,
 *     which tries once more, and fails if there still is none.
 * (2) A device that hangs is waited for without end: what it was given may still land, so the directory
 *     is nobody else's before.
 */
import type { Clock } from "../../base/env.ts";
import type { Log } from "../../write/index.ts";

interface Settling {
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** True if all that was sealed is durable; false if the log has failed before it was. */
export async function settleLog(log: Log, { clock, timeoutMs }: Settling): Promise<boolean> {
  if (log.durableLsn >= log.newestLsn) return true;
  const timer = clock.after(timeoutMs, () => {
    log.close().catch(() => {}); // Whoever closes the store closes it again, and hears of that.
  });
  const settled = await log.durable(log.newestLsn).then(
    () => true,
    () => false,
  );
  timer.dispose();
  return settled;
}
