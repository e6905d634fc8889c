import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn, streamId } from "../../base/units.ts";
import type { CatalogueRow } from "../catalogue/catalogue-row.ts";
import type { FamilyNode } from "./family.ts";
import { familyTree } from "./family-tree.ts";

interface Drawn {
  readonly name: string;
  readonly forks: Drawn[];
}

const FAMILY = streamId(1);

function member(stream: number, origin?: [stream: number, at: number]): CatalogueRow {
  return {
    stream: streamId(stream),
    engine: "sqlite",
    pageBytes: 4096,
    createdAtMs: 0,
    createdLsn: lsn(stream),
    family: FAMILY,
    origin: origin && { stream: streamId(origin[0]), lsn: lsn(origin[1]) },
    state: "live",
    name: `db-${stream}`,
    lsn: LSN_ZERO,
    droppedLsn: undefined,
  };
}

const treeOf = (rows: readonly CatalogueRow[]) =>
  familyTree(FAMILY, rows, () => ({ sizeBytes: 0, snapshots: [] }));

const drawn = ({ name, forks }: FamilyNode): Drawn => ({
  name: name ?? "?",
  forks: forks.map(drawn),
});

describe("a family tree", () => {
  test("hangs forks at what they were forked from, in the order of their moments", () => {
    const rows = [member(4, [2, 30]), member(2, [1, 20]), member(3, [1, 10]), member(1)];
    expect(drawn(treeOf(rows))).toEqual({
      name: "db-1",
      forks: [
        { name: "db-3", forks: [] },
        { name: "db-2", forks: [{ name: "db-4", forks: [] }] },
      ],
    });
  });

  test("of one database is that one", () => {
    expect(drawn(treeOf([member(1)]))).toEqual({ name: "db-1", forks: [] });
  });

  test("keeps the place of an origin that is gone, without a name", () => {
    const rows = [member(1), member(3, [2, 10]), member(4, [2, 20])];
    const gone = { name: "?", forks: [3, 4].map((it) => ({ name: `db-${it}`, forks: [] })) };
    expect(drawn(treeOf(rows))).toEqual({ name: "db-1", forks: [gone] });
    expect(treeOf(rows).forks[0]).toMatchObject({ state: "dropped", forkedAtLsn: undefined });
    const rootless = [member(2, [1, 10])];
    expect(drawn(treeOf(rootless))).toEqual({ name: "?", forks: [{ name: "db-2", forks: [] }] });
  });

  test("may be a chain of any length", () => {
    const rows = [member(1)];
    for (let stream = 2; stream <= 20_000; stream++)
      rows.push(member(stream, [stream - 1, stream]));
    let [node, length]: [FamilyNode | undefined, number] = [treeOf(rows), 0];
    for (; node !== undefined; node = node.forks[0]) length += 1;
    expect(length).toBe(20_000);
  });
});
