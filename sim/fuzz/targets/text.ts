/** DECODERS OF WHAT PEOPLE AND CLIENTS SEND: requests in JSON, batons, SQL text. */
import { StatementSplitter } from "../../../src/cli/shell/splitter.ts";
import { BatonIssuer } from "../../../src/server/hrana/baton.ts";
import { HranaError } from "../../../src/server/hrana/error.ts";
import { decodePipeline } from "../../../src/server/hrana/json-decode.ts";
import {
  beginsReadOnly,
  holdsReadOnlyBegin,
  statementHeads,
} from "../../../src/server/hrana/sql-text.ts";
import { type FuzzTarget, holds, same } from "../target.ts";

const LIMITS = { pipelineRequests: 20, batchSteps: 20, conditionDepth: 8 };

const PIPELINE = {
  baton: null,
  requests: [
    { type: "execute", stmt: { sql: "select ?", args: [{ type: "integer", value: "1" }] } },
    {
      type: "batch",
      batch: {
        steps: [
          { stmt: { sql_id: 1, named_args: [{ name: "a", value: { type: "null" } }] } },
          {
            condition: {
              type: "and",
              conds: [
                { type: "ok", step: 0 },
                { type: "not", cond: { type: "is_autocommit" } },
              ],
            },
            stmt: { sql: "x", want_rows: false },
          },
        ],
      },
    },
    { type: "store_sql", sql_id: 1, sql: "select 1" },
    { type: "describe", sql: "select 1" },
    { type: "sequence", sql: "select 1; select 2" },
    { type: "get_autocommit" },
    { type: "close" },
  ],
};

export const hranaPipeline: FuzzTarget = {
  name: "hrana-pipeline",
  bytesMax: 2048,
  seeds: () => {
    const values = [
      { type: "blob", base64: "AAEC" },
      { type: "float", value: 1.5 },
      { type: "text", value: "ü" },
      { type: "integer", value: "-9223372036854775808" },
    ];
    const stmt = { sql: "x", args: values };
    return [PIPELINE, { requests: [{ type: "execute", stmt }] }].map(bytesOf);
  },
  words: [
    '"type":',
    '"sql":',
    '"sql_id":',
    "null",
    "1e999",
    "-0",
    "[",
    "{",
    "}",
    "]",
    '"\\ud800"',
    '"base64":"="',
    '"cond":',
  ],
  check(bytes) {
    for (const version of [2, 3] as const) {
      try {
        const pipeline = decodePipeline(bytes, { version, limits: LIMITS });
        holds(pipeline.requests.length <= LIMITS.pipelineRequests, "no more requests than allowed");
      } catch (error) {
        if (!(error instanceof HranaError) || error.status !== 400) throw error;
      }
    }
  },
};

const ISSUER = new BatonIssuer();

export const baton: FuzzTarget = {
  name: "baton",
  bytesMax: 200,
  seeds: () => [bytesOf(""), new Uint8Array(Buffer.from(ISSUER.issue(ISSUED, "notes")))],
  check(bytes) {
    const text = Buffer.from(bytes).toString("utf8");
    try {
      const verified = ISSUER.verify(text, "notes");
      same(verified, ISSUED, "only what was issued verifies");
    } catch (error) {
      if (!(error instanceof HranaError)) throw error;
    }
  },
};

const ISSUED = { streamId: "000102030405060708090a0b0c0d0e0f", sequence: 3 };

const SQL_WORDS = [
  ";",
  "'",
  '"',
  "`",
  "[",
  "]",
  "--",
  "/*",
  "*/",
  "\n",
  "begin",
  "end",
  "create ",
  "trigger ",
  "temp ",
  "explain ",
  "read only",
];

export const splitter: FuzzTarget = {
  name: "splitter",
  bytesMax: 512,
  words: SQL_WORDS,
  seeds: () =>
    [
      "select 1; select ';'; -- x\nselect /* ; */ 2;",
      "create temp trigger t after insert on a begin select 1; end; select 3;",
      'explain query plan select "a;", [b;], `c;`;',
    ].map((text) => new Uint8Array(Buffer.from(text))),
  check(bytes) {
    const text = Buffer.from(bytes).toString("utf8");
    const one = new StatementSplitter();
    const statements = text.split("\n").flatMap((line) => one.push(line));
    const whole = `${text}\n`;
    same(statements.join("") + one.pending, whole, "nothing is lost and nothing is added");
    holds(one.awaits.length > 0, "something is always awaited");
  },
};

export const sqlText: FuzzTarget = {
  name: "sql-text",
  bytesMax: 512,
  words: SQL_WORDS,
  seeds: () =>
    ["begin read only; select 1", "-- a\nBEGIN /* x */ READONLY"].map(
      (text) => new Uint8Array(Buffer.from(text)),
    ),
  check(bytes) {
    const text = Buffer.from(bytes).toString("utf8");
    holds(Array.isArray(statementHeads(text)), "heads are a list");
    if (beginsReadOnly(text)) holds(holdsReadOnlyBegin(text), "what begins so holds it");
  },
};

function bytesOf(document: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(JSON.stringify(document)));
}
