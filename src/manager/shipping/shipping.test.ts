/** Stores that ship to a simulated bucket: whole, lost, fenced, and while the bucket is away. */
import { beforeEach, describe, expect, test } from "vitest";
import { decodeObjectHeader } from "../../flush/index.ts";
import { openBucket, restoreStore } from "../../restore/index.ts";
import {
  ForwardingStore,
  type ObjectStore,
  type PutOptions,
  SimulatedStore,
  type StoreCall,
  simulatedService,
} from "../../sink/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Database } from "../api/database.ts";
import { Manager } from "../manager.ts";
import type { ManagerOptions } from "../options.ts";
import { Machines } from "./machines.fixture.ts";

type Rest = Omit<ManagerOptions, "directory" | "env" | "openKeyValueStore">;

const BODIES = "select body from note order by id";
const SEGMENT_BYTES = 256 * 1024;

/** Machines that ship to their bucket. */
class ShippingMachines extends Machines {
  open(disk: string, options: Rest = {}): Promise<Manager> {
    const place = this.disk(disk);
    return Manager.open({
      ...place,
      sink: this.sink(place.env),
      segmentBytes: SEGMENT_BYTES,
      inlineFlushMs: 0,
      flushIntervalMs: 100,
      ...options,
    });
  }

  withoutSink(disk: string, options: Rest): Promise<Manager> {
    return Manager.open({ ...this.disk(disk), segmentBytes: SEGMENT_BYTES, ...options });
  }

  async restore(disk: string): Promise<void> {
    const place = this.disk(disk);
    const { env } = place;
    const { bucket, objects, close } = await openBucket(this.sink(env), { env });
    await restoreStore({ ...place, segmentBytes: SEGMENT_BYTES, bucket, objects });
    await close();
  }

  sink(env = this.world.start()) {
    return this.bucket(env, 40);
  }
}

/** A bucket that takes every put: the last one counts. */
class OverwritingStore extends ForwardingStore {
  override async putIfAbsent(key: string, body: Uint8Array, options: PutOptions) {
    await this.put(key, body, options);
    return { type: "created" } as const;
  }

  protected override around<T>(_call: StoreCall, send: () => Promise<T>): Promise<T> {
    return send();
  }
}

/** A bucket that has put the first whole state of a process, and answers nothing more. */
class SilentStore extends ForwardingStore {
  readonly #hasPut: () => void;

  constructor(beneath: ObjectStore, hasPut: () => void) {
    super(beneath);
    this.#hasPut = hasPut;
  }

  protected override async around<T>(call: StoreCall, send: () => Promise<T>): Promise<T> {
    const { key, body } = call;
    const answer = await send();
    const found = key.startsWith("manifest/") && body ? decodeObjectHeader(body) : undefined;
    if (found?.type !== "header" || found.header.kind !== "batch") return answer;
    this.#hasPut();
    return new Promise(() => undefined);
  }
}

async function notesOf(manager: Manager): Promise<Database> {
  const notes = await manager.database("notes");
  await notes.exec("create table if not exists note (id integer primary key, body text)");
  return notes;
}

const bodiesIn = async (manager: Manager) =>
  (await manager.database("notes")).prepare(BODIES).pluck<string>().all();

const insert = (into: Database, body: string) =>
  into.prepare("insert into note (body) values (?)").run(body);

beforeEach(() => prepareEngines("sqlite", 4));

