import { CommanderError } from "commander";
import { describe, expect, test } from "vitest";
import { ioError, StorageError } from "../base/errors.ts";
import { lsn } from "../base/units.ts";
import { SqliteError } from "../sqlite/index.ts";
import { CommandError, endingJson, endingOf, endingText, UsageError } from "./exit.ts";

describe("the ending of a command", () => {
  test.each([
    ["a store owned by another process", locked(), [3, "BOP_LOCKED"]],
    ["a store that takes no writes", readOnly(), [3, "BOP_READ_ONLY"]],
    ["a device that refuses", ioError("read", "a.db", new Error("EIO")), [1, "BOP_IO"]],
    ["a statement that SQLite refuses", constraint(), [1, "SQLITE_CONSTRAINT_UNIQUE"]],
    ["a command that cannot be done", new CommandError("no", "do this"), [1, undefined]],
    ["wrong usage", new UsageError("no"), [2, undefined]],
    ["wrong usage that commander found", usage(2), [2, "commander.unknownOption"]],
    ["help that was asked for", usage(0), [0, "commander.unknownOption"]],
    ["a bug", new TypeError("x is not a function"), [1, undefined]],
    ["something thrown that is no error", "boom", [1, undefined]],
  ])("%s has its own code", (_what, error, expected) => {
    const ending = endingOf(error);
    expect([ending.exitCode, ending.code]).toEqual(expected);
  });

  test("a person reads what happened, its code, and what to do next", () => {
    expect(endingText(endingOf(locked()))).toBe(
      "bop: /data is owned by process 42 (BOP_LOCKED)\n" +
        "     stop that process, or talk to it if it is `bop serve`\n",
    );
  });

  test("who names a snapshot that there is not is told where snapshots are listed", () => {
    const details = { database: "shop", snapshot: "noon" };
    const error = new StorageError("BOP_NOT_FOUND", "there is none", { details });
    expect(endingOf(error).advice).toContain("bop snapshot list");
  });

  test("a message of several lines is cut to its first", () => {
    expect(endingText(endingOf(new UsageError("one\ntwo")))).toBe("bop: one\n");
  });

  test("a program reads the same as one line of JSON", () => {
    const { error } = JSON.parse(endingJson(endingOf(locked())));
    expect(error).toMatchObject({ code: "BOP_LOCKED", exitCode: 3 });
  });
});

function locked(): StorageError {
  const details = { directory: "/data", pid: 42, startedAt: "1", openedAtMs: 0 };
  return new StorageError("BOP_LOCKED", "/data is owned by process 42", { details });
}

function readOnly(): StorageError {
  const details = { durableLsn: lsn(0), why: "three flushes failed" };
  return new StorageError("BOP_READ_ONLY", "the store takes no writes", { details });
}

function constraint(): SqliteError {
  const context = { sqliteCode: "SQLITE_CONSTRAINT_UNIQUE", extendedCode: 2067 };
  return new SqliteError("UNIQUE constraint failed: a.b", context);
}

function usage(exitCode: number): CommanderError {
  return new CommanderError(exitCode, "commander.unknownOption", "unknown option");
}
