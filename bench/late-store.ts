/** AN OBJECT STORE THAT ANSWERS LATE, as one does that is far away. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ObjectStore } from "../src/index.ts";

/** Every call takes so much longer. */
export function late(store: ObjectStore, delayMs: number): ObjectStore {
  const after = async <T>(call: () => Promise<T>): Promise<T> => {
    if (delayMs > 0) await sleep(delayMs);
    return call();
  };
  return {
    location: store.location,
    put: (...call) => after(() => store.put(...call)),
    putIfAbsent: (...call) => after(() => store.putIfAbsent(...call)),
    list: (...call) => after(() => store.list(...call)),
    get: (...call) => after(() => store.get(...call)),
    head: (...call) => after(() => store.head(...call)),
    delete: (...call) => after(() => store.delete(...call)),
    close: () => store.close(),
  };
}
