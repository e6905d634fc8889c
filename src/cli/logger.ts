/**
 * THE LOG OF `bop serve`: a line of JSON for each event, written before the call returns.
 *
 * (1) No call throws. A log that lies on a full disk, or whose reader has left, is no reason to fail a
 *     request, to leave a transaction open or to stop without closing the store. The destination tells
 *     of such an error within the call, and would throw it if nobody listened.
 * (2) No call waits for room. Lines that could not be written are kept, up to a limit, and tried again
 *     with the next one; what is beyond it is lost.
 */
import { type Logger, pino } from "pino";
import { MIB } from "../base/units.ts";

/** Of lines that wait for room. */
const KEPT_BYTES_MAX = MIB;

export function loggerTo(fd: number, level: string): Logger {
  const destination = pino.destination({ dest: fd, sync: true, maxLength: KEPT_BYTES_MAX });
  // See (1). There is nowhere left to tell it: this is where errors are told.
  destination.on("error", () => {});
  // See (2). `fatal` calls it; each line was tried already, and it would try again until there is room.
  destination.flushSync = () => {};
  return pino({ level }, destination);
}