describe("a machine that is lost", () => {
  test("goes on in its bucket though that has a state and no log, as of a store that got its sink late", async () => {
    const machines = new ShippingMachines(31);
    const { world } = machines;
    await world.run(async () => {
      const alone = await machines.withoutSink("first", {});
      await insert(await notesOf(alone), "before there was a sink");
      await alone.close();
    });
    world.kill();
    await world.run(async () => {
      const manager = await machines.open("first");
      await manager.durable(manager.diagnostics().log.durableLsn, { level: "remote" });
      await manager.close();
    });
    world.kill();
    await world.run(async () => {
      await machines.restore("second");
      const manager = await machines.open("second");
      await insert(await manager.database("notes"), "afterwards");
      expect(await bodiesIn(manager)).toEqual(["before there was a sink", "afterwards"]);
      await manager.durable(manager.diagnostics().log.durableLsn, { level: "remote" });
      await manager.close();
    });
  });

  // evidence: G34
  test("takes no commit with it that was acknowledged as remote, whenever it goes", async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const machines = new ShippingMachines(seed);
      const { world } = machines;
      const told: string[] = [];
      const live = async () => {
        const manager = await machines.open("first", { durability: "remote" });
        const notes = await notesOf(manager);
        for (let n = 0; ; n++) {
          await Promise.all(
            ["a", "b"].map(async (who) => {
              await insert(notes, `${who}${n}`);
              told.push(`${who}${n}`);
            }),
          );
          if (n % 7 === 6) await manager.checkpoint();
        }
      };
      let failure: unknown;
      live().catch((error: unknown) => {
        failure = error;
      });
      await world.run(async () => {
        const { clock } = world.start();
        while (told.length < seed * 9 && failure === undefined) await clock.sleep(7);
      });
      expect(failure).toBeUndefined();
      world.kill();
      const acknowledged = [...told];
      await world.run(async () => {
        await machines.restore("second");
        const manager = await machines.open("second");
        expect(await bodiesIn(manager)).toEqual(expect.arrayContaining(acknowledged));
        await insert(await notesOf(manager), "and on");
        await manager.close();
      });
    }
  });
});

describe("a restored store", () => {
  // evidence: G36
  test("whose first state is in the bucket goes on, though it died before it could note that", async () => {
    for (const isAhead of [false, true]) {
      const machines = new ShippingMachines(32);
      const { world } = machines;
      const bodies = ["one"];
      await world.run(async () => {
        const first = await machines.open("first");
        await insert(await notesOf(first), "one");
        await first.close();
        await machines.restore("second");
      });
      world.kill();
      const process = world.start();
      let hasPut = false;
      const sink = new SilentStore(machines.sink(process), () => {
        hasPut = true;
      });
      await world.run(async () => {
        const second = await machines.open("second", { sink });
        while (!hasPut) await process.clock.sleep(5);
        machines.service.faults.state.down = true;
        if (!isAhead) return;
        await insert(await second.database("notes"), "not shipped");
        bodies.push("not shipped");
      });
      world.kill();
      machines.service.faults.state.down = false;
      await world.run(async () => {
        const second = await machines.open("second");
        expect(second.diagnostics().sink).toMatchObject({ state: "shipping" });
        expect(await bodiesIn(second)).toEqual(bodies);
        await second.close();
        await machines.restore("third");
        const third = await machines.open("third");
        expect(await bodiesIn(third)).toEqual(bodies);
        await third.close();
      });
    }
  });
});

