/**
 * A FAMILY AS A TREE: members with their origins in, roots with their forks out. Pure.
 *
 * (1) Every member is in the tree once. There is one root: that of the family.
 * (2) An origin of which there is no row any more (it was dropped, and no fork reads through it) is
 *     in the tree without a name. Where it was forked from is forgotten: it hangs at the root.
 * (3) Nothing is called again for each generation: chains may be long.
 */
import { present } from "../../base/assert.ts";
import type { StreamId } from "../../base/units.ts";
import type { CatalogueRow } from "../catalogue/catalogue-row.ts";
import { compare } from "../catalogue/name-index.ts";
import type { FamilyNode, SnapshotInfo } from "./family.ts";

export interface MemberFacts {
  readonly sizeBytes: number;
  readonly snapshots: readonly SnapshotInfo[];
}

type Growing = FamilyNode & { readonly forks: FamilyNode[] };

/** The root of a family of which `rows` are the members, tombstones included. */
export function familyTree(
  family: StreamId,
  rows: readonly CatalogueRow[],
  factsOf: (row: CatalogueRow) => MemberFacts,
): FamilyNode {
  const nodes = new Map<StreamId, Growing>();
  for (const row of rows) nodes.set(row.stream, { ...nodeOf(row), ...factsOf(row), forks: [] });
  const root = nodes.get(family) ?? gone(family);
  nodes.set(family, root);
  for (const { stream, origin } of rows) {
    if (stream === family) continue;
    const from = origin?.stream ?? family;
    let parent = nodes.get(from);
    if (parent === undefined) {
      parent = gone(from);
      nodes.set(from, parent);
      root.forks.push(parent);
    }
    parent.forks.push(present(nodes.get(stream), "every row has a node"));
  }
  for (const { forks } of nodes.values()) forks.sort(byBirth);
  return root;
}

function nodeOf({ name, stream, state, origin, createdAtMs }: CatalogueRow) {
  return {
    name,
    stream,
    state: state === "dropped" ? ("dropped" as const) : ("live" as const),
    forkedAtLsn: origin?.lsn,
    createdAt: new Date(createdAtMs),
  };
}

/** See (2). */
function gone(stream: StreamId): Growing {
  const unknown = { name: undefined, forkedAtLsn: undefined, createdAt: undefined };
  return { ...unknown, stream, state: "dropped", sizeBytes: 0, snapshots: [], forks: [] };
}

function byBirth(a: FamilyNode, b: FamilyNode): number {
  const [first, second] = [a.forkedAtLsn ?? 0, b.forkedAtLsn ?? 0];
  return first === second ? compare(a.name ?? "", b.name ?? "") : first - second;
}
