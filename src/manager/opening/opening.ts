/**
 * OPENING A STORE, in the order in which each step may rely on the one before.
 *
 *   an empty directory is filled from the sink or marked, if that is wanted (starting.ts) → the sink
 *   is looked at, if the store is new → the parts (open-store.ts) → the sink takes this store's word for its log
 *   → what a crash has left of imports goes → serve
 *
 * (1) A failed open takes down what it has put up, and leaves the directory to the next.
 * (2) Nothing is waited for that needs room on the disk: a store opens on a full one, too. Until the end
 *     of an import that was cut off is durable nobody sees more of it than while it went on: nothing.
 */
import type { Env } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import { refuseUnfinishedRestore } from "../../restore/index.ts";
import type { ResolvedOptions } from "../resolve-options.ts";
import { flushController } from "../shipping/flush-controller-of.ts";
import { openSink } from "../shipping/open-sink.ts";
import type { ShipperOf } from "../shipping/shipper.ts";
import { Store } from "../store.ts";
import { hasStore } from "./directories.ts";
import { assemble, worldOf } from "./open-store.ts";
import { hasMovedOn, type Started, settleStart, startFromSink } from "./starting.ts";

/** A bucket moves on once at most while it is taken up, unless others do the same. */
const STARTS_MAX = 3;

export async function openStore(
  options: ResolvedOptions,
  shipperOf: ShipperOf = flushController,
): Promise<Store> {
  const store = await openOrStart(options, { env: worldOf(options), shipperOf });
  try {
    dropUnfinishedImports(store);
    store.jobs.start();
    store.scrubber.start();
    store.replayInBackground();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** What a crash left of imports is nobody's. See (2). */
function dropUnfinishedImports(store: Store): void {
  const unfinished = store.catalogue.databases.importing();
  for (const { stream, name } of unfinished) store.drop(stream, name);
  if (unfinished.length === 0) return;
  store.durable(store.newestLsn, "local").catch((error: unknown) => {
    if (!isStorageError(error, "BOP_CLOSED")) store.faults.record("unfinished imports", error);
  });
}

async function openOrStart(
  options: ResolvedOptions,
  world: Pick<Opening, "env" | "shipperOf">,
): Promise<Store> {
  for (let starts = 1; ; starts += 1) {
    const started = await startFromSink(options, world.env);
    try {
      return await openHere(options, { ...world, started });
    } catch (error) {
      const wasFilled = started?.from !== undefined;
      if (!wasFilled || starts === STARTS_MAX || !hasMovedOn(error)) throw error;
    }
  }
}

interface Opening {
  readonly env: Env;
  readonly started: Started | undefined;
  readonly shipperOf: ShipperOf;
}

async function openHere(
  options: ResolvedOptions,
  { env, started, shipperOf }: Opening,
): Promise<Store> {
  const { directory, sinkTimeoutMs } = options;
  if (started === undefined) await refuseUnfinishedRestore({ storage: env.storage, directory });
  const from = started?.from;
  const isNew = started === undefined ? !(await hasStore(env, directory)) : from === undefined;
  const sink = await openSink(options, { env, isNew });
  let store: Store | undefined;
  try {
    const parts = await assemble(options, env, sink?.store);
    const takesOver = from !== undefined;
    const shipper = sink && shipperOf(parts, { ...sink, takesOver });
    store = new Store(parts, sink && shipper && { sink, shipper, started: from });
    await store.shipping?.open(sinkTimeoutMs, { mustAnswer: started !== undefined });
    if (started !== undefined) await settleStart(env, directory);
    return store;
  } catch (error) {
    await (store ?? sink)?.close();
    throw error;
  }
}
