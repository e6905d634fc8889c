/** WHO SHIPS for a store: the flush controller and what it needs of the layers, introduced here. */
import { present } from "../../base/assert.ts";
import { FlushController, ManifestShipper } from "../../flush/index.ts";
import { chunkPath } from "../../page-store/index.ts";
import type { ShipperOf } from "./shipper.ts";

/** An epoch is followed by the next so often that what it made can become garbage in its time. */
const EPOCHS_IN_WINDOW = 8;
const EPOCH_MS_MIN = 60 * 60 * 1000;

export const flushController: ShipperOf = (parts, sink) => {
  const { store, retrier } = sink;
  const { options, env, storeId, log, manifest, pages, hold } = parts;
  const { directory, retention, flushBytes, flushIntervalMs } = options;
  const remote = present(hold.remote, "a store with a sink can read what is there");
  const pump = new ManifestShipper({
    env,
    store,
    storeId,
    manifest,
    feed: present(hold.feed, "a store with a sink feeds what it holds to it"),
    chunkPath: (chunk) => chunkPath(directory, chunk),
    remote,
    retention,
  });
  hold.attach((diedAtLsn) => pump.mayForget(diedAtLsn));
  const controller = new FlushController({
    clock: env.clock,
    random: env.random,
    storeId,
    store,
    ready: (signal) => sink.ready(signal),
    requests: () => store.counts,
    retries: () => retrier.stats,
    log,
    manifest,
    pump,
    checkpointLsn: () => pages.checkpointLsn,
    takesOver: sink.takesOver === true,
    flushBytes,
    flushIntervalMs,
    epochMs: Math.max(EPOCH_MS_MIN, retention.keepForMs / EPOCHS_IN_WINDOW),
  });
  remote.attach(controller);
  controller.onRemote((lsn) => hold.archive?.shippedTo(lsn));
  return controller;
};
