/**
 * OPENING A STORE, in the order in which each step may rely on the one before.
 *
 *   the sink is looked at, if the store is new → the parts (open-store.ts) → the sink takes this
 *   store's word for its log → what a crash has left of imports goes → serve
 *
 * (1) A failed open takes down what it has put up, and leaves the directory to the next.
 */
import { refuseUnfinishedRestore } from "../../restore/index.ts";
import type { ResolvedOptions } from "../options.ts";
import { flushController } from "../shipping/flush-controller-of.ts";
import { openSink } from "../shipping/open-sink.ts";
import type { ShipperOf } from "../shipping/shipping.ts";
import { Store } from "../store.ts";
import { hasStore } from "./directories.ts";
import { assemble, worldOf } from "./open-store.ts";

export async function openStore(
  options: ResolvedOptions,
  shipperOf: ShipperOf = flushController,
): Promise<Store> {
  const env = worldOf(options);
  await refuseUnfinishedRestore({ storage: env.storage, directory: options.directory });
  const isNew = !(await hasStore(env, options.directory));
  const sink = await openSink(options, { env, isNew });
  let store: Store | undefined;
  try {
    const parts = await assemble(options, env, sink?.store);
    store = new Store(parts, sink && { sink, shipper: shipperOf(parts, sink) });
    await store.shipping?.open(options.sinkTimeoutMs);
  } catch (error) {
    await (store ?? sink)?.close();
    throw error;
  }
  await store.dropUnfinishedImports();
  store.jobs.start();
  store.replayInBackground();
  return store;
}
