/** Retention: what the planner keeps, and a bucket from which garbage really goes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lsn } from "../../base/units.ts";
import type { RemoteChainRow, RemoteState } from "../../manifest/index.ts";
import { planRetention, type RetentionPolicy } from "./retention.ts";
import { ShippingWorld } from "./shipping-world.fixture.ts";

/** What a state leads to above its checkpoint. */
async function logBehindCheckpoint(place: ShippingWorld): Promise<void> {
  place.commit();
  await place.manifest.publish({ durableLsn: lsn(place.durableLsn) });
}

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const BLOCK = 4096;
const NOW_MS = 20_000 * DAY_MS + 5 * HOUR_MS;

/** What happens to a store that ships: a state, more log, a new base, a new epoch. */
type Act = "state" | "log" | "base" | "epoch";
interface Happened {
  readonly act: Act;
  readonly hours: number;
}

interface ModelState extends RemoteState {
  readonly chain: number;
}

interface ModelLog {
  readonly epoch: number;
  readonly number: number;
  readonly firstLsn: number;
  readonly endLsn: number;
  readonly wallMs: number;
  /** What a transaction spilled, and this part of the log names. */
  readonly spilled: ModelChunk | undefined;
}

/** A chunk lives from one generation to another. */
interface ModelChunk {
  readonly bornGeneration: number;
  readonly goneGeneration: number;
  /** Generations whose states name it. */
  readonly from: number;
}

interface Model {
  readonly chains: readonly RemoteChainRow[];
  readonly states: readonly ModelState[];
  readonly logs: readonly ModelLog[];
  readonly chunks: readonly ModelChunk[];
  readonly epochs: readonly {
    epoch: number;
    startLsn: ReturnType<typeof lsn>;
    claimedAtMs: number;
  }[];
  readonly ownEpoch: number;
  readonly nowMs: number;
}

/** Carries out what happened, as shipping does it. */
function modelOf(happened: readonly Happened[]): Model {
  const chains: RemoteChainRow[] = [];
  const states: ModelState[] = [];
  const logs: ModelLog[] = [];
  const chunks: ModelChunk[] = [];
  const epochs = [{ epoch: 1, startLsn: lsn(0), claimedAtMs: 0 }];
  let nowMs = NOW_MS - happened.reduce((sum, { hours }) => sum + hours, 0) * HOUR_MS;
  let [epoch, walNumber, manifestNumber, endLsn, generation] = [1, 0, 0, 0, 1];
  let needsBase = true;
  const log = (hasSpilled: boolean) => {
    const bornGeneration = states.at(-1)?.generation ?? 0;
    // It went with the checkpoint behind it, or with the one after that.
    const goneGeneration = generation + 1 + (walNumber % 2) * 3;
    const spilled = hasSpilled
      ? { bornGeneration, goneGeneration, from: goneGeneration }
      : undefined;
    if (spilled !== undefined) chunks.push(spilled);
    const number = walNumber++;
    const lsns = { firstLsn: endLsn, endLsn: endLsn + BLOCK };
    logs.push({ epoch, number, ...lsns, wallMs: nowMs, spilled });
    endLsn += BLOCK;
  };
  log(false);
  for (const { act, hours } of happened) {
    nowMs += hours * HOUR_MS;
    if (act === "log") log(true);
    if (act === "base") needsBase = true;
    if (act === "epoch") {
      epoch += 1;
      [walNumber, manifestNumber, needsBase] = [0, 0, true];
      epochs.push({ epoch, startLsn: lsn(endLsn), claimedAtMs: nowMs });
    }
    if (act !== "state") continue;
    const checkpointLsn = lsn(endLsn);
    log(false);
    const born = states.at(-1)?.generation ?? 0;
    generation += 3;
    chunks.push({
      bornGeneration: born,
      from: generation,
      goneGeneration: generation + 1 + (endLsn % 7),
    });
    const last = logs.at(-1) as ModelLog;
    const state: RemoteState = {
      generation,
      checkpointLsn,
      maxLsn: lsn(endLsn),
      wallMs: nowMs,
      walEpoch: last.epoch,
      walNumber: last.number,
      walLsn: lsn(endLsn),
    };
    if (needsBase) {
      const number = manifestNumber;
      manifestNumber += 2;
      const numbers = { number, wholeNumber: number + 1, lastNumber: number + 1 };
      chains.push({ epoch, ...numbers, bytes: 1, first: state, last: state });
      needsBase = false;
    } else {
      const chain = chains.pop() as RemoteChainRow;
      chains.push({ ...chain, lastNumber: manifestNumber++, last: state });
    }
    states.push({ ...state, chain: chains.length - 1 });
  }
  return { chains, states, logs, chunks, epochs, ownEpoch: epoch, nowMs };
}

