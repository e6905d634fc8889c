/**
 * FAMILIES: databases, forks of now, of snapshots and of the past, snapshots of one and of all, while
 * clients write, checkpoints fold and collections let go, several at a time; and the store is cut off
 * at any change of its disk, on a disk that may fail. Each fork and snapshot shows one moment for as
 * long as it lives; and in the end nothing is left of what nobody can reach.
 *
 * (1) What happens at a time is a burst; between two bursts it is quiet, and everything that is there
 *     is held against what is known of it.
 */
import type { Manager } from "../../src/index.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import { verifyStore } from "../../src/manager/index.ts";
import { promise } from "../failure.ts";
import { NEUTRAL, QUICK, SLOW } from "../families/acts.ts";
import { calm, settleAfterCrash, settleSnapshots } from "../families/calm.ts";
import { MomentRecord } from "../families/record.ts";
import { freeName, type Scene } from "../families/scene.ts";
import type { Life } from "../life.ts";
import { makeSchema } from "../operations.ts";
import { verify } from "../oracle.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";
import { verifyFiles } from "./crash.ts";
import { harm, heal, openDespite } from "./faults.ts";

const BURSTS_MAX = 7;
const ACTS_MAX = 5;
const DATABASES_MIN = 2;
const FAULTY_SHARE = 0.35;
const HEALING_MS = 300;
const CHECKPOINTS_TO_NOTHING = 4;

type Named = readonly [name: string, act: (scene: Scene) => Promise<void>];
const QUICK_ACTS: readonly Named[] = Object.entries(QUICK);
const SLOW_ACTS: readonly Named[] = Object.entries(SLOW);
const NEUTRAL_ACTS: readonly Named[] = Object.entries(NEUTRAL);

export async function families(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: withHistory });
  simulation.faulty = simulation.random.chance(FAULTY_SHARE);
  const record = new MomentRecord();
  simulation.echoed = (echo) => lookAt(echo, record);
  for (let n = 0; n < simulation.options.lives; n++) await livedByFamilies(simulation, record);
  if (simulation.faulty) {
    await simulation.live(async (life) => {
      await openDespite(life); // A failure of the manifest may still be due.
    });
    simulation.end("kill");
  }
  await lastOfFamilies(simulation, record);
}

export function withHistory(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  return {
    ...drawn,
    lives: 1 + random.below(4),
    changesMax: random.pick([30, 100, 300, 600]),
    compression: random.pick(["none", "deflate"]),
    historyMs: random.pick([0, 20, 200, 3_600_000]),
    historyBytes: random.pick([0, 256 * 1024, 1024 * 1024, 512 * 1024 * 1024]),
  };
}

/** Cut off in one of its bursts, in silence, or closed. What came before is settled first. */
export async function livedByFamilies(simulation: Simulation, record: MomentRecord): Promise<void> {
  const { random, options, tally, faulty } = simulation;
  const how = random.pick(["kill", "power"] as const);
  const survived = await simulation.live(async (life) => {
    if (faulty && random.chance(0.2)) harm(simulation);
    const manager = faulty ? await openDespite(life) : await life.open();
    heal(simulation);
    if (manager === undefined) return;
    record.reopened(manager.diagnostics().log.newestLsn);
    const scene = sceneOf(life, { manager, record });
    await settleAfterCrash(scene, await verify(life, manager));
    if (!faulty || random.chance(0.5)) life.planCrash(1 + random.below(options.changesMax), how);
    await bursts(scene);
    if (random.chance(0.3)) await manager.close();
  });
  heal(simulation);
  if (survived) simulation.end(how);
  else tally.add(`crashes: ${how} at a change`);
}

/** What a crash could have left as well; nobody goes on with it. */
function lookAt(echo: Simulation, of: MomentRecord): (life: Life) => Promise<void> {
  const record = of.echo((model) => echo.catalogue.echoOf(model, echo.copies));
  return async (life) => {
    const manager = await life.open();
    const scene = sceneOf(life, { manager, record });
    await settleAfterCrash(scene, await verify(life, manager));
  };
}

async function bursts(scene: Scene): Promise<void> {
  const { life, manager } = scene;
  const { simulation } = life;
  for (let n = 1 + simulation.random.below(BURSTS_MAX); n > 0; n--) {
    await populate(scene);
    await burst(scene);
    if (manager.diagnostics().state !== "open") return;
    await calm(scene);
  }
}

