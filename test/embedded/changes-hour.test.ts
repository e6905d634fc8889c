import { describe, expect, onTestFinished, test } from "vitest";
import { type Change, Manager } from "../../src/index.ts";
import { seeded, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";

const MINUTES = 60;
const WRITES_PER_MINUTE = 4;

interface Life {
  readonly manager: Manager;
  /** Something that takes simulated time. */
  readonly run: <T>(what: () => Promise<T>) => Promise<T>;
  /** Writes for an hour, with a checkpoint each minute; returns the most changes that were kept. */
  readonly hour: () => Promise<number>;
}

/** A store in a world of its own. */
async function lifeOf(maxLag: number): Promise<Life> {
  await prepareEngines("sqlite", 1);
  const world = simulatedWorld({ seed: 5 });
  const env = world.start();
  const openKeyValueStore = memoryStores(seeded(6)).openerFor(env);
  const changeLog = { maxLag, keepLast: 50, maxAgeMs: 60_000 };
  const segmentBytes = 1024 * 1024;
  const options = { directory: "/store", env, openKeyValueStore, segmentBytes, changeLog };
  const manager = await world.run(() => Manager.open(options));
  const database = await world.run(() => manager.database("shop"));
  await world.run(() => database.exec("create table sale (at text)"));
  onTestFinished(() => world.run(() => manager.close()));
  const insert = database.prepare("insert into sale values ('now')");
  const minute = async () => {
    for (let n = 0; n < WRITES_PER_MINUTE; n++) {
      await insert.run();
      await env.clock.sleep(60_000 / WRITES_PER_MINUTE);
    }
    await manager.checkpoint();
  };
  return {
    manager,
    run: (what) => world.run(what),
    async hour() {
      let most = 0;
      for (let n = 0; n < MINUTES; n++) {
        await world.run(minute);
        const { newest, oldest } = manager.diagnostics().changes;
        most = Math.max(most, newest - oldest + 1);
      }
      return most;
    },
  };
}

async function first(manager: Manager, cursor: string): Promise<Change> {
  for await (const change of manager.changes({ cursor })) return change;
  throw new Error("it ended");
}

/** Reads and acknowledges until it is told to leave. */
function follow(manager: Manager, cursor: string) {
  const leaving = new AbortController();
  const sequences: number[] = [];
  const reading = (async () => {
    for await (const change of manager.changes({ cursor, signal: leaving.signal })) {
      sequences.push(change.sequence);
      await change.ack();
    }
  })().catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error;
  });
  const leave = async () => {
    leaving.abort();
    await reading;
  };
  return { sequences, leave };
}

// evidence: G13
describe("a reader that stops for an hour of writes", () => {
  test("does not make the change log grow without bound, and is told that it lost its place", async () => {
    const { manager, run, hour } = await lifeOf(100);
    await run(async () => (await first(manager, "stopped")).ack());
    const steady = follow(manager, "steady");
    expect(await hour()).toBeLessThanOrEqual(110);
    await run(steady.leave);
    const { changes } = manager.diagnostics();
    expect(changes).toMatchObject({ evictions: 1, cursors: 2 });
    expect(changes.removedRecords).toBe(changes.oldest - 1);
    await expect(run(() => first(manager, "stopped"))).rejects.toMatchObject({
      code: "BOP_CURSOR_EVICTED",
      details: { acknowledged: 1, oldestKept: changes.oldest },
    });
    // The one that kept up has heard of everything.
    const { sequences } = steady;
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    expect(sequences.length).toBeGreaterThan(250);
  });

  test("finds its place again if there is room for what it has not acknowledged", async () => {
    const { manager, run, hour } = await lifeOf(100_000);
    await run(async () => (await first(manager, "stopped")).ack());
    const steady = follow(manager, "steady");
    expect(await hour()).toBeGreaterThan(250);
    await run(steady.leave);
    const { newest } = manager.diagnostics().changes;
    const heard: number[] = [];
    await run(async () => {
      for await (const { sequence } of manager.changes({ cursor: "stopped" })) {
        heard.push(sequence);
        if (sequence >= newest) break;
      }
    });
    expect(heard).toEqual(Array.from({ length: newest - 1 }, (_, index) => index + 2));
  });

  test("costs nothing while nobody reads: commits add no change but those of checkpoints", async () => {
    const { manager, run, hour } = await lifeOf(100_000);
    await run(async () => (await first(manager, "stopped")).ack());
    const before = manager.diagnostics().changes.newest;
    await hour();
    const { newest } = manager.diagnostics().changes;
    expect(newest - before).toBe(MINUTES);
  });
});
