/**
 * FORKS: families of databases and snapshots of them come and go while the store is written to, folded,
 * collected, and cut off at any change of its disk. Every fork and every snapshot shows exactly the
 * moment that it began with, whoever else of its family is dropped, and in the end nothing is left of
 * what nobody can reach.
 *
 * (1) One thing happens at a time, so what a moment holds is known: all that was acknowledged.
 * (2) A snapshot whose making a crash has cut off is there or not; if it is, it is of its moment. Names
 *     of snapshots are used once in a run.
 */
import type { DatabaseSnapshot, Manager } from "../../src/index.ts";
import type { DatabaseModel } from "../database-model.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { makeSchema, OPERATIONS } from "../operations.ts";
import { type Found, verify, verifyMoment } from "../oracle.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import { verifyFiles } from "./crash.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"] as const;
const STEPS_MAX = 40;
const WRITES = ["insert", "transfer", "big", "rewrite", "remove", "savepoint", "vacuum"] as const;
const ACTS = [
  ...["write", "write", "write", "write", "fork", "fork", "forkOfMoment", "snapshot"],
  ...["snapshotOfAll", "dropSnapshot", "drop", "rename", "checkpoint", "collect", "read", "open"],
] as const;
type Act = (typeof ACTS)[number];

/** A snapshot, and what it must show of whom. */
interface Kept {
  readonly name: string;
  /** Undefined: of the store. */
  readonly owner: DatabaseModel | undefined;
  readonly moments: ReadonlyMap<DatabaseModel, DatabaseModel>;
  outcome: "pending" | "acknowledged" | "refused" | "unknown";
  isDropping: boolean;
}

interface Scene {
  readonly life: Life;
  readonly manager: Manager;
  readonly kept: Kept[];
  readonly open: { readonly moment: DatabaseSnapshot; readonly model: DatabaseModel }[];
}

export async function forks(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation(options);
  const kept: Kept[] = [];
  for (let n = 0; n < simulation.options.lives; n++) await interruptedLife(simulation, kept);
  await lastLife(simulation, kept);
}

async function interruptedLife(simulation: Simulation, kept: Kept[]): Promise<void> {
  const { random, options, tally } = simulation;
  const how = random.pick(["kill", "power"] as const);
  const survived = await simulation.live(async (life) => {
    const manager = await life.open();
    const scene: Scene = { life, manager, kept, open: [] };
    await resolve(scene, await verify(life, manager));
    life.planCrash(1 + random.below(options.changesMax), how);
    for (let n = random.below(STEPS_MAX); n > 0; n--) await step(scene);
    if (random.chance(0.3)) await manager.close();
  });
  if (survived) simulation.end(how);
  else tally.add(`crashes: ${how} at a change`);
}

/** All that is left is as it must be; and then nothing is left. */
async function lastLife(simulation: Simulation, kept: Kept[]): Promise<void> {
  await simulation.live(async (life) => {
    const manager = await life.open();
    const scene: Scene = { life, manager, kept, open: [] };
    const found = await verify(life, manager);
    await resolve(scene, found);
    await manager.checkpoint();
    await manager.collect();
    await resolve(scene, found);
    await verifyFiles(life, manager);
    for (const each of [...kept]) {
      if (each.owner === undefined) await manager.dropSnapshot(each.name);
    }
    for (const { database } of found) await manager.drop(database.name);
    for (let n = 0; n < 2; n++) await manager.checkpoint();
    await manager.collect();
    const { manifest, pages } = manager.diagnostics();
    for (const table of ["databases", "mapRows", "snapshots", "chunks", "forks"]) {
      const rows = manifest.rows[table] ?? 0;
      promise(rows === 0, () => `${rows} rows of ${table} are left of nothing`);
    }
    promise(pages.chunks === 0, () => `${pages.chunks} chunks are left of nothing`);
    await verifyFiles(life, manager);
    await manager.close();
  });
  simulation.end("kill");
}

