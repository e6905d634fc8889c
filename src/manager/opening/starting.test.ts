/** Stores that start in an empty directory from what their sink holds. */
import { beforeEach, describe, expect, test } from "vitest";
import { bucketKey, parseKey } from "../../sink/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Manager } from "../manager.ts";
import { countIn, filled, INSERT, type OnCall, ROW_BYTES, Starting } from "./starting.fixture.ts";

/** A chunk that is smaller is fetched as a whole, with what it has of others. */
const FETCHED_WHOLE_BYTES = 1024 * 1024;
/** Whatever is longer is part of a state. */
const FENCE_BYTES_MAX = 400;

const alone = (seed: number, work: (machines: Starting) => Promise<void>) => () => {
  const machines = new Starting(seed);
  return machines.world.run(() => work(machines));
};

function residencyOf(manager: Manager) {
  const { residency } = manager.diagnostics();
  if (residency === undefined) throw new Error("a store with a sink has one");
  return residency;
}

beforeEach(() => prepareEngines("sqlite", 4));

describe("a store that starts from its sink", () => {
  test(
    "has every commit that was acknowledged, and goes on in the bucket",
    alone(1, async (machines) => {
      const first = await machines.open("first", { durability: "remote" });
      await filled(first, "one", 80_000);
      await first.checkpoint();
      const one = await first.database("one");
      await one.prepare(INSERT).run("in the log only");
      const before = await countIn(first, "one");
      await first.close();
      const second = await machines.open("second", { durability: "remote" });
      expect(await countIn(second, "one")).toBe(before);
      expect(second.diagnostics().residency?.startedFrom?.objects).toBeGreaterThan(2);
      await (await second.database("one")).prepare(INSERT).run("goes on");
      await second.close();
      const third = await machines.open("third");
      expect(await countIn(third, "one")).toBe((before ?? 0) + 1);
      await third.close();
    }),
  );

  test(
    "is a new one where the sink holds none, and opens as any other where it has one",
    alone(2, async (machines) => {
      const first = await machines.open("first");
      expect(first.diagnostics().residency).toMatchObject({ startedFrom: undefined });
      await filled(first, "one", 1000);
      await first.close();
      const again = await machines.open("first");
      expect(again.diagnostics().residency).toMatchObject({ startedFrom: undefined });
      expect(await countIn(again, "one")).toBe(1);
      await again.close();
    }),
  );

  test(
    "takes up one that never committed anything",
    alone(3, async (machines) => {
      const first = await machines.open("first");
      await first.close();
      const second = await machines.open("second");
      expect(await second.list()).toEqual([]);
      await filled(second, "one", 1000);
      await second.close();
      const third = await machines.open("third");
      expect(await countIn(third, "one")).toBe(1);
      await third.close();
    }),
  );

  // evidence: G41
  test("reads no more objects for a large store than for a small one, and then only what is asked for", async () => {
    const costs: { readonly objects: number; readonly bytes: number }[] = [];
    for (const size of [24_000, 1_600_000]) {
      const machines = new Starting(4);
      await machines.world.run(async () => {
        const first = await machines.open("first");
        for (const name of ["one", "two", "three"]) await filled(first, name, size);
        await first.checkpoint();
        await first.close();
        const second = await machines.open("second", { cacheBytes: 2 ** 20 });
        const { startedFrom, fetchedBytes } = residencyOf(second);
        expect(fetchedBytes).toBe(0);
        expect(await countIn(second, "two")).toBe(size / ROW_BYTES);
        const read = residencyOf(second);
        expect(read.fetchedBytes).toBeGreaterThan(0);
        expect(read.fetchedBytes).toBeLessThan(1.2 * size + FETCHED_WHOLE_BYTES);
        costs.push({ objects: startedFrom?.objects ?? 0, bytes: startedFrom?.bytes ?? 0 });
        await second.close();
      });
    }
    const [small, large] = costs;
    // How often log and states were shipped is a matter of time.
    expect(large?.objects).toBeLessThan((small?.objects ?? 0) + 4);
    expect(large?.bytes).toBeLessThan((small?.bytes ?? 0) + 20_000);
  });

  // evidence: G41
  test(
    "takes the bucket from a writer that goes on meanwhile, with all that it had acknowledged",
    alone(5, async (machines) => {
      const old = await machines.open("first", { durability: "remote" });
      const one = await filled(old, "one", 20_000);
      const told: string[] = [];
      const writing = (async () => {
        for (let n = 0; ; n += 1) {
          await one.prepare(INSERT).run(`late ${n}`);
          told.push(`late ${n}`);
          if (n % 5 === 4) await old.checkpoint();
        }
      })().catch((error: unknown) => error);
      await machines.world.start().clock.sleep(400);
      const second = await machines.open("second");
      expect(await writing).toMatchObject({ code: "BOP_FENCED" });
      const two = await second.database("one");
      const bodies = await two.prepare("select body from t").pluck<string>().all();
      expect(told.length).toBeGreaterThan(3);
      expect(bodies).toEqual(expect.arrayContaining(told));
      await old.close();
      await second.close();
    }),
  );

  test(
    "that is cut off at any step begins again, and is no store before",
    alone(6, async (machines) => {
      const first = await machines.open("first");
      await filled(first, "one", 48_000);
      await first.close();
      for (const failing of [1, 3, 6, 10, 15, 22]) {
        const disk = `cut-${failing}`;
        let calls = 0;
        machines.service.faults.state.down = false;
        const cut = machines.open(disk, { sinkTimeoutMs: 0 }, () => {
          calls += 1;
          if (calls >= failing) machines.service.faults.state.down = true;
          return undefined;
        });
        const outcome = await cut.catch((error: unknown) => error);
        machines.service.faults.state.down = false;
        if (!(outcome instanceof Error)) await (outcome as Manager).close();
        else {
          expect(outcome).toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
          const unmarked = await machines.isStore(disk);
          expect(unmarked).toBe(false);
        }
        const again = await machines.open(disk);
        expect(await countIn(again, "one")).toBe(6);
        await again.close();
      }
    }),
  );
});