/** Why a moment cannot be had from what is left; undefined if it can. */
function lacksMoment(model: Model, left: Left, atMs: number): string | undefined {
  const toLsn = Math.max(
    0,
    ...model.logs.filter((each) => each.wallMs <= atMs).map((each) => each.endLsn),
  );
  const state = model.states.findLast((each) => left.states.has(each) && each.maxLsn <= toLsn);
  return state === undefined
    ? `no state at or below ${toLsn}`
    : lacksState(model, left, { state, toLsn });
}

interface Left {
  readonly states: ReadonlySet<ModelState>;
  readonly logs: ReadonlySet<ModelLog>;
  readonly chunks: ReadonlySet<ModelChunk>;
}

function lacksState(
  model: Model,
  left: Left,
  { state, toLsn }: { readonly state: ModelState; readonly toLsn: number },
): string | undefined {
  const { generation, checkpointLsn } = state;
  const log = model.logs.find((each) => {
    return !left.logs.has(each) && each.endLsn > checkpointLsn && each.firstLsn < toLsn;
  });
  if (log !== undefined) return `log ${log.firstLsn} of state ${generation}`;
  const named = model.logs.find(({ spilled, ...each }) => {
    const isRead = each.endLsn > checkpointLsn && each.firstLsn < toLsn;
    return isRead && spilled !== undefined && !left.chunks.has(spilled);
  });
  if (named !== undefined) return `what log ${named.firstLsn} names`;
  const chunk = model.chunks.find((each) => {
    return !left.chunks.has(each) && each.from <= generation && generation < each.goneGeneration;
  });
  return chunk && `a chunk of state ${generation}`;
}

const policies = fc.record({
  keepForMs: fc.nat(30).map((hours) => hours * 4 * HOUR_MS),
  daily: fc.nat(4),
  weekly: fc.nat(3),
});
const happenings = fc.array(
  fc.record({
    act: fc.constantFrom<Act>("state", "state", "state", "log", "base", "epoch"),
    hours: fc.nat(15),
  }),
  { maxLength: 60 },
);

