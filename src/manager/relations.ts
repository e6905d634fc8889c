/** WHAT MAKES RELATIVES OF DATABASES: forks, snapshots and their family trees, over an open store. */
import type { StreamId } from "../base/units.ts";
import type { CollectReport, PageStore } from "../page-store/index.ts";
import type { Log } from "../write/index.ts";
import type { CatalogueRow } from "./catalogue-row.ts";
import type { FamilyNode } from "./family.ts";
import { familyTree } from "./family-tree.ts";
import { Forks } from "./forks.ts";
import { forkPast } from "./past-fork.ts";
import { infoOf, Snapshots } from "./snapshots.ts";
import type { Store } from "./store.ts";

export interface Relations {
  readonly forks: Forks;
  readonly snapshots: Snapshots;
}

export function relationsOf(
  store: Store,
  { log, pages }: { readonly log: Log; readonly pages: PageStore },
): Relations {
  const { catalogue, door, fleet, env, lifecycle } = store;
  const wallMs = () => env.clock.wallMs();
  const durable: Store["durable"] = (lsn) => store.durable(lsn);
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
  const forks = new Forks({
    catalogue,
    log,
    door,
    snapshots,
    wallMs,
    durable,
    open: (stream) => store.database(stream),
    forkPast: (origin, at, name) =>
      forkPast(
        {
          catalogue,
          log: store.parts.log,
          pages,
          clock: env.clock,
          door,
          durable,
          assertWritable: () => lifecycle.assertWritable(),
          targetOf: (stream) => store.importTarget(stream),
          discard: (stream) => {
            if (lifecycle.state === "open") store.drop(stream, "");
          },
          checkpoint: () => store.checkpoint(),
        },
        { stream: origin.options.stream, at, name },
      ),
  });
  return { forks, snapshots };
}

/**
 * What `list` shows, once the sizes of all are known: that of a fork is its origin's of a moment, which
 * may still lie in the log that a crash has left.
 */
export async function withSizes(
  store: Store,
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
export async function treesOf(store: Store, families?: readonly StreamId[]): Promise<FamilyNode[]> {
  const wanted = () => families ?? store.catalogue.at(store.gate.durableLsn).roots();
  const members = () => {
    const at = store.catalogue.at(store.gate.durableLsn);
    return wanted().flatMap((family) => at.family(family));
  };
  await withSizes(store, members);
  const at = store.catalogue.at(store.gate.durableLsn);
  return wanted().map((family) => {
    const rows = at.family(family).filter(({ state }) => state !== "importing");
    return familyTree(family, rows, ({ stream, state }) => {
      const size = state === "live" ? store.durableSize(stream) : { pageCount: 0, pageBytes: 0 };
      const snapshots = at.snapshots.of(stream).map(infoOf);
      return { sizeBytes: size.pageCount * size.pageBytes, snapshots };
    });
  });
}

/**
 * What was let go a moment ago is gone once a checkpoint has it; and what only that was reading, with
 * the next one.
 */
export async function collect(store: Store, dryRun: boolean): Promise<CollectReport> {
  const { catalogue, lifecycle, parts } = store;
  lifecycle.assertOpen();
  for (let left = Number.POSITIVE_INFINITY; !dryRun; ) {
    await store.checkpoint();
    const dropped = catalogue.dropped().length;
    if (dropped === 0 || dropped === left) break;
    left = dropped;
  }
  return parts.pages.collect({ dryRun, published: () => parts.mirror.settle() });
}
