import { describe, expect, test } from "vitest";
import type { FamilyNode } from "../manager/index.ts";
import { treeText } from "./family-text.ts";

const MIB = 1024 * 1024;

function node(name: string | undefined, facts: Partial<FamilyNode> = {}): FamilyNode {
  return {
    name,
    stream: 1,
    state: "live",
    sizeBytes: MIB,
    forkedAtLsn: undefined,
    createdAt: undefined,
    snapshots: [],
    forks: [],
    ...facts,
  };
}

describe("a family as text", () => {
  test("has a line for each, its forks below it, and the dropped in brackets", () => {
    const kept = { name: "s", scope: "database" as const, lsn: 1, createdAt: new Date(0) };
    const grandchild = node("deep", { forkedAtLsn: 300, sizeBytes: 512 });
    const family = node("shop", {
      snapshots: [kept, kept],
      forks: [
        node("try", { forkedAtLsn: 100, state: "dropped", forks: [grandchild] }),
        node("noon", { forkedAtLsn: 20_000, snapshots: [kept] }),
      ],
    });
    expect(treeText([family])).toBe(
      [
        "shop        1.0 MiB              2 snapshots",
        "├─ [try]             from 100",
        "│  └─ deep    512 B  from 300",
        "└─ noon     1.0 MiB  from 20000  1 snapshot",
        "",
      ].join("\n"),
    );
  });

  test("names one that is gone as such, and families stand apart", () => {
    const gone = node(undefined, { state: "dropped", forks: [node("a", { forkedAtLsn: 1 })] });
    expect(treeText([gone, node("b")])).toBe("[gone]\n└─ a    1.0 MiB  from 1\n\nb  1.0 MiB\n");
  });

  test("a name cannot speak to the terminal", () => {
    expect(treeText([node("a\u001b[2J")])).not.toContain("\u001b");
  });
});
