import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { KINDS } from "../database.fixture.ts";
import { loadRawModule, type RawFunctions } from "../wasm/raw.ts";
import { Breakdown, guardedModule } from "./breakdown.ts";

/** An address beyond all memory that an instance has. */
const NOWHERE = 0x7fff_0000;

describe.each(KINDS)("C of %s", (kind) => {
  const calls: [keyof RawFunctions, ...number[]][] = [
    ["sqlite3_step", NOWHERE],
    ["sqlite3_reset", NOWHERE],
    ["sqlite3_column_value", NOWHERE, 0],
    ["sqlite3_bind_int", NOWHERE, 1, 1],
    ["sqlite3_bind_null", NOWHERE, 1],
    ["sqlite3_bind_double", NOWHERE, 1, 1],
    ["sqlite3_bind_text", NOWHERE, 1, 0, 0, 0],
    ["sqlite3_errmsg", NOWHERE],
    ["sqlite3_finalize", NOWHERE],
  ];

  test.each(calls)(
    "that traps in %s is never called again, though there is no stack to say so",
    async (...[name, ...values]: [keyof RawFunctions, ...number[]]) => {
      let isDeep = true;
      const abandoned: string[] = [];
      const connection = {
        abandon: () => {
          if (isDeep) throw new RangeError("Maximum call stack size exceeded");
          abandoned.push(name);
        },
      };
      const breakdown = new Breakdown(new Map([[1, connection]]));
      const module = guardedModule(await loadRawModule(kind), breakdown);
      expect(module.c.sqlite3_libversion()).toBeGreaterThan(0);
      const call = module.c[name] as (...values: readonly number[]) => unknown;
      expect(() => call(...values)).toThrow("Maximum call stack");
      expect(breakdown.happened).toBe(true);
      expect(abandoned).toEqual([]);
      isDeep = false;
      for (const next of [() => module.c.sqlite3_libversion(), () => call(...values)]) {
        expect(isStorageError(errorOf(next), "BOP_CLOSED")).toBe(true);
      }
      expect(() => module.dbConfig(1, 1, 1, 0)).toThrow("broke down");
      expect(abandoned.length).toBe(3);
    },
  );
});

function errorOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