/** Which snapshots are there is as it must be, and each shows its moment. */
async function resolve({ life, manager, kept }: Scene, found: readonly Found[]): Promise<void> {
  const owners = new Set<DatabaseModel | undefined>([undefined]);
  for (const { model } of found) owners.add(model);
  const stale = kept.filter(({ owner }) => !owners.has(owner));
  for (const each of stale) kept.splice(kept.indexOf(each), 1);
  const there = new Set((await manager.snapshots()).map(({ name }) => name));
  for (const { database } of found) {
    for (const { name } of await database.snapshots()) there.add(name);
  }
  for (const each of [...kept]) {
    const isThere = there.delete(each.name);
    const isOwed = each.outcome === "acknowledged" && !each.isDropping;
    promise(isThere || !isOwed, `snapshot ${each.name} was acknowledged and is not there`);
    promise(!isThere || each.outcome !== "refused", `snapshot ${each.name} was refused, and is`);
    each.outcome = "acknowledged";
    each.isDropping = false;
    if (!isThere) kept.splice(kept.indexOf(each), 1);
  }
  promise(there.size === 0, () => `snapshots nobody asked for: ${[...there]}`);
  for (const { database, model } of found) {
    for (const { name, moments, owner } of kept) {
      const moment = moments.get(model);
      if (owner !== undefined && owner !== model) continue;
      if (moment === undefined) {
        const code = await database.openSnapshot(name).catch((error) => error.code);
        promise(code === "BOP_NOT_FOUND", `${model.label} is in ${name}, which is older`);
        continue;
      }
      const opened = await database.openSnapshot(name);
      await verifyMoment(opened, moment);
      await opened.close();
      life.simulation.tally.add("snapshots verified");
    }
  }
  life.assertAlive();
}

async function step(scene: Scene): Promise<void> {
  const { simulation } = scene.life;
  const act = simulation.random.pick(ACTS);
  const { current } = simulation.catalogue;
  const isFull = current.size === NAMES.length;
  if (current.size === 0 || (act === "fork" && current.size === 1)) {
    await create(scene);
  } else if (!isFull || (act !== "fork" && act !== "forkOfMoment")) {
    simulation.tally.add(`operations: ${act}`);
    simulation.trace.note(act);
    await ACTIONS[act](scene);
  }
}

