/** WHAT MAKES RELATIVES OF DATABASES: forks, snapshots and their family trees, over an open store. */
import type { Lsn, StreamId } from "../../base/units.ts";
import type { CollectReport, PageStore } from "../../page-store/index.ts";
import type { Log } from "../../write/index.ts";
import type { CatalogueRow } from "../catalogue/catalogue-row.ts";
import type { DurableGround } from "../gates/wait-durable.ts";
import type { StoreGround } from "../store-ground.ts";
import type { TransferOptions } from "../transfer/transfer-options.ts";
import type { FamilyNode } from "./family.ts";
import { familyTree } from "./family-tree.ts";
import { Forks } from "./forks.ts";
import { exportPast, type PastExport, type PastExportGround } from "./past-export.ts";
import { forkPast } from "./past-fork.ts";
import { Snapshots, snapshotInfo } from "./snapshots.ts";

export interface Relations {
  readonly store: DurableGround;
  readonly forks: Forks;
  /** Writes a moment of the history to a file. */
  readonly exportPast: (wanted: PastExport, options: TransferOptions) => Promise<void>;
  readonly snapshots: Snapshots;
}

export function relationsOf(
  store: StoreGround,
  { log, pages }: { readonly log: Log; readonly pages: PageStore },
): Relations {
  const { catalogue, door, fleet, env, lifecycle } = store;
  const wallMs = () => env.clock.wallMs();
  const durable = (lsn: Lsn, stream?: StreamId) => store.durable(lsn, store.levelOf(stream));
  const snapshots = new Snapshots({
    catalogue,
    pages,
    log,
    door,
    fleet,
    wallMs,
    durable,
    assertOpen: () => lifecycle.assertOpen(),
  });
  const pastOf = (stream: StreamId): PastExportGround => ({
    env,
    catalogue,
    log: store.parts.log,
    pages,
    clock: env.clock,
    door,
    durable: (lsn) => durable(lsn, stream),
    assertWritable: () => lifecycle.assertWritable(),
    targetOf: (target) => store.importTarget(target),
    discard: (target) => {
      if (lifecycle.state === "open") store.drop(target, "");
    },
    checkpoint: () => store.checkpoint(),
  });
  const forks = new Forks({
    catalogue,
    log,
    door,
    snapshots,
    wallMs,
    durable,
    open: (stream) => store.database(stream),
    forkPast: (origin, at, name) => {
      const { stream } = origin.options;
      return forkPast(pastOf(stream), { stream, at, name });
    },
  });
  return {
    store,
    forks,
    snapshots,
    exportPast: (wanted, options) =>
      exportPast(pastOf(wanted.database.options.stream), wanted, options),
  };
}

/**
 * What `list` shows, once the sizes of all are known: that of a fork is its origin's of a moment, which
 * may still lie in the log that a crash has left.
 */
export async function withSizes(
  store: StoreGround,
  list: () => readonly CatalogueRow[],
): Promise<readonly CatalogueRow[]> {
  const { pages } = store.parts;
  while (true) {
    const rows = list();
    const waiting = rows.filter(({ stream }) => pages.readsWhatWaits(stream));
    if (waiting.length === 0) return rows;
    await Promise.all(waiting.map(({ stream }) => pages.ready(stream)));
  }
}

/** The trees of these families, as they are durably. */
export async function treesOf(
  store: StoreGround,
  families?: readonly StreamId[],
): Promise<FamilyNode[]> {
  const wanted = () => families ?? store.catalogue.at(store.gate.durableLsn).roots();
  const members = () => {
    const at = store.catalogue.at(store.gate.durableLsn);
    return wanted().flatMap((family) => at.family(family));
  };
  await withSizes(store, members);
  const { durableLsn } = store.gate;
  const at = store.catalogue.at(durableLsn);
  const trees = wanted().map((family) => {
    const rows = at.family(family).filter(({ state }) => state !== "importing");
    return familyTree(family, rows, ({ stream, state }) => {
      const size = state === "live" ? store.durableSize(stream) : { pageCount: 0, pageBytes: 0 };
      const snapshots = at.snapshots.of(stream).map(snapshotInfo);
      return { sizeBytes: size.pageCount * size.pageBytes, snapshots };
    });
  });
  await store.durable(durableLsn);
  return trees;
}

/**
 * What was let go a moment ago is gone once a checkpoint has it; and what only that was reading, with
 * the next one.
 */
export async function collect(store: StoreGround, dryRun: boolean): Promise<CollectReport> {
  const { catalogue, lifecycle, parts } = store;
  lifecycle.assertOpen();
  for (let left = Number.POSITIVE_INFINITY; !dryRun; ) {
    await store.checkpoint();
    const dropped = catalogue.databases.dropped().length;
    if (dropped === 0 || dropped === left) break;
    left = dropped;
  }
  return parts.pages.collect({ dryRun, published: () => parts.mirror.settle() });
}
