import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HranaError } from "./error.ts";
import { type DecodeContext, decodePipeline } from "./json-decode.ts";

const limits = { pipelineRequests: 5, batchSteps: 4, conditionDepth: 3 };
const context = (version: 2 | 3 = 3): DecodeContext => ({ version, limits });

const decodeText = (text: string, version: 2 | 3 = 3) =>
  decodePipeline(Buffer.from(text), context(version));
const decode = (json: unknown, version: 2 | 3 = 3) => decodeText(JSON.stringify(json), version);
const request = (json: unknown, version: 2 | 3 = 3) => decode({ requests: [json] }, version);

describe("decoding a pipeline", () => {
  test("each kind of request is understood", () => {
    const { baton, requests } = decode({
      baton: null,
      requests: [
        { type: "store_sql", sql_id: 1, sql: "select ?" },
        { type: "sequence", sql: "select 1; select 2" },
        { type: "describe", sql_id: 1 },
        { type: "get_autocommit" },
        { type: "close" },
      ],
    });
    expect(baton).toBeUndefined();
    expect(requests).toEqual([
      { type: "store_sql", sqlId: 1, sql: "select ?" },
      { type: "sequence", sql: "select 1; select 2" },
      { type: "describe", sql: 1 },
      { type: "get_autocommit" },
      { type: "close" },
    ]);
  });

  test("a statement carries its arguments, and wants rows unless it says otherwise", () => {
    const args = [{ type: "integer", value: "7" }];
    const named_args = [{ name: ":a", value: { type: "text", value: "x" } }];
    const { requests } = request({ type: "execute", stmt: { sql: "q", args, named_args } });
    const statement = {
      sql: "q",
      positional: [7n],
      named: [{ name: ":a", value: "x" }],
      wantRows: true,
    };
    expect(requests).toEqual([{ type: "execute", statement }]);
  });

  test("conditions nest as far as the limit and look back only", () => {
    const steps = [
      { stmt: { sql: "a" } },
      {
        stmt: { sql: "b" },
        condition: {
          type: "and",
          conds: [{ type: "not", cond: { type: "error", step: 0 } }, { type: "is_autocommit" }],
        },
      },
    ];
    expect(() => request({ type: "batch", batch: { steps } })).not.toThrow();
  });

  const step = (condition: unknown) => ({
    type: "batch",
    batch: { steps: [{ stmt: { sql: "a" }, condition }] },
  });
  test.each([
    ["an unknown request", { type: "drop_everything" }],
    ["a request without a type", {}],
    ["a statement without SQL", { type: "execute", stmt: {} }],
    ["SQL given in two ways", { type: "execute", stmt: { sql: "a", sql_id: 1 } }],
    ["an id that is no 32-bit integer", { type: "close_sql", sql_id: 2 ** 31 }],
    ["arguments that are no array", { type: "execute", stmt: { sql: "a", args: {} } }],
    ["want_rows that is no boolean", { type: "execute", stmt: { sql: "a", want_rows: 1 } }],
    ["a condition on the step itself", step({ type: "ok", step: 0 })],
    ["a condition on a step before the first", step({ type: "ok", step: -1 })],
    ["an unknown condition", step({ type: "maybe" })],
    ["too many steps", { type: "batch", batch: { steps: Array(5).fill({ stmt: { sql: "a" } }) } }],
  ])("%s is a protocol error", (_what, json) => {
    expect(() => request(json)).toThrow(HranaError);
  });

  test("a condition that nests beyond the limit is refused, however deep it is", () => {
    const depth = 100_000;
    const open = '{"type":"not","cond":'.repeat(depth);
    const text = `{"requests":[{"type":"batch","batch":{"steps":[{"stmt":{"sql":"a"},"condition":${open}1${"}".repeat(depth)}}]}}]}`;
    expect(() => decodeText(text)).toThrow(/nests too deeply/);
  });

  test("too many requests are refused", () => {
    const requests = Array(6).fill({ type: "sequence", sql: "" });
    expect(() => decode({ requests })).toThrow(/more than 5/);
  });

  test("a close that is not last is refused before anything runs", () => {
    const requests = [{ type: "close" }, { type: "sequence", sql: "delete from t" }];
    expect(() => decode({ requests })).toThrow(/not the last/);
  });

  test("what came with version 3 is refused in version 2", () => {
    expect(() => request({ type: "get_autocommit" }, 2)).toThrow(/version 3/);
    expect(() => request(step({ type: "is_autocommit" }), 2)).toThrow(/version 3/);
  });

  test.each(["", "nonsense", "[]", "null", '{"requests":{}}', "{", '{"baton":1,"requests":[]}'])(
    "the body %j is a protocol error",
    (text) => {
      expect(() => decodeText(text)).toThrow(HranaError);
    },
  );

  test("a body that is not UTF-8 is refused rather than repaired", () => {
    const body = Buffer.concat([
      Buffer.from('{"requests":[],"x":"'),
      Buffer.from([0xff, 0x22, 125]),
    ]);
    expect(() => decodePipeline(body, context())).toThrow(HranaError);
  });

  test("whatever JSON comes, it is a pipeline or a typed error", () => {
    const key = fc.constantFrom(
      "type",
      "stmt",
      "sql",
      "args",
      "batch",
      "steps",
      "condition",
      "step",
    );
    const word = fc.constantFrom("execute", "batch", "ok", "not", "close", "integer", "blob");
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom(null, true, 0, -1, 2 ** 31, 0.5, "", "7"),
        word,
        fc.dictionary(key, tie("tree")),
        fc.array(tie("tree"), { maxLength: 3 }),
      ),
    }));
    const body = fc.oneof(fc.record({ requests: fc.array(tree) }), tree);
    fc.assert(
      fc.property(body, (json) => {
        try {
          expect(decode(json).requests).toBeInstanceOf(Array);
        } catch (error) {
          expect(error).toBeInstanceOf(HranaError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("whatever bytes come, they are a pipeline or a typed error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => decodePipeline(bytes, context())).toThrow(HranaError);
      }),
    );
  });
});
