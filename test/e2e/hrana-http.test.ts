/** Hrana over HTTP, byte by byte: what no well-behaved client sends, and what all rely on. */
import { once } from "node:events";
import { type ClientRequest, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { createClient } from "@libsql/client";
import { afterEach, describe, expect, test } from "vitest";
import { executeRequest, openTestStore, postPipeline, type TestStore } from "./harness.ts";

let store: TestStore | undefined;
afterEach(async () => {
  await store?.close();
  store = undefined;
});

async function open(options: Parameters<typeof openTestStore>[0] = {}): Promise<string> {
  store = await openTestStore(options);
  return store.server.url;
}

const close = { type: "close" };
/** Statements on a stream that stays open. */
const held = (...sqls: string[]) => ({ baton: null, requests: sqls.map(executeRequest) });
/** Statements on a stream of their own. */
const pipeline = (...sqls: string[]) => ({
  baton: null,
  requests: [...sqls.map(executeRequest), close],
});

describe("requests that are none", () => {
  test.each([
    ["garbage", "{"],
    ["an empty body", ""],
    ["the wrong type", '{"baton":7,"requests":[]}'],
    ["an unknown request", '{"requests":[{"type":"format_disk"}]}'],
    ["nesting without end", "[".repeat(200_000)],
  ])("%s is answered with 400 and a typed error, and the server goes on", async (_what, body) => {
    const url = await open();
    const { status, type, json } = await postPipeline(url, body);
    expect([status, type, json.code]).toEqual([400, "application/json", "HRANA_PROTO_ERROR"]);
    expect(json.error).toBe(json.message);
    expect((await postPipeline(url, pipeline("select 1"))).status).toBe(200);
  });

  test("a body beyond the limit is 413, and is not read to its end", async () => {
    const url = await open({ limits: { requestBytes: 2048 } });
    const { status, type } = await postPipeline(url, pipeline(`select '${"x".repeat(4000)}'`));
    expect([status, type]).toEqual([413, "application/json"]);
  });
});

describe("which database", () => {
  test("header, path and host name one; what is not there is 404", async () => {
    const url = await open({ autoCreate: false });
    await store?.manager.database("notes");
    const where = pipeline("create table if not exists here (a)");
    expect((await postPipeline(url, where, { "x-namespace": "notes" })).status).toBe(200);
    expect((await postPipeline(`${url}/ns/notes`, where)).status).toBe(200);
    expect((await postPipeline(`${url}/dev/notes`, where)).status).toBe(200);
    expect((await postPipeline(url, where)).status).toBe(200);
    for (const [to, headers] of [
      [url, { "x-namespace": "other" }],
      [`${url}/ns/other`, {}],
    ] as const) {
      const { status, type, json } = await postPipeline(to, where, headers);
      expect([status, type, json.code]).toEqual([404, "application/json", "BOP_NOT_FOUND"]);
      expect(json.message).toMatch(/the name comes from the (path|x-namespace header)/);
    }
  });

  test("a name in the path is decoded, and one that cannot be a name is 400", async () => {
    const url = await open();
    expect((await postPipeline(`${url}/ns/a%2Fb%20%C3%BC`, pipeline("select 1"))).status).toBe(200);
    const names = (await store?.manager.list())?.map(({ name }) => name);
    expect(names).toContain("a/b ü");
    const { status, json } = await postPipeline(`${url}/ns/a%00b`, pipeline("select 1"));
    expect([status, json.code]).toEqual([400, "NAMESPACE_INVALID"]);
  });

  test("a URL without its last slash is told what is missing", async () => {
    const url = await open();
    const client = createClient({ url: `${url}/ns/notes` });
    await expect(client.execute("select 1")).rejects.toThrow(/must end in a slash/);
  });

  test("probes, health and version answer; protobuf, which is not served, does not", async () => {
    const url = await open();
    const statusOf = async (path: string) => (await fetch(url + path)).status;
    for (const path of ["/v2", "/v3", "/health", "/version", "/ns/default/v2"]) {
      expect([path, await statusOf(path)]).toEqual([path, 200]);
    }
    expect(await statusOf("/v3-protobuf")).toBe(404);
  });
});

describe("pipelines", () => {
  test("a request that fails does not stop those behind it", async () => {
    const url = await open();
    const { json } = await postPipeline(url, pipeline("selec 1", "select 1"));
    expect(json.results.map(({ type }) => type)).toEqual(["error", "ok", "ok"]);
  });

  test("an error has the primary and the extended code", async () => {
    const url = await open();
    const { json } = await postPipeline(
      url,
      pipeline("create table t (a unique)", "insert into t values (1), (1)"),
    );
    expect(json.results[1]?.error).toMatchObject({
      code: "SQLITE_CONSTRAINT",
      extended_code: "SQLITE_CONSTRAINT_UNIQUE",
    });
  });

  test.each([
    ["no statement", { sql: " -- nothing" }, "SQL_NO_STATEMENT"],
    ["many statements", { sql: "select 1; select 2" }, "SQL_MANY_STATEMENTS"],
    ["too few arguments", { sql: "select ?" }, "ARGS_INVALID"],
    ["an unknown stored text", { sql_id: 7 }, "SQL_NOT_FOUND"],
    [
      "arguments of both kinds",
      {
        sql: "select ?",
        args: [{ type: "null" }],
        named_args: [{ name: "a", value: { type: "null" } }],
      },
      "ARGS_BOTH_POSITIONAL_AND_NAMED",
    ],
  ])("%s is an error of the statement alone", async (_what, stmt, code) => {
    const url = await open();
    const requests = [{ type: "execute", stmt }, executeRequest("select 1")];
    const { status, json } = await postPipeline(url, { requests });
    expect([status, json.results[0]?.error.code, json.results[1]?.type]).toEqual([200, code, "ok"]);
  });

  test("a stored text is used by its id until it is closed", async () => {
    const url = await open();
    const useIt = { type: "execute", stmt: { sql_id: 1 } };
    const { json } = await postPipeline(url, {
      requests: [
        { type: "store_sql", sql_id: 1, sql: "select 7" },
        useIt,
        { type: "close_sql", sql_id: 1 },
        useIt,
      ],
    });
    expect(json.results.map(({ type }) => type)).toEqual(["ok", "ok", "ok", "error"]);
  });

  test("stored texts are counted and measured", async () => {
    const url = await open({ limits: { storedSqlCount: 1, storedSqlBytes: 10 } });
    const storeSql = (sql_id: number, sql: string) => ({ type: "store_sql", sql_id, sql });
    const { json } = await postPipeline(url, {
      requests: [storeSql(1, "select 1"), storeSql(1, "select 2"), storeSql(2, "select 3")],
    });
    expect(json.results.map((result) => result.error?.code)).toEqual([
      undefined,
      undefined,
      "SQL_STORE_TOO_MANY",
    ]);
    const long = await postPipeline(url, { requests: [storeSql(1, "select 12345")] });
    expect(long.json.results[0]?.error.code).toBe("SQL_STORE_TOO_LARGE");
  });

  test("describe tells parameters, columns and kind without running anything", async () => {
    const url = await open();
    const sql = "select :a as x, ? as y";
    const { json } = await postPipeline(url, { requests: [{ type: "describe", sql }] });
    expect(json.results[0]?.response.result).toEqual({
      params: [{ name: ":a" }, { name: null }],
      cols: [
        { name: "x", decltype: null },
        { name: "y", decltype: null },
      ],
      is_explain: false,
      is_readonly: true,
    });
  });

  test("version 3 tells whether a transaction is open", async () => {
    const url = await open();
    const response = await fetch(`${url}/v3/pipeline`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        requests: [
          { type: "get_autocommit" },
          executeRequest("begin"),
          { type: "get_autocommit" },
          close,
        ],
      }),
    });
    const { results, baton } = (await response.json()) as {
      results: { response: { is_autocommit?: boolean } }[];
      baton: unknown;
    };
    expect(results.map(({ response: { is_autocommit } }) => is_autocommit)).toEqual([
      true,
      undefined,
      false,
      undefined,
    ]);
    expect(baton).toBeNull();
  });

  test("rows that nobody wants are not sent, and a float that is whole stays one", async () => {
    const url = await open();
    const { json } = await postPipeline(url, {
      requests: [
        { type: "execute", stmt: { sql: "select 1", want_rows: false } },
        { type: "execute", stmt: { sql: "select ?", args: [{ type: "float", value: 1 }] } },
      ],
    });
    expect(json.results[0]?.response.result.rows).toEqual([]);
    expect(json.results[1]?.response.result.rows).toEqual([[{ type: "float", value: 1 }]]);
  });
});

