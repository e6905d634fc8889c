/** Pipelines over databases of a simulated disk: what an answer says of them is so. */
import { beforeEach, describe, expect, test } from "vitest";
import { seeded, simulatedWorld } from "../../io/index.ts";
import { type Database, Manager } from "../../manager/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { resolveLimits } from "../limits.ts";
import { runPipeline } from "./pipeline.ts";
import type { StreamRequest, StreamResult } from "./protocol.ts";
import { StreamTable } from "./stream-table.ts";

interface Place {
  readonly streams: StreamTable;
  readonly database: Database;
  /** What came of each statement on a stream of its own: how many rows, or the code of its error. */
  answers(...sqls: string[]): Promise<(number | string)[]>;
  count(): Promise<unknown>;
}

const RESPONSE_BYTES = 10_000;

/** With `leaves`, every client hangs up while its database is being opened. */
function within(body: (place: Place) => Promise<void>, { leaves = false } = {}): Promise<void> {
  const world = simulatedWorld({ seed: 5 });
  const env = world.start();
  return world.run(async () => {
    const manager = await Manager.open({
      directory: "/store",
      env,
      openKeyValueStore: memoryStores(seeded(6)).openerFor(env),
      inlineFlushMs: 0,
    });
    const database = await manager.database("it");
    await database.exec("create table t (a)");
    let hangUp = () => {};
    const streams = new StreamTable({
      clock: env.clock,
      limits: resolveLimits(),
      openDatabase: async (name) => {
        const handle = await manager.database(name);
        if (leaves) hangUp();
        return handle;
      },
      onError: () => {},
    });
    const context = {
      streams,
      database: "it",
      responseBytes: RESPONSE_BYTES,
      onError: () => {},
      onHangUp: (callback: () => void) => {
        hangUp = callback;
      },
    };
    const answers = async (...sqls: string[]) => {
      const requests = sqls.map(execute);
      const { results } = await runPipeline({ baton: undefined, requests }, context);
      return results.map(rowCountOrCode);
    };
    const count = () => database.prepare("select count(*) from t").pluck().get();
    await body({ streams, database, answers, count });
    await streams.close();
    await manager.close();
  });
}

function execute(sql: string): StreamRequest {
  return { type: "execute", statement: { sql, positional: [], named: [], wantRows: true } };
}

function rowCountOrCode(result: StreamResult): number | string {
  if (result.type === "error") return result.error.code;
  return result.response.type === "execute" ? result.response.result.rows.length : 0;
}

/** Rows that fit in memory, by the rough count of the engine, and not on the wire. */
const NUMBERS =
  "with recursive n (i) as (select 1 union all select i + 1 from n) select i from n limit 600";
const MANY = `insert into t ${NUMBERS} returning a`;
const SMALL = "insert into t values (7) returning a";

beforeEach(() => prepareEngines("sqlite", 2));

describe("rows beyond what an answer may hold", () => {
  // evidence: G10
  test("of a write that has committed are answered all the same", () =>
    within(async ({ answers, count }) => {
      expect(await answers(MANY)).toEqual([600]);
      expect(await count()).toBe(600);
    }));

  test("of a write to a view, which counts no changes, are answered as well", () =>
    within(async ({ database, answers, count }) => {
      await database.exec(`create view v as select a from t;
        create trigger tv instead of insert on v begin insert into t values (new.a); end`);
      expect(await answers(`insert into v ${NUMBERS} returning a`)).toEqual([600]);
      expect(await count()).toBe(600);
    }));

  // evidence: G10
  test("leave no room for those of writes behind them, which are refused and have done nothing", () =>
    within(async ({ answers, count }) => {
      expect(await answers(NUMBERS, SMALL)).toEqual(["RESPONSE_TOO_LARGE", "RESPONSE_TOO_LARGE"]);
      expect(await answers(MANY, SMALL)).toEqual([600, "RESPONSE_TOO_LARGE"]);
      expect(await count()).toBe(600);
    }));

  test("leave writes without rows, and the end of a transaction, to go on", () =>
    within(async ({ answers, count }) => {
      const insert = "insert into t values (7)";
      expect(await answers(NUMBERS, "begin", insert, "commit", insert)).toEqual([
        "RESPONSE_TOO_LARGE",
        0,
        0,
        0,
        0,
      ]);
      expect(await count()).toBe(2);
    }));

  test("of a write in a transaction fail it, which can still be rolled back", () =>
    within(async ({ answers, count }) => {
      expect(await answers("begin", MANY, "rollback")).toEqual([0, "RESPONSE_TOO_LARGE", 0]);
      expect(await count()).toBe(0);
    }));
});

test("a client that hangs up while its database is being opened leaves nothing, and holds nothing", () =>
  within(
    async ({ streams, answers, count }) => {
      const codes = await answers("begin immediate", "insert into t values (1)");
      expect(codes).toEqual(["CLIENT_GONE", "CLIENT_GONE"]);
      expect(await answers(SMALL)).toEqual(["CLIENT_GONE"]);
      expect(streams.size).toBe(0);
      expect(await count()).toBe(0);
    },
    { leaves: true },
  ));
