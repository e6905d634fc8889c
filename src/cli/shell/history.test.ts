import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HISTORY_LINES, historyPath, readHistory, writeHistory } from "./history.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bop-history-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("shell history", () => {
  test("what is written is read again, oldest first", () => {
    const path = join(folder, "history");
    expect(writeHistory(path, ["select 1;", ".tables"])).toBe(true);
    expect(readHistory(path)).toEqual(["select 1;", ".tables"]);
  });

  test("only its owner may read it, even if the file lay open before", () => {
    const path = join(folder, "open");
    writeFileSync(path, "");
    chmodSync(path, 0o644);
    writeHistory(path, ["select 'secret';"]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("a long history keeps its newest lines", () => {
    const path = join(folder, "long");
    writeHistory(
      path,
      Array.from({ length: HISTORY_LINES + 5 }, (_, at) => `select ${at};`),
    );
    const lines = readHistory(path);
    expect([lines.length, lines[0]]).toEqual([HISTORY_LINES, "select 5;"]);
  });

  test("no history is no error, and one that cannot be written says so", () => {
    expect(readHistory(join(folder, "none"))).toEqual([]);
    expect(writeHistory(join(folder, "none", "here"), ["x"])).toBe(false);
  });

  test("BOP_HISTORY moves it or switches it off", () => {
    expect(historyPath({ BOP_HISTORY: "/tmp/h" })).toBe("/tmp/h");
    expect(historyPath({ BOP_HISTORY: "off" })).toBeUndefined();
    expect(historyPath({ BOP_HISTORY: "" })).toBeUndefined();
    expect(historyPath({})).toMatch(/\.bop_history$/);
  });
});
