import { afterEach, describe, expect, test } from "vitest";
import { allStateTables, StateTable, watchMoves } from "./state-table.ts";

afterEach(() => watchMoves(undefined));

describe("a table of states", () => {
  const table = new StateTable("door", { open: ["shut"], shut: ["open", "locked"], locked: [] });

  test("lets happen what it names, and asserts on any other move", () => {
    table.assertMove("shut", "locked");
    expect(() => table.assertMove("open", "locked")).toThrow("door: open → locked is no move");
    expect(() => table.assertMove("locked", "locked")).toThrow("door: locked → locked is no move");
  });

  test("is known to whoever asks for all, with every move", () => {
    expect(allStateTables()).toContain(table);
    expect(table.moves().map(({ from, to }) => `${from} ${to}`)).toEqual([
      "open shut",
      "shut open",
      "shut locked",
    ]);
  });

  test("tells who watches of each move that was allowed, until nobody does", () => {
    const seen: string[] = [];
    watchMoves((name, from, to) => seen.push(`${name} ${from} ${to}`));
    table.assertMove("open", "shut");
    expect(() => table.assertMove("open", "locked")).toThrow();
    watchMoves(undefined);
    table.assertMove("shut", "open");
    expect(seen).toEqual(["door open shut"]);
  });
});
