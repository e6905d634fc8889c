/**
 * A CHANGE THAT WAITS FOR ITS TURN, in memory of its own: the caller may use his again when the call
 * returns, as he may after one that did not wait.
 *
 * (1) It is as well formed as what it was made of: who plans it judges it.
 */
import type { LogChange, NewLogEntry } from "./api.ts";
import { copied } from "./bytes.ts";

export function ownChange(change: LogChange): LogChange {
  const { entries, compact, hardState, stable } = change;
  return {
    ...withOwnBytes(change),
    ...(Array.isArray(entries) && { entries: entries.map(withOwnBytes<NewLogEntry>) }),
    ...(compact && { compact: withOwnBytes(compact) }),
    ...(hardState && { hardState: withOwnBytes(hardState) }),
    ...(stable && { stable: withOwnBytes(stable) }),
  };
}

/** The same properties; those that are bytes are copies. What is no object stays what it is. */
function withOwnBytes<Given extends object>(given: Given): Given {
  if (typeof given !== "object" || given === null) return given;
  const own = Object.entries(given).map(([name, value]) => {
    return [name, value instanceof Uint8Array ? copied(value) : value];
  });
  return Object.fromEntries(own) as Given;
}