const ACTIONS: Readonly<Record<Act, (scene: Scene) => Promise<void>>> = {
  write: async (scene) => {
    const { life } = scene;
    const { database, model } = await pick(scene);
    const place = life.place(database, model);
    if (model.hasSchema) await OPERATIONS[life.simulation.random.pick(WRITES)](place);
    else await makeSchema(place);
  },

  fork: async (scene) => {
    const { database, model } = await pick(scene);
    await begin(scene, model, (name) => database.fork(name));
  },

  forkOfMoment: async (scene) => {
    const { random } = scene.life.simulation;
    const { database, model } = await pick(scene);
    const readable = scene.kept.filter(({ owner }) => owner === undefined || owner === model);
    const chosen = readable[random.below(readable.length || 1)];
    const moment = chosen?.moments.get(model);
    if (chosen === undefined || moment === undefined) return;
    const at = { snapshot: chosen.name };
    await begin(scene, moment, (name) => database.fork(name, { at }));
  },

  snapshot: async (scene) => {
    const { database, model } = await pick(scene);
    const moments = new Map([[model, model.copy("a moment")]]);
    await keep(scene, { owner: model, moments }, (name) => database.snapshot(name));
  },

  snapshotOfAll: async (scene) => {
    const { catalogue } = scene.life.simulation;
    const models = [...catalogue.current.values()];
    const moments = new Map(models.map((model) => [model, model.copy("a moment")]));
    await keep(scene, { owner: undefined, moments }, (name) => scene.manager.snapshot(name));
  },

  dropSnapshot: async (scene) => {
    const { life, manager, kept } = scene;
    const { random, catalogue } = life.simulation;
    const chosen = kept[random.below(kept.length || 1)];
    if (chosen === undefined) return;
    const owned = [...catalogue.current].find(([, model]) => model === chosen.owner);
    const from = owned === undefined ? manager : await manager.database(owned[0]);
    chosen.isDropping = true;
    await from.dropSnapshot(chosen.name);
    life.assertAlive();
    kept.splice(kept.indexOf(chosen), 1);
  },

  drop: async (scene) => {
    const { life, manager, kept, open } = scene;
    const { name, model } = await pick(scene);
    const { catalogue } = life.simulation;
    const submitted = catalogue.drop(model);
    await life.settle(
      submitted,
      () => catalogue.acknowledge(submitted),
      () => manager.drop(name),
    );
    for (const each of kept.filter(({ owner }) => owner === model)) {
      kept.splice(kept.indexOf(each), 1);
    }
    for (const each of open.splice(0)) await each.moment.close();
  },

  rename: async (scene) => {
    const { life, manager } = scene;
    const { name, model } = await pick(scene);
    const to = freeName(scene);
    if (to === undefined) return;
    const { catalogue } = life.simulation;
    const submitted = catalogue.rename(model, to);
    await life.settle(
      submitted,
      () => catalogue.acknowledge(submitted),
      () => manager.rename(name, to),
    );
  },

  checkpoint: ({ life, manager }) => life.attempt(() => manager.checkpoint()),

  collect: async ({ life, manager }) => {
    const { random } = life.simulation;
    await life.attempt(() => manager.collect({ dryRun: random.chance(0.3) }));
  },

  /** Moments that were opened a while ago. */
  read: async ({ open, life }) => {
    for (const { moment, model } of open) await verifyMoment(moment, model);
    life.assertAlive();
    if (life.simulation.random.chance(0.3)) await open.pop()?.moment.close();
  },

  open: async (scene) => {
    const { database, model } = await pick(scene);
    const readable = scene.kept.filter(({ owner }) => owner === undefined || owner === model);
    const chosen = readable[scene.life.simulation.random.below(readable.length || 1)];
    const moment = chosen?.moments.get(model);
    if (chosen === undefined || moment === undefined) return;
    scene.open.push({ moment: await database.openSnapshot(chosen.name), model: moment });
  },
};

async function create(scene: Scene): Promise<void> {
  const { life, manager } = scene;
  const name = freeName(scene);
  if (name === undefined) return;
  const { catalogue, options } = life.simulation;
  const submitted = catalogue.create(name);
  const { pageBytes } = options;
  const database = await life.settle(
    submitted,
    () => catalogue.acknowledge(submitted),
    () => manager.database(name, { pageBytes }),
  );
  if (database !== undefined) await makeSchema(life.place(database, submitted.database));
}

/** A fork that begins as `source` is. */
async function begin(
  scene: Scene,
  source: DatabaseModel,
  fork: (name: string) => Promise<unknown>,
): Promise<void> {
  const { life } = scene;
  const name = freeName(scene);
  if (name === undefined) return;
  const { catalogue } = life.simulation;
  const submitted = catalogue.create(name, source);
  await life.settle(
    submitted,
    () => catalogue.acknowledge(submitted),
    () => fork(name),
  );
  promise(submitted.outcome === "acknowledged", "a fork was refused");
}

async function keep(
  { life, kept }: Scene,
  what: Pick<Kept, "owner" | "moments">,
  take: (name: string) => Promise<unknown>,
): Promise<void> {
  const name = `moment ${life.simulation.random.below(2 ** 40)}`;
  const submitted: Kept = { ...what, name, outcome: "pending", isDropping: false };
  kept.push(submitted);
  await life.settle(
    submitted,
    () => {
      submitted.outcome = "acknowledged";
    },
    () => take(name),
  );
}

async function pick({ life, manager }: Scene) {
  const { catalogue, random } = life.simulation;
  const [name, model] = random.pick([...catalogue.current]);
  return { name, model, database: await manager.database(name, { create: false }) };
}

function freeName({ life }: Scene): string | undefined {
  const { catalogue, random } = life.simulation;
  const free = NAMES.filter((name) => !catalogue.current.has(name));
  return free.length === 0 ? undefined : random.pick(free);
}
