import { describe, expect, test } from "vitest";
import { openStore } from "../support/store.ts";

describe("an engine that breaks down", () => {
  test("is replaced: what was acknowledged is there, and every database goes on", async () => {
    const manager = await openStore();
    const db = await manager.database("a", { engine: "libsql" });
    const other = await manager.database("b", { engine: "libsql" });
    await db.exec("create table t (v); insert into t values (1)");
    await other.exec("create table t (v); insert into t values (2)");
    // libSQL's build recurses until its stack is gone.
    const nested = `select json('${"[".repeat(900)}${"]".repeat(900)}')`;
    await expect(db.prepare(nested).get()).rejects.toMatchObject({
      code: "BOP_CLOSED",
      details: { what: "engine" },
    });
    const untilBack = async (): Promise<unknown[]> => {
      for (;;) {
        try {
          return await Promise.all(
            [db, other].map((each) => each.prepare("select v from t").pluck().all()),
          );
        } catch (error) {
          expect(error).toMatchObject({ code: "BOP_CLOSED", details: { what: "engine" } });
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    };
    expect(await untilBack()).toEqual([[1], [2]]);
    await db.exec("insert into t values (3)");
    expect(await db.prepare("select count(*) from t").pluck().get()).toBe(2);
  });
});
