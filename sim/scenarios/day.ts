/**
 * A DAY of a store on a disk that is well: hundreds of databases, written to, loaded, forked, forked
 * again, kept, dropped and scanned, with the history of an hour, checkpoints by age, by log and by
 * memory, and a collection now and then. All the time what it takes of the disk and of memory stays
 * within what is documented, and everything is as it was written; at the end, when everything but the
 * databases is let go, it takes what they need.
 *
 *   shift ──► close or crash ──► shift ──► … ──► everybody goes home, an hour passes ──► the rest
 *
 * (1) Nights are quiet: then it is age that makes checkpoints.
 * (2) A shift ends when nothing is under way, so that a crash leaves no doubt.
 */
import { KIB, MIB } from "../../src/base/units.ts";
import { verifyStore } from "../../src/manager/index.ts";
import { create, family, snapshotOfAll, write } from "../day/acts.ts";
import { checkBetween, checkCollected } from "../day/bounds.ts";
import { scan } from "../day/scan.ts";
import { Books, type DayPlan, Shift } from "../day/shift.ts";
import { verifyItems } from "../day/tenants.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { verifyFiles } from "./crash.ts";

const HOUR_MS = 3_600_000;
const WRITERS = 3;
const NIGHT_ENDS_HOUR = 6;
const CHECK_MS = 20 * 60_000;
/** Between what is documented for a store that is written to, and the bound after a collection. */
const COLLECTED_SHARE = 0.4;
const SHIFT_HOURS_MAX = 9;
const AT_ONCE = 8;

const WHOLE: DayPlan = {
  hours: 24,
  night: 12,
  tenants: 200,
  tenantsMax: 320,
  snapshotsMax: 40,
  pauseMs: { write: 4000, family: 20_000, scan: 120_000 },
  loadRows: 8000,
};

const MORNING: DayPlan = {
  hours: 3,
  night: 1,
  tenants: 20,
  tenantsMax: 40,
  snapshotsMax: 12,
  pauseMs: { write: 60_000, family: 60_000, scan: 600_000 },
  loadRows: 3000,
};

/** Takes a minute or two. */
export const day = (options: SimulationOptions) => liveThrough(WHOLE, options);

/** A few hours of it, with fewer databases. */
export const morning = (options: SimulationOptions) => liveThrough(MORNING, options);

async function liveThrough(plan: DayPlan, options: SimulationOptions): Promise<void> {
  const lifeMsMax = 2 * plan.hours * HOUR_MS;
  const simulation = new Simulation({ ...options, lifeMsMax, adjust: ofADay });
  const books = new Books(plan);
  const { random, world } = simulation;
  const endMs = world.nowMs + plan.hours * HOUR_MS;
  while (world.nowMs < endMs) {
    const hours = plan.hours / 4 + random.below(SHIFT_HOURS_MAX);
    const untilMs = Math.min(endMs, world.nowMs + hours * HOUR_MS);
    await simulation.live((life) => work(life, books, untilMs));
    simulation.end(random.pick(["kill", "power"] as const));
  }
  await simulation.live((life) => goHome(life, books));
  simulation.end("kill");
}

function ofADay(drawn: SwarmOptions): SwarmOptions {
  return {
    ...drawn,
    engine: "sqlite",
    pageBytes: 4096,
    segmentBytes: MIB,
    checkpointLogBytes: 4 * MIB,
    overlayBytes: 4 * MIB,
    transactionMemoryBytes: 512 * KIB,
    maxConnections: 48,
    historyMs: HOUR_MS,
    historyBytes: 12 * MIB,
    checkpointAgeMs: HOUR_MS / 6,
  };
}

async function work(life: Life, books: Books, endMs: number): Promise<void> {
  const manager = await life.open();
  const shift = new Shift({ life, manager, books, endMs });
  await verifyAll(shift);
  while (books.tenants.length < books.plan.tenants) await create(shift);
  const { pauseMs } = books.plan;
  const writers = Array.from({ length: WRITERS }, () =>
    every(shift, pauseMs.write, { act: write }),
  );
  const others = every(shift, pauseMs.family, { act: family });
  const scans = every(shift, pauseMs.scan, { act: scan, isLong: true });
  await Promise.all([...writers, others, scans, watch(shift)]);
  life.simulation.tally.add("checkpoints", manager.diagnostics().pages.checkpoints);
  if (life.simulation.random.chance(0.5)) await manager.close();
}