/** Several things at a time; see (1). */
async function burst(scene: Scene): Promise<void> {
  const { life } = scene;
  const { simulation } = life;
  const { random, tally, trace, faulty } = simulation;
  const acts: Named[] = [NEUTRAL_ACTS.find(([name]) => name === "write") as Named];
  if (random.chance(0.35)) acts.push(random.pick(SLOW_ACTS));
  const others = acts.length === 1 ? [...QUICK_ACTS, ...NEUTRAL_ACTS] : NEUTRAL_ACTS;
  for (let n = 1 + random.below(ACTS_MAX); n > 0; n--) acts.push(random.pick(others));
  const healing: Promise<void>[] = [];
  if (faulty && random.chance(0.6)) {
    harm(simulation);
    healing.push(life.env.clock.sleep(random.below(HEALING_MS)).then(() => heal(simulation)));
  }
  const running = acts.map(async ([name, act]) => {
    if (random.chance(0.5)) await life.env.clock.sleep(random.below(6));
    tally.add(`operations: ${name}`);
    trace.note(name);
    await life.attempt(() => act(scene));
  });
  await Promise.all([...running, ...healing]);
}

/** There is always somebody to fork. */
async function populate(scene: Scene): Promise<void> {
  const { life, manager } = scene;
  const { catalogue, options } = life.simulation;
  while (catalogue.current.size < DATABASES_MIN) {
    const name = freeName(scene);
    if (name === undefined) return;
    const submitted = catalogue.create(name);
    const { pageBytes } = options;
    await life.settle(
      submitted,
      () => catalogue.acknowledge(submitted),
      () => manager.database(name, { pageBytes }),
    );
    if (submitted.outcome !== "acknowledged") return;
  }
  for (const [name, model] of catalogue.current) {
    if (model.hasSchema) continue;
    const database = await manager.database(name, { create: false });
    await makeSchema(life.place(database, model));
  }
}

/** All that is left is as it must be; and, of some seeds, then nothing is left. */
export async function lastOfFamilies(simulation: Simulation, record: MomentRecord): Promise<void> {
  await simulation.live(async (life) => {
    const manager = await life.open();
    const scene = sceneOf(life, { manager, record });
    const found = await verify(life, manager);
    await settleAfterCrash(scene, found);
    await manager.checkpoint();
    await manager.collect();
    await settleSnapshots(scene, found, { isEachVerified: true });
    await verifyFiles(life, manager);
    await manager.close();
    await verifySound(life);
    if (simulation.random.chance(0.5)) await endWithNothing(life, record);
  });
  simulation.end("kill");
}

/** Whoever verifies the files finds nothing, not even something that is merely left over. */
async function verifySound({ env, simulation }: Life): Promise<void> {
  const openKeyValueStore = simulation.stores.openerFor(env);
  const report = await verifyStore({ env, directory: STORE, openKeyValueStore });
  const findings = report.findings.filter(({ file }) => !file.startsWith("wal"));
  promise(report.isSound && findings.length === 0, () => JSON.stringify(report.findings));
}

/** Everything is dropped, in any order; then the store has no page of it any more. */
async function endWithNothing(life: Life, record: MomentRecord): Promise<void> {
  const { random } = life.simulation;
  const manager = await life.simulation.openManager(life.env);
  const names = (await manager.list()).map(({ name }) => name);
  for (const { name, owner } of record.kept) {
    if (owner === undefined) await manager.dropSnapshot(name);
  }
  while (names.length > 0) {
    const [name] = names.splice(random.below(names.length), 1);
    if (name !== undefined) await manager.drop(name);
    if (random.chance(0.2)) await manager.checkpoint();
  }
  for (let n = 0; n < CHECKPOINTS_TO_NOTHING; n++) await manager.checkpoint();
  await manager.collect();
  assertNothing(manager);
  await verifyFiles(life, manager);
  await manager.close();
}

function assertNothing(manager: Manager): void {
  const { manifest, pages } = manager.diagnostics();
  for (const table of ["databases", "mapRows", "snapshots", "chunks", "forks"]) {
    const rows = manifest.rows[table] ?? 0;
    promise(rows === 0, () => `${rows} rows of ${table} are left of nothing`);
  }
  promise(pages.chunks === 0, () => `${pages.chunks} chunks are left of nothing`);
}

function sceneOf(life: Life, of: { manager: Manager; record: MomentRecord }): Scene {
  return { life, ...of, moments: [], iterators: [], changing: new Set() };
}