describe("a plan of retention", () => {
  // evidence: G33
  test("keeps every moment of the window, and every state whose object stays, restorable", () => {
    fc.assert(
      fc.property(happenings, policies, (happened, policy) => {
        const model = modelOf(happened);
        const plan = planRetention({ ...model, objectsMax: 1000 }, policy);
        const kept = new Set(plan.kept.map((chain) => model.chains.indexOf(chain)));
        const left: Left = {
          states: new Set(model.states.filter(({ chain }) => kept.has(chain))),
          logs: new Set(model.logs.filter((each) => plan.needsLog(each))),
          chunks: new Set(model.chunks.filter((each) => plan.needsChunk(each))),
        };
        for (const state of left.states) {
          expect(lacksState(model, left, { state, toLsn: state.maxLsn })).toBeUndefined();
          const number = model.chains[state.chain]?.number ?? 0;
          const epoch = model.chains[state.chain]?.epoch ?? 0;
          expect(plan.needsManifest({ epoch, number })).toBe(true);
        }
        const firstMs = model.states[0]?.wallMs ?? Number.POSITIVE_INFINITY;
        const fromMs = Math.max(firstMs, model.nowMs - policy.keepForMs);
        for (let atMs = fromMs; atMs <= model.nowMs; atMs += HOUR_MS) {
          expect(lacksMoment(model, left, atMs)).toBeUndefined();
        }
        expect(plan.kept.length + plan.dropped.length).toBe(model.chains.length);
      }),
      { numRuns: 150 },
    );
  });

  test("lets go of what is older, once its epoch is over and the next one has a state", () => {
    const day = { act: "state", hours: 24 } as const;
    const roll = { act: "epoch", hours: 0 } as const;
    const policy: RetentionPolicy = { keepForMs: 2 * DAY_MS, daily: 0, weekly: 0 };
    const rolled = modelOf([day, roll, day, roll, day, roll, day, roll, day]);
    const plan = planRetention({ ...rolled, objectsMax: 1000 }, policy);
    expect(plan.dropped.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(rolled.logs.map((each) => plan.needsLog(each))[0]).toBe(false);
    expect(plan.needsManifest({ epoch: 1, number: 0 })).toBe(false);
    const begun = modelOf([day, roll, day, roll, day, roll, day, day, roll]);
    expect(planRetention({ ...begun, objectsMax: 1000 }, policy).dropped).toEqual([]);
  });

  test("keeps one chain a day and a week beyond the window, with the log of its own states", () => {
    const happened = Array.from({ length: 40 }, () => [
      { act: "state", hours: 12 } as const,
      { act: "epoch", hours: 0 } as const,
      { act: "log", hours: 0 } as const,
    ]).flat();
    const model = modelOf([...happened, { act: "state", hours: 0 }]);
    const facts = { ...model, objectsMax: 1000 };
    const plan = planRetention(facts, { keepForMs: DAY_MS, daily: 4, weekly: 2 });
    const daysBack = (from: number, days: number) =>
      plan.kept.some(({ first, last }) => {
        const beginMs = Math.floor(model.nowMs / DAY_MS - from) * DAY_MS;
        return first.wallMs < beginMs + days * DAY_MS && last.wallMs >= beginMs;
      });
    expect([1, 2, 3].map((back) => daysBack(back, 1))).toEqual([true, true, true]);
    expect(daysBack(5, 1)).toBe(true); // The Sunday before; now is a Friday.
    expect(daysBack(19, 14)).toBe(false);
    expect(plan.dropped.length).toBeGreaterThan(30);
    const island = plan.kept[0] as RemoteChainRow;
    const behind = model.logs.find((each) => each.firstLsn >= island.last.maxLsn) as ModelLog;
    expect(plan.needsLog(behind)).toBe(false);
  });

  test("counts days and weeks back from where the window begins, not from today", () => {
    const happened = Array.from({ length: 50 }, () => [
      { act: "epoch", hours: 12 } as const,
      { act: "state", hours: 12 } as const,
    ]).flat();
    const model = modelOf(happened);
    const daysKept = (policy: RetentionPolicy) => {
      const plan = planRetention({ ...model, objectsMax: 1000 }, policy);
      const today = Math.floor(model.nowMs / DAY_MS);
      return plan.kept.map(({ last }) => today - Math.floor(last.wallMs / DAY_MS)).reverse();
    };
    const keepForMs = 7 * DAY_MS;
    const window = [0, 1, 2, 3, 4, 5, 6, 7]; // It began in the middle of the seventh day.
    expect(daysKept({ keepForMs, daily: 0, weekly: 0 })).toEqual(window);
    const days = [8, 9, 10, 11, 12, 13];
    expect(daysKept({ keepForMs, daily: 7, weekly: 0 })).toEqual([...window, ...days]);
    const sundays = [12, 19]; // Now is a Friday, and the window began on one.
    expect(daysKept({ keepForMs, daily: 0, weekly: 3 })).toEqual([...window, 8, ...sundays]);
  });
});

describe("garbage of a bucket", () => {
  // evidence: G33
  test("goes, and every moment of the window can be restored while it does", async () => {
    for (let seed = 0; seed < 2; seed++) {
      const retention = { keepForMs: 8 * HOUR_MS, daily: seed * 2, weekly: 0 };
      const place = new ShippingWorld(seed, { retention });
      const shipped: { atMs: number; lsn: number }[] = [];
      /** Of the first state there was. */
      let firstMs: number | undefined;
      let rolls = false;
      await place.world.run(() => place.open());
      place.service.faults.failSometimes(0.05, { except: ["missing"] });
      for (let step = 0; step < 50; step++) {
        await place.world.pass(place.random.below(40) * 60_000);
        rolls ||= step % 10 === 9;
        const work = place.world.run(async () => {
          if (place.random.below(4) === 0) place.spilled.push(await place.newChunk());
          if (rolls) await place.begin();
          rolls = false;
          await place.checkpoint();
          await place.shipper.round();
        });
        await work.catch(() => undefined); // The sink said no; the next step goes on.
        shipped.push({ atMs: place.env.clock.wallMs(), lsn: place.shippedLsn });
        if (step % 5 > 0) continue;
        const states = place.oracle.states();
        const lacking = states.flatMap(({ lacks }) => lacks ?? []);
        expect(lacking, `seed ${seed}, step ${step}`).toEqual([]);
        const sinceMs = place.env.clock.wallMs() - retention.keepForMs;
        firstMs ??= states[0]?.header.wallMs;
        if (firstMs === undefined) continue;
        for (const [at, { atMs, lsn: toLsn }] of shipped.entries()) {
          if (atMs < Math.max(sinceMs, firstMs) || at % 2 > 0) continue;
          const state = states.findLast(({ header }) => header.maxLsn <= toLsn);
          const lacks = state === undefined ? "no state" : place.oracle.lacks(state, toLsn);
          expect(lacks, `seed ${seed}, step ${step}, LSN ${toLsn}`).toBeUndefined();
        }
      }
      place.service.faults.heal();
      const epochs = new Set(place.oracle.states().map(({ header }) => header.epoch));
      expect(epochs.size).toBeLessThan(5);
      expect(place.shipper.stats.deleted).toBeGreaterThan(10);
      expect(place.oracle.keys().filter((key) => key.startsWith("chunks/")).length).toBeLessThan(
        90,
      );
    }
  });

  // evidence: G32, G33
  test.each([
    { title: "whose rows alone are left of its disk", isDiskLost: true },
    { title: "that its process died too early to note", isDiskLost: false },
  ])("is never the log of the newest state, $title", async ({ isDiskLost }) => {
    const place = new ShippingWorld(51, { retention: { keepForMs: 0, daily: 3, weekly: 0 } });
    await place.world.run(async () => {
      await place.open();
      for (let state = 0; state < 2; state++) {
        await place.checkpoint();
        await logBehindCheckpoint(place);
        await place.shipAll();
      }
    });
    const before = place.oracle.states().length;
    await place.world.run(async () => {
      await place.checkpoint();
      for (let object = 0; object < 4; object++) {
        await logBehindCheckpoint(place);
        await place.shipLog();
      }
      const round = place.shipper.round();
      if (isDiskLost) await round;
      else round.catch(() => undefined); // Its process dies.
      while (place.oracle.states().length === before) await place.env.clock.sleep(1);
    });
    const newest = place.oracle.states().at(-1);
    expect(newest?.lacks).toBeUndefined();
    place.crash();
    if (isDiskLost) await place.world.run(() => place.fromNewestState());
    await place.world.run(() => place.open());
    const [row] = place.manifest.opened.remoteChains;
    expect(row?.lastNumber).toBe((newest?.header.number ?? 0) - 1);
    for (let day = 0; day < 2; day++) {
      await place.world.run(async () => {
        await logBehindCheckpoint(place);
        await place.checkpoint();
        await place.shipAll();
        await place.begin();
      });
      await place.world.pass(DAY_MS);
    }
    await place.world.run(async () => {
      await place.checkpoint();
      await place.shipAll();
    });
    const states = place.oracle.states();
    expect(states.map(({ header }) => header.generation)).toContain(newest?.header.generation);
    expect(states.flatMap(({ lacks }) => lacks ?? [])).toEqual([]);
  });

  test("that the bucket refuses to delete stays, and shipping goes on", async () => {
    const retention = { keepForMs: 0, daily: 0, weekly: 0 };
    const place = new ShippingWorld(50, { retention });
    await place.world.run(() => place.open());
    place.service.faults.failNext({ fault: "error-before", operation: "delete", times: 100 });
    for (let step = 0; step < 6; step++) {
      await place.world.pass(HOUR_MS);
      await place.world.run(async () => {
        if (step === 3) await place.begin();
        await place.checkpoint();
        await place.shipAll();
      });
    }
    const { deleted, garbageFault } = place.shipper.stats;
    expect([deleted, garbageFault?.includes("InternalError")]).toEqual([0, true]);
    place.service.faults.heal();
    await place.world.run(async () => {
      await place.checkpoint();
      await place.shipAll();
    });
    expect(place.shipper.stats.deleted).toBeGreaterThan(0);
    expect(place.shipper.stats.garbageFault).toBeUndefined();
  });
});