/** See (1). A long act looks after itself whether it is alone. */
async function every(
  shift: Shift,
  pauseMs: number,
  { act, isLong = false }: { act: (shift: Shift) => Promise<void>; isLong?: boolean },
): Promise<void> {
  const { env, simulation } = shift.life;
  while (true) {
    const isNight = (shift.nowMs / HOUR_MS) % 24 < NIGHT_ENDS_HOUR;
    const slower = isNight ? shift.books.plan.night : 1;
    await env.clock.sleep(simulation.random.below(2 * pauseMs * slower));
    if (shift.isOver) return;
    if (isLong) await act(shift);
    else await shift.beside(() => act(shift));
  }
}

/** Holds the store against what it may take, now and then; and keeps a moment of all. */
async function watch(shift: Shift): Promise<void> {
  const { life, manager, books } = shift;
  const { random, tally } = life.simulation;
  while (!shift.isOver) {
    await life.env.clock.sleep(Math.min(CHECK_MS, Math.max(1, shift.endMs - shift.nowMs)));
    const bytes = manager.diagnostics().pages.lastCheckpoint?.bytes ?? 0;
    books.checkpointBytes = Math.max(books.checkpointBytes, bytes);
    await shift.alone(async () => {
      await (random.chance(COLLECTED_SHARE) ? checkCollected : checkBetween)(shift);
      if (random.chance(0.2) && books.kept.length < books.plan.snapshotsMax) {
        await snapshotOfAll(shift);
      }
    });
    tally.add("checks");
  }
}

/** What every database holds, and what every snapshot shows of it. */
async function verifyAll({ books, manager, life }: Shift): Promise<void> {
  const names = (await manager.list({ limit: 10_000 })).map(({ name }) => name);
  const wanted = books.tenants.map(({ name }) => name).sort();
  promise(names.sort().join() === wanted.join(), () => `${names} are there, want ${wanted}`);
  const all = [...books.tenants];
  const one = async (): Promise<void> => {
    for (let tenant = all.pop(); tenant !== undefined; tenant = all.pop()) {
      const database = await manager.database(tenant.name, { create: false });
      await verifyItems(tenant.name, database, tenant.items);
      for (const { name, moments } of books.kept) {
        const items = moments.get(tenant);
        if (items === undefined || life.simulation.random.chance(0.8)) continue;
        const moment = await database.openSnapshot(name);
        await verifyItems(`${tenant.name} in ${name}`, moment, items);
        await moment.close();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Snapshots go, the history passes; what is left takes what the databases need. */
async function goHome(life: Life, books: Books): Promise<void> {
  const manager = await life.open();
  const shift = new Shift({ life, manager, books, endMs: 0 });
  await verifyAll(shift);
  for (const { name, owner } of books.kept.splice(0)) {
    const from = owner === undefined ? manager : await manager.database(owner.name);
    await from.dropSnapshot(name);
  }
  await manager.checkpoint();
  await life.env.clock.sleep(1.1 * HOUR_MS);
  await manager.checkpoint();
  const { fileBytes, reachedBytes } = await checkCollected(shift);
  const listed = await manager.list({ limit: 10_000 });
  const neededBytes = listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { tally } = life.simulation;
  tally.add("KiB of databases in the end", Math.round(neededBytes / KIB));
  tally.add("KiB reached in the end", Math.round(reachedBytes / KIB));
  tally.add("KiB of chunks in the end", Math.round(fileBytes / KIB));
  promise(reachedBytes <= 1.1 * neededBytes, () => `${reachedBytes} of ${neededBytes} are reached`);
  await verifyAll(shift);
  await verifyFiles(life, manager);
  await manager.close();
  const openKeyValueStore = life.simulation.stores.openerFor(life.env);
  const report = await verifyStore({ env: life.env, directory: STORE, openKeyValueStore });
  const findings = report.findings.filter(({ file }) => !file.startsWith("wal"));
  promise(report.isSound && findings.length === 0, () => JSON.stringify(findings));
}