describe("a machine that is lost behind a window that was given up, before a state is there", () => {
  const bodiesIn = async (manager: Manager) =>
    (await manager.database("one"))
      .prepare("select body from t where length(body) < 20 order by id")
      .pluck<string>()
      .all();

  /** What puts a part of a state is not answered. */
  const holdStates: OnCall = ({ key, body }) => {
    const isState = parseKey(key)?.kind === "manifest" && (body?.length ?? 0) > FENCE_BYTES_MAX;
    return isState ? new Promise<never>(() => {}) : undefined;
  };

  /** What it told as remote lies before the window; behind it lies log that no state leads to. */
  async function lostBehindWindow(machines: Starting): Promise<void> {
    const { world, service } = machines;
    let isHeld = false;
    const holdsStates: OnCall = (call) => (isHeld ? holdStates(call) : undefined);
    await world.run(async () => {
      const { clock } = world.start();
      const first = await machines.open("first", {}, holdsStates);
      const one = await filled(first, "one", 24_000);
      await first.checkpoint();
      const { lsn } = await one.prepare(INSERT).run("told");
      await first.durable(lsn, { level: "remote" });
      service.faults.state.denied = true;
      await one.prepare(INSERT).run("lost");
      while (first.deadLetters().length === 0) await clock.sleep(100);
      isHeld = true;
      service.faults.state.denied = false;
      await first.discardDeadLetter(first.deadLetters()[0]?.id ?? 0);
      await clock.sleep(1000);
      for (let n = 0; n < 20; n += 1) await one.prepare(INSERT).run(`behind ${n}`);
      await clock.sleep(5000);
      const behind = bucketKey({ kind: "wal", epoch: 2, number: 0 });
      expect(service.bucket.find(behind, Number.MAX_SAFE_INTEGER)).toBeDefined();
    });
    world.kill();
  }

  // evidence: G34, G41
  test("is taken up with all that was acknowledged as remote, and goes on in the bucket", async () => {
    const machines = new Starting(8);
    const { world } = machines;
    await lostBehindWindow(machines);
    await world.run(async () => {
      const second = await machines.open("second", { durability: "remote" });
      expect(await bodiesIn(second)).toEqual(["told"]);
      await (await second.database("one")).prepare(INSERT).run("goes on");
    });
    world.kill();
    await world.run(async () => {
      const third = await machines.open("third", { durability: "remote" });
      expect(await bodiesIn(third)).toEqual(["told", "goes on"]);
      await third.close();
      expect(await machines.verify("third", { withSink: true })).toMatchObject({ isSound: true });
      await expect(machines.open("first")).rejects.toMatchObject({ code: "BOP_SINK_AHEAD" });
    });
  });

  // evidence: G34
  test("is taken up once more if the next one is lost as well before a state of its own", async () => {
    const machines = new Starting(9);
    const { world } = machines;
    await lostBehindWindow(machines);
    for (const disk of ["second", "third"]) {
      await world.run(async () => {
        const { clock } = world.start();
        const next = await machines.open(disk, {}, holdStates);
        expect(await bodiesIn(next)).toEqual(["told"]);
        await (await next.database("one")).prepare(INSERT).run(`of the ${disk}`);
        await clock.sleep(5000);
      });
      world.kill();
      const report = await world.run(() => machines.verify(disk, { withSink: true }));
      expect(report).toMatchObject({ isSound: true }); // A checkpoint that was killed leaves a file, and a note.
    }
    await world.run(async () => {
      const last = await machines.open("last", { durability: "remote" });
      expect(await bodiesIn(last)).toEqual(["told"]);
      await (await last.database("one")).prepare(INSERT).run("goes on");
      await last.close();
    });
  });
});

describe("a store some chunks of which are only in its sink", () => {
  test(
    "says so when it is opened without, verifies with it and without",
    alone(7, async (machines) => {
      const first = await machines.open("first");
      await filled(first, "one", 100_000);
      await first.close();
      const second = await machines.open("second");
      await second.close();
      const alone = await machines.withoutSink("second");
      const reading = countIn(alone, "one");
      await expect(reading).rejects.toMatchObject({
        code: "BOP_SINK_UNAVAILABLE",
        message: expect.stringMatching(/open the store with that sink/),
      });
      await alone.close();
      const blind = await machines.verify("second", { withSink: false });
      expect(blind).toMatchObject({ isSound: true, checked: { chunks: 0, pages: 0 } });
      expect(blind.checked.remoteChunks).toBeGreaterThan(0);
      const seeing = await machines.verify("second", { withSink: true });
      expect(seeing.isSound).toBe(true);
      expect(seeing.checked.chunks).toBe(blind.checked.remoteChunks);
      expect(seeing.checked.pages).toBeGreaterThan(5);
    }),
  );
});