describe("a store", () => {
  /** In a world of its own. */
  const alone = (seed: number, work: (machines: ShippingMachines) => Promise<void>) => () => {
    const machines = new ShippingMachines(seed);
    return machines.world.run(() => work(machines));
  };

  test(
    "ships while it is open and at its end, and is found whole at the next opening",
    alone(3, async (machines) => {
      for (const body of ["one", "two"]) {
        const manager = await machines.open("first");
        await insert(await notesOf(manager), body);
        await manager.close();
      }
      const manager = await machines.open("first", { durability: "remote" });
      expect(await bodiesIn(manager)).toEqual(["one", "two"]);
      expect(manager.diagnostics().sink).toMatchObject({ state: "shipping", epoch: 3 });
      await manager.close();
      expect(manager.diagnostics().sink).toMatchObject({ state: "closed", unshippedBytes: 0 });
    }),
  );

  test(
    "is not made in a directory whose bucket has one, and nothing is left there",
    alone(4, async (machines) => {
      const manager = await machines.open("first");
      await insert(await notesOf(manager), "one");
      await manager.close();
      await expect(machines.open("second")).rejects.toMatchObject({ code: "BOP_SINK_AHEAD" });
      expect(await machines.world.start().storage.stat("/second")).toBeUndefined();
    }),
  );

  test(
    "is not made without an answer of its bucket, but opened without one and catches up",
    alone(6, async (machines) => {
      const { state } = machines.service.faults;
      state.down = true;
      const unmade = machines.open("first");
      await expect(unmade).rejects.toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
      state.down = false;
      const before = await machines.open("first");
      await insert(await notesOf(before), "one");
      await before.close();
      state.down = true;
      const manager = await machines.open("first", { sinkTimeoutMs: 200 });
      const { lsn } = await insert(await notesOf(manager), "two");
      let isRemote = false;
      const remote = manager.durable(lsn, { level: "remote" }).then(() => {
        isRemote = true;
      });
      await machines.world.start().clock.sleep(60_000);
      expect(isRemote).toBe(false);
      expect(manager.diagnostics().sink?.unshippedBytes).toBeGreaterThan(0);
      state.down = false;
      await remote;
      expect(manager.diagnostics().sink?.state).toBe("shipping");
      await manager.close();
    }),
  );

  test(
    "that is opened without its sink keeps for it what is new, and ships it later",
    alone(8, async (machines) => {
      const small = { checkpointLogBytes: 64 * 1024, historyMs: 0 };
      const first = await machines.open("first");
      await notesOf(first);
      await first.close();
      const without = await machines.withoutSink("first", small);
      const notes = await notesOf(without);
      for (let n = 0; n < 40; n++) await insert(notes, "x".repeat(20_000));
      await without.checkpoint();
      const { marks, durableLsn, inflight } = without.diagnostics().log;
      expect(inflight.length).toBeGreaterThan(2);
      expect(marks.archivedLsn).toBeLessThan(durableLsn);
      await without.close();
      const again = await machines.open("first", small);
      await again.durable(again.diagnostics().log.durableLsn, { level: "remote" });
      await again.close();
    }),
  );

  test(
    "that is the single writer ships to a bucket without create-if-absent, and nothing there is overwritten",
    alone(10, async (machines) => {
      const sink = () => new OverwritingStore(machines.sink());
      await expect(machines.open("first", { sink: sink() })).rejects.toMatchObject({
        code: "BOP_SINK_UNFIT",
        details: { failed: ["create-if-absent"] },
      });
      const bodies = ["one", "two", "three"];
      for (const body of bodies) {
        const manager = await machines.open("first", { sink: sink(), singleWriter: true });
        await insert(await notesOf(manager), body);
        await manager.checkpoint();
        await insert(await notesOf(manager), `${body} more`);
        await manager.close();
      }
      await machines.restore("second");
      const manager = await machines.open("second", { sink: sink(), singleWriter: true });
      const all = bodies.flatMap((body) => [body, `${body} more`]);
      expect(await bodiesIn(manager)).toEqual(all);
      expect(manager.diagnostics().sink).toMatchObject({ state: "shipping", epoch: 4 });
      await manager.close();
    }),
  );

  test(
    "that has let go of chunks does not go to another bucket, and has them when it is back",
    alone(11, async (machines) => {
      const first = await machines.open("first");
      await insert(await notesOf(first), "one");
      await first.checkpoint();
      await first.close();
      const { storage, clock } = machines.world.start();
      for (const folder of await storage.list("/first/chunks")) {
        for (const name of await storage.list(`/first/chunks/${folder}`)) {
          await storage.unlink(`/first/chunks/${folder}/${name}`);
        }
      }
      const other = new SimulatedStore({ service: simulatedService(12), clock });
      const foreign = machines.open("first", { sink: other });
      await expect(foreign).rejects.toMatchObject({ code: "BOP_SINK_FOREIGN" });
      const again = await machines.open("first");
      expect(await bodiesIn(again)).toEqual(["one"]);
      await insert(await notesOf(again), "two");
      await again.checkpoint();
      await again.close();
      await machines.restore("second");
      const second = await machines.open("second");
      expect(await bodiesIn(second)).toEqual(["one", "two"]);
      await second.close();
    }),
  );

  // evidence: G35
  test(
    "whose bucket another took over says so, acknowledges nothing as remote, and keeps all",
    alone(9, async (machines) => {
      const old = await machines.open("first", { durability: "remote" });
      const notes = await notesOf(old);
      await insert(notes, "shared");
      await machines.restore("second");
      const next = await machines.open("second", { durability: "remote" });
      await insert(await notesOf(next), "theirs");
      await next.close();
      await expect(insert(notes, "ours")).rejects.toMatchObject({
        code: "BOP_FENCED",
        details: { epoch: 1, byEpoch: 2, unshippedBytes: expect.any(Number) },
      });
      await expect(insert(notes, "more")).rejects.toMatchObject({ code: "BOP_FENCED" });
      expect(old.diagnostics()).toMatchObject({ state: "read-only", sink: { state: "fenced" } });
      await old.close();
      await expect(machines.open("first")).rejects.toMatchObject({ code: "BOP_DIVERGED" });
      const alone = await machines.open("first", { sink: "none" });
      expect(await bodiesIn(alone)).toEqual(["shared", "ours"]);
      await alone.close();
    }),
  );
});