describe("batons", () => {
  const begin = { baton: null, requests: [executeRequest("begin immediate")] };

  test("a stream goes on with its baton, which is good for once", async () => {
    const url = await open();
    const first = (await postPipeline(url, begin)).json.baton;
    const next = { baton: first, requests: [executeRequest("create table t (a)")] };
    const { json } = await postPipeline(url, next);
    expect(json.baton).not.toBe(first);
    const again = await postPipeline(url, next);
    expect([again.status, again.json.code]).toEqual([400, "BATON_REUSED"]);
    const commit = { baton: json.baton, requests: [executeRequest("commit"), close] };
    expect((await postPipeline(url, commit)).json.baton).toBeNull();
    expect((await postPipeline(url, pipeline("select * from t"))).json.results[0]?.type).toBe("ok");
  });

  test("of two requests with one baton, one is served", async () => {
    const url = await open();
    const { baton } = (await postPipeline(url, begin)).json;
    const body = { baton, requests: [executeRequest("select 1")] };
    const answers = await Promise.all([postPipeline(url, body), postPipeline(url, body)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
  });

  test("a forged baton and one of another database are refused", async () => {
    const url = await open();
    const { baton } = (await postPipeline(url, begin)).json;
    for (const [to, text] of [
      [url, `${baton?.slice(0, -2)}AA`],
      [`${url}/ns/other`, baton],
    ] as const) {
      const { status, json } = await postPipeline(to, { baton: text, requests: [] });
      expect([status, json.code]).toEqual([400, "BATON_INVALID"]);
    }
  });

  test("a stream that its client left is rolled back, and its baton has expired", async () => {
    const url = await open({ limits: { streamIdleMs: 50 } });
    await postPipeline(url, pipeline("create table t (a)"));
    const left = await postPipeline(url, held("begin immediate", "insert into t values (1)"));
    // This waits for the writer, which the stream holds until it expires.
    await postPipeline(url, pipeline("insert into t values (2)"));
    const { json } = await postPipeline(url, pipeline("select a from t"));
    expect(json.results[0]?.response.result.rows).toEqual([[{ type: "integer", value: "2" }]]);
    const late = await postPipeline(url, { baton: left.json.baton, requests: [] });
    expect([late.status, late.json.code]).toEqual([400, "STREAM_EXPIRED"]);
  });

  // evidence: G10
  test("a transaction that takes too long is rolled back, and its client is told why", async () => {
    const url = await open({ limits: { transactionMs: 50 } });
    await postPipeline(url, pipeline("create table t (a)"));
    const slow = await postPipeline(url, held("begin immediate", "insert into t values (1)"));
    await postPipeline(url, pipeline("insert into t values (2)"));
    const requests = [executeRequest("insert into t values (3)")];
    const late = await postPipeline(url, { baton: slow.json.baton, requests });
    expect([late.status, late.json.code]).toEqual([400, "TRANSACTION_TIMEOUT"]);
    const { json } = await postPipeline(url, pipeline("select a from t"));
    expect(json.results[0]?.response.result.rows).toEqual([[{ type: "integer", value: "2" }]]);
  });

  test("streams are counted, and one too many is 429", async () => {
    const url = await open({ limits: { streams: 1 } });
    const { baton } = (await postPipeline(url, begin)).json;
    const second = await postPipeline(url, pipeline("select 1"));
    expect([second.status, second.json.code]).toEqual([429, "TOO_MANY_STREAMS"]);
    await postPipeline(url, { baton, requests: [close] });
    expect((await postPipeline(url, pipeline("select 1"))).status).toBe(200);
  });
});

describe("what could hurt the others", () => {
  const numbers = (count: number) => `with recursive n (i) as
    (select 1 union all select i + 1 from n where i < ${count}) select i from n`;

  test.each([
    ["in memory", "select hex(zeroblob(9000))"],
    ["on the wire", numbers(600)],
  ])(
    "an answer that grows too large %s fails in time for its batch to roll back",
    async (_, big) => {
      const url = await open({ limits: { responseBytes: 10_000 } });
      await postPipeline(url, pipeline("create table t (a)"));
      const stmt = (sql: string) => ({ sql });
      const steps = [
        { stmt: stmt("begin") },
        { stmt: stmt("insert into t values (1)"), condition: { type: "ok", step: 0 } },
        { stmt: stmt(big), condition: { type: "ok", step: 1 } },
        { stmt: stmt("commit"), condition: { type: "ok", step: 2 } },
        { stmt: stmt("rollback"), condition: { type: "not", cond: { type: "ok", step: 3 } } },
      ];
      const batch = { type: "batch", batch: { steps } };
      const { json } = await postPipeline(url, { requests: [batch] });
      const errors = json.results[0]?.response.result.step_errors;
      expect(errors?.map((error) => error?.code ?? null)).toEqual([
        null,
        null,
        "RESPONSE_TOO_LARGE",
        null,
        null,
      ]);
      const { json: after } = await postPipeline(url, pipeline("select a from t"));
      expect(after.results[0]?.response.result.rows).toEqual([]);
    },
  );

  test("a statement without end is ended by its deadline, and the server goes on", async () => {
    const url = await open({ limits: { statementMs: 100 } });
    const endless =
      "with recursive n (i) as (select 1 union all select i from n) select max(i) from n";
    const { json } = await postPipeline(url, pipeline(endless, "select 1"));
    expect(json.results[0]?.error.code).toBe("BOP_TIMEOUT");
    expect(json.results[1]?.type).toBe("ok");
  });

  test("a client that hangs up while it waits does not begin, and keeps nobody waiting", async () => {
    const url = await open({ limits: { streams: 2 } });
    await postPipeline(url, pipeline("create table t (a)"));
    const holder = await postPipeline(url, held("begin immediate"));
    let leaver: ClientRequest | undefined;
    const send = () => {
      leaver = httpRequest(`${url}/v2/pipeline`, {
        method: "POST",
        headers: { "content-type": "application/json" },
      });
      // An answer can only say that there was no room: the one that we want waits for the writer.
      leaver.on("response", send);
      leaver.on("error", () => {});
      leaver.end(JSON.stringify(held("begin immediate", "insert into t values (1)")));
    };
    send();
    // There is no room for a third stream as soon as the request has arrived.
    while ((await postPipeline(url, pipeline())).status !== 429);
    leaver?.destroy();
    let { baton } = holder.json;
    for (const sql of ["select 1", "select 2", "select 3", "commit"]) {
      ({ baton } = (await postPipeline(url, { baton, requests: [executeRequest(sql)] })).json);
    }
    await postPipeline(url, { baton, requests: [close] });
    await postPipeline(url, pipeline("insert into t values (2)"));
    const { json } = await postPipeline(url, pipeline("select a from t"));
    expect(json.results[0]?.response.result.rows).toEqual([[{ type: "integer", value: "2" }]]);
  });

  test("a connection that never finishes its request is cut off", async () => {
    const url = await open({ limits: { headersMs: 100, requestMs: 100 } });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.write("POST /v2/pipeline HTTP/1.1\r\nhost: x\r\ncontent-le");
    const answer: Buffer[] = [];
    socket.on("data", (chunk) => answer.push(chunk));
    await once(socket, "close");
    expect(Buffer.concat(answer).toString()).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("closing lets a request that runs finish, and rolls back what is left open", async () => {
    const url = await open();
    await postPipeline(url, pipeline("create table t (a)"));
    await postPipeline(url, held("begin immediate", "insert into t values (1)"));
    const waiting = postPipeline(url, pipeline("insert into t values (2)"));
    const [answer] = await Promise.allSettled([waiting, store?.server.close()]);
    const database = await store?.manager.database("default");
    const rows = await database?.prepare("select a from t").pluck().all();
    const served = answer.status === "fulfilled" && answer.value.status === 200;
    expect(rows).toEqual(served ? [2] : []);
  });
});
