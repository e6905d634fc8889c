import { expect, test } from "vitest";
import { resultCodeName } from "./result-codes.ts";

test.each([
  [0, "SQLITE_OK"],
  [5, "SQLITE_BUSY"],
  [9, "SQLITE_INTERRUPT"],
  [13, "SQLITE_FULL"],
  [26, "SQLITE_NOTADB"],
  [27, "SQLITE_NOTICE"],
  [28, "SQLITE_WARNING"],
  [100, "SQLITE_ROW"],
  [101, "SQLITE_DONE"],
  [257, "SQLITE_ERROR_MISSING_COLLSEQ"],
  [261, "SQLITE_BUSY_RECOVERY"],
  [266, "SQLITE_IOERR_READ"],
  [516, "SQLITE_ABORT_ROLLBACK"],
  [517, "SQLITE_BUSY_SNAPSHOT"],
  [522, "SQLITE_IOERR_SHORT_READ"],
  [787, "SQLITE_CONSTRAINT_FOREIGNKEY"],
  [1034, "SQLITE_IOERR_FSYNC"],
  [1811, "SQLITE_CONSTRAINT_TRIGGER"],
  [2067, "SQLITE_CONSTRAINT_UNIQUE"],
  [3091, "SQLITE_CONSTRAINT_DATATYPE"],
  [8458, "SQLITE_IOERR_CORRUPTFS"],
])("%i is %s", (code, name) => {
  expect(resultCodeName(code)).toBe(name);
});

test("a code of a later SQLite is named after its primary code", () => {
  expect(resultCodeName(19 | (99 << 8))).toBe("SQLITE_CONSTRAINT");
  expect(resultCodeName(77)).toBe("SQLITE_77");
});
