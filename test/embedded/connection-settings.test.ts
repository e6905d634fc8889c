import { describe, expect, test } from "vitest";
import { openDatabase } from "../support/store.ts";

describe("settings of connections", () => {
  test("a pragma that is refused on a database has changed nothing for anybody", async () => {
    const db = await openDatabase();
    const enforced = async () => db.pragma("foreign_keys");
    for (const text of ["pragma foreign_keys = off", "explain pragma foreign_keys = off"]) {
      await db.execute(text).catch(() => {});
      await db.describe(text).catch(() => {});
      await db.exec(text).catch(() => {});
      await db
        .prepare(text)
        .iterate()
        .next()
        .catch(() => {});
      const next = await db.connect();
      await next.exec("select 1");
      expect(await next.pragma("foreign_keys")).toEqual([{ foreign_keys: 1 }]);
      await next.close();
      expect(await enforced()).toEqual([{ foreign_keys: 1 }]);
    }
    await expect(db.pragma("foreign_keys = off")).rejects.toThrow(/database\.connect\(\)/);
    const connection = await db.connect();
    await connection.pragma("foreign_keys = off");
    expect(await connection.pragma("foreign_keys")).toEqual([{ foreign_keys: 0 }]);
    expect(await enforced()).toEqual([{ foreign_keys: 1 }]);
    await connection.close();
  });

  test.each([
    ["pragma foreign_keys = off", "foreign_keys", 1],
    ["explain pragma foreign_keys = off", "foreign_keys", 1],
    ["pragma foreign_keys = off; select 1", "foreign_keys", 1],
    ["select 1; pragma ignore_check_constraints = on", "ignore_check_constraints", 0],
    ["pragma query_only = on; this is no SQL", "query_only", 0],
    ["pragma busy_timeout = 77; select 1", "busy_timeout", 0],
  ])(
    "%s, which only was asked about or was refused, is nobody else's setting",
    async (...given) => {
      const [text, pragma, value] = given;
      const db = await openDatabase();
      for (const ask of ["describe", "prepare", "transaction"] as const) {
        const first = await db.connect();
        await first.exec("select 1");
        if (ask === "describe") await first.describe(text).catch(() => {});
        const all = () => first.prepare(text).all();
        if (ask === "prepare") await all().catch(() => {});
        if (ask === "transaction") {
          const asked = db.transaction((tx) => tx.describe(text), { mode: "deferred" });
          await asked.catch(() => {});
        }
        await first.close();
        const next = await db.connect();
        await next.exec("select 1");
        const [row] = await next.pragma(pragma);
        expect(Object.values(row ?? {})).toEqual([value]);
        await next.close();
      }
    },
  );
});
