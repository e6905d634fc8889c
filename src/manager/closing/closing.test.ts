/** Stores that are closed while the device refuses what was committed last. */
import { beforeEach, describe, expect, test } from "vitest";
import { type SimulatedWorld, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { SimulatedStore, simulatedService } from "../../sink/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Database } from "../api/database.ts";
import { Manager } from "../manager.ts";

const INSERT = "insert into note (body) values (?)";
const SEGMENT_BYTES = 256 * 1024;
const CLOSED_MS_MAX = 60_000;
const ENDS = [
  ["without a sink", false],
  ["with a sink", true],
] as const;

interface Closed {
  /** What came of the insert that nobody had waited for. */
  readonly outcome: string;
  /** Rows that are there when the store is opened again. */
  readonly rows: number;
}

/** A store with one row is closed behind the commit of a second; `hurt` hurts the disk between. */
async function closedBehind(
  { withSink, body }: { readonly withSink: boolean; readonly body: string },
  hurt: (world: SimulatedWorld) => void,
): Promise<Closed> {
  const world = simulatedWorld({ seed: 3 });
  const env = world.start();
  const service = simulatedService(3);
  const openKeyValueStore = memoryStores(world.random.fork()).openerFor(env);
  const open = () => {
    const sink = withSink && { sink: new SimulatedStore({ service, clock: env.clock }) };
    const place = { directory: "/store", env, openKeyValueStore };
    return Manager.open({ ...place, ...sink, segmentBytes: SEGMENT_BYTES, inlineFlushMs: 0 });
  };
  return world.run(async () => {
    const manager = await open();
    const notes = await manager.database("notes");
    await notes.exec("create table note (id integer primary key, body text)");
    await notes.prepare(INSERT).run("first");
    hurt(world);
    const outcome = committed(notes, body);
    await env.clock.sleep(0);
    const closing = manager.close().then(() => true);
    const late = env.clock.sleep(CLOSED_MS_MAX).then(() => false);
    if (!(await Promise.race([closing, late]))) throw new Error("it is not closed");
    world.disk.heal();
    world.disk.capacityBytes = Number.POSITIVE_INFINITY;
    const again = await open();
    const reopened = await again.database("notes");
    const rows = await reopened.prepare("select count(*) from note").pluck<number>().get();
    await again.close();
    return { outcome: await outcome, rows: rows ?? 0 };
  });
}

function committed(notes: Database, body: string): Promise<string> {
  return notes
    .prepare(INSERT)
    .run(body)
    .then(
      () => "done",
      (error: { code?: string; message: string }) => error.code ?? error.message,
    );
}

beforeEach(() => prepareEngines("sqlite", 2));

describe.each(ENDS)("a store %s that is closed behind a commit", (_, withSink) => {
  // evidence: G5, G10
  test("is closed though the log fails, and the outcome of the commit is unknown", async () => {
    const { outcome, rows } = await closedBehind({ withSink, body: "second" }, ({ disk }) => {
      for (const operation of ["write", "sync"] as const) {
        disk.failNext({ operation, pathPattern: /\.wal$/, times: 100 });
      }
    });
    expect(outcome).toBe("BOP_OUTCOME_UNKNOWN");
    expect([1, 2]).toContain(rows);
  });

  test("is closed though there is no room for it, and its outcome is unknown", async () => {
    const body = "x".repeat(SEGMENT_BYTES);
    const { outcome, rows } = await closedBehind({ withSink, body }, ({ disk }) => {
      disk.capacityBytes = 0;
    });
    expect(outcome).toBe("BOP_OUTCOME_UNKNOWN");
    expect([1, 2]).toContain(rows);
  });

  test("keeps what was committed where the device takes it", async () => {
    const { outcome, rows } = await closedBehind({ withSink, body: "second" }, () => {});
    expect([outcome, rows]).toEqual(["done", 2]);
  });
});
