/** Who writes while the log takes nothing new: how long he waits, and what he hears then. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../src/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";
import { DRIVERS, FLUSH, refusalOf, WAL, within } from "./hurt-log.fixture.ts";

const HANG_MS = 20_000;
const WRITE_TIMEOUT_MS = 200;
const INSERT = "insert into note (body) values ('one')";

/** What connections do that begins to write; first one that has read before, whose state may go. */
const CALLS: Readonly<Record<string, (own: Connection) => Promise<unknown>>> = {
  upgrade: (own) => own.exec("begin; select * from note; delete from note where 0; commit"),
  statement: (own) => own.prepare(INSERT).run(),
  script: (own) => own.exec(`select 1; ${INSERT}`),
  begin: (own) => own.exec("begin immediate; rollback"),
  function: (own) => own.transaction((tx) => tx.exec("select 1"), { timeoutMs: 60_000 }),
};

beforeEach(() => prepareEngines("sqlite", 2));

describe.each(DRIVERS)("while the device hangs, %s", (io) => {
  // evidence: G17
  test.each([
    ["lets connections in that are patient enough", 60_000, "done"],
    ["refuses connections when their time is up, and they have written nothing", 3000, "device"],
  ])("the log %s", async (_, admissionTimeoutMs, outcome) => {
    const limits = { writeTimeoutMs: WRITE_TIMEOUT_MS, admissionTimeoutMs };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      const other = await manager.database("other");
      const connections = new Map<string, Connection>();
      for (const name of Object.keys(CALLS)) connections.set(name, await notes.connect());
      for (const own of connections.values()) await own.exec("select 1"); // It has its place now.
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: HANG_MS });
      const first = other.exec("create table note (body)");
      await env.clock.sleep(1000);
      const heard: Promise<unknown>[] = [];
      for (const [name, call] of Object.entries(CALLS)) {
        heard.push(refusalOf(call(connections.get(name) as Connection)));
        await env.clock.sleep(10); // In this order.
      }
      expect(await Promise.all(heard)).toEqual(heard.map(() => outcome));
      await first;
      const open = [...connections].filter(([, own]) => own.inTransaction).map(([name]) => name);
      expect(open).toEqual(outcome === "device" ? ["upgrade"] : []); // It goes on reading.
      await connections.get("upgrade")?.exec(open.length > 0 ? "rollback" : "select 1");
      for (const own of connections.values()) await own.exec("begin immediate; rollback");
      const rows = outcome === "device" ? 0 : 2;
      expect(await notes.prepare("select count(*) from note").pluck().get()).toBe(rows);
      await manager.close();
    });
  });

  // evidence: G17
  test("everybody's time begins when the log takes nothing new, and not when that of others is over", async () => {
    const limits = { writeTimeoutMs: WRITE_TIMEOUT_MS, admissionTimeoutMs: 3000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: HANG_MS });
      const first = notes.exec(INSERT);
      await env.clock.sleep(1000);
      const sinceMs = env.clock.monotonicMs();
      const waits = Array.from({ length: 6 }, async (_, at) => {
        const other = at % 2 === 0 ? await manager.database("notes") : await notes.connect();
        const refusal = await refusalOf(other.exec(INSERT));
        return { refusal, isLate: env.clock.monotonicMs() - sinceMs > 2 * 3000 };
      });
      const all = Array(6).fill({ refusal: "device", isLate: false });
      expect(await Promise.all(waits)).toEqual(all);
      await first;
      await manager.close();
    });
  });
});
