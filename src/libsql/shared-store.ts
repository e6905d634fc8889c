/**
 * STORES THAT CLIENTS SHARE: a directory has one owner, so all clients of this process that name
 * the same one use the same manager.
 *
 *            first acquire            last release             closed
 *     (none) ─────────────► open ─────────────────► closing ─────────► (none)
 *
 * (1) Whoever acquires while the store is closing waits, and then opens it anew.
 * (2) An open that fails is forgotten, so that the next one tries again.
 * (3) A directory is known by its absolute path. One that is reached by two names (a link) is refused
 *     by the second: BOP_LOCKED.
 */
import { resolve } from "node:path";
import { Manager } from "../manager/index.ts";

interface Shared {
  readonly manager: Promise<Manager>;
  useCount: number;
}

const stores = new Map<string, Shared>();
const closings = new Map<string, Promise<void>>();

export interface StoreLease {
  readonly manager: Manager;
  /** Gives it back; the last one closes the store. Idempotent. */
  release(): Promise<void>;
}

export async function acquireStore(directory: string): Promise<StoreLease> {
  const key = resolve(directory);
  const shared = stores.get(key) ?? opened(key);
  shared.useCount++;
  try {
    const manager = await shared.manager;
    let released: Promise<void> | undefined;
    const release = () => {
      released ??= giveBack(key, shared);
      return released;
    };
    return { manager, release };
  } catch (error) {
    if (stores.get(key) === shared) stores.delete(key);
    throw error;
  }
}

function opened(key: string): Shared {
  const before = closings.get(key) ?? Promise.resolve();
  const manager = before.then(() => Manager.open({ directory: key }));
  const shared: Shared = { manager, useCount: 0 };
  stores.set(key, shared);
  return shared;
}

async function giveBack(key: string, shared: Shared): Promise<void> {
  shared.useCount--;
  if (shared.useCount > 0) return;
  stores.delete(key);
  const closed = shared.manager.then((manager) => manager.close());
  // Whoever opens it next only waits; what went wrong is told to whoever released it.
  const settled = closed.catch(() => {});
  closings.set(key, settled);
  await settled;
  if (closings.get(key) === settled) closings.delete(key);
  await closed;
}
