/** Pages in the browser of somebody on the machine of a server without authentication. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { executeRequest, openTestStore, postPipeline, type TestStore } from "./harness.ts";

let store: TestStore;
let url: string;
beforeEach(async () => {
  store = await openTestStore();
  url = store.server.url;
});
afterEach(() => store.close());

test("a body that is not called JSON is 415, so that pages of other origins cannot send any", async () => {
  const response = await fetch(`${url}/v2/pipeline`, { method: "POST", body: "{}" });
  expect(response.status).toBe(415);
  const preflight = await fetch(`${url}/v2/pipeline`, { method: "OPTIONS" });
  expect(preflight.status).toBe(200);
  expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
});

test("a page that got its own name to mean this machine is refused, whatever database it asks for", async () => {
  const origin = "http://evil.example";
  const body = { requests: [executeRequest("create table t (a)")] };
  for (const [to, headers] of [
    [url, { origin }],
    [url, { origin, "x-namespace": "default" }],
    [url, { origin: "null" }],
    [`${url}/ns/default`, { origin, host: "evil.example" }],
  ] as const) {
    const { status, type, json } = await postPipeline(to, body, headers);
    expect([status, type, json.code]).toEqual([403, "application/json", "ORIGIN_FORBIDDEN"]);
    expect(json.message).toMatch(/from a program/);
  }
  const { json } = await postPipeline(url, body);
  expect(json.results[0]?.type).toBe("ok");
});
