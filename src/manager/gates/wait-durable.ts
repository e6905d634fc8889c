/** WAITING UNTIL THE LOG IS DURABLE up to an LSN that a caller names, at a level that he names. */
import { type Lsn, lsn } from "../../base/units.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import { type Durability, type DurableOptions, durabilityOf } from "./durability.ts";

export interface DurableGround {
  readonly newestLsn: Lsn;
  durable(lsn: Lsn, level: Durability): Promise<void>;
}

/** Throws TypeError and RangeError: a position that no commit has would be waited for in vain. */
export async function waitDurable(
  ground: DurableGround,
  wanted: { readonly lsn: number; readonly level: Durability },
  options: DurableOptions = {},
): Promise<void> {
  refuseUnknown("durable", options, ["level", "signal"]);
  const { signal } = options;
  const level = options.level === undefined ? wanted.level : durabilityOf("durable", options.level);
  if (!Number.isSafeInteger(wanted.lsn) || wanted.lsn < 0 || wanted.lsn > ground.newestLsn) {
    throw new RangeError(`durable: lsn is ${wanted.lsn}; want a position in the log`);
  }
  signal?.throwIfAborted();
  const waiting = ground.durable(lsn(wanted.lsn), level);
  await (signal === undefined ? waiting : unlessAborted(waiting, signal));
}

function unlessAborted(waiting: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    waiting.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
