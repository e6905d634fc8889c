/**
 * IMPORT: a SQLite file, made by an export of the store itself, is imported while crashes happen.
 * Afterwards the database is there wholly or not at all, its name is free if it is not, and nothing
 * of an import that was cut off is left in the store.
 */
import type { Manager } from "../../src/index.ts";
import type { DatabaseModel } from "../database-model.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { makeSchema, OPERATIONS } from "../operations.ts";
import { type Found, verify } from "../oracle.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";
import { lastLives } from "./crash.ts";

const SOURCE = "source";
const TARGET = "target";
const FILE = "/source.sqlite";
const TRIES_MAX = 8;
const CHECKPOINT_MS = 2000;

export async function importing(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation(options);
  const source = await prepare(simulation);
  for (let n = 1 + simulation.random.below(TRIES_MAX); n > 0; n--) {
    await importOnce(simulation, source);
  }
  await lastLives(simulation);
}

/** A store with one database, and the same as a file beside it. */
async function prepare(simulation: Simulation): Promise<DatabaseModel> {
  const { catalogue, options, random } = simulation;
  const submitted = catalogue.create(SOURCE);
  const { database: model } = submitted;
  await simulation.live(async (life) => {
    const manager = await life.open();
    const database = await manager.database(SOURCE, { pageBytes: options.pageBytes });
    catalogue.acknowledge(submitted);
    const place = life.place(database, model);
    await makeSchema(place);
    for (let n = random.below(12); n > 0; n--) {
      await OPERATIONS[random.pick(["insert", "transfer", "big", "remove"] as const)](place);
    }
    await database.export(FILE);
    await manager.close();
  });
  simulation.end("kill");
  return model;
}

async function importOnce(simulation: Simulation, source: DatabaseModel): Promise<void> {
  const { random, catalogue, options, tally } = simulation;
  const how = random.pick(["kill", "power"] as const);
  const survived = await simulation.live(async (life) => {
    const manager = await life.open();
    const found = await verify(life, manager);
    await assertNothingIsLeft(life, manager, found);
    if (catalogue.current.has(TARGET)) await dropTarget(life, manager);
    life.planCrash(1 + random.below(options.changesMax), how);
    const submitted = catalogue.create(TARGET, source);
    await life.settle(
      submitted,
      () => catalogue.acknowledge(submitted),
      () => manager.import(FILE, TARGET),
    );
    promise(submitted.outcome === "acknowledged", "an import was refused");
    tally.add("imports done");
    if (random.chance(0.5)) await manager.close();
  });
  if (survived) simulation.end(how);
  else tally.add("imports cut off");
}

async function dropTarget(life: Life, manager: Manager): Promise<void> {
  const { catalogue } = life.simulation;
  const model = catalogue.current.get(TARGET);
  if (model === undefined) return;
  const submitted = catalogue.drop(model);
  await life.settle(
    submitted,
    () => catalogue.acknowledge(submitted),
    () => manager.drop(TARGET),
  );
}

/** Nobody sees half an import, and what was left of one is gone from the catalogue. */
async function assertNothingIsLeft(
  { env }: Life,
  manager: Manager,
  found: readonly Found[],
): Promise<void> {
  const { known } = manager.diagnostics().databases;
  promise(known === found.length, () => `${known} databases are known, ${found.length} listed`);
  // A checkpoint may be at work already, if there was much to replay.
  let unfinished = await env.storage.list(`${STORE}/tmp`);
  if (unfinished.length > 0) {
    await env.clock.sleep(CHECKPOINT_MS);
    unfinished = await env.storage.list(`${STORE}/tmp`);
  }
  promise(unfinished.length === 0, () => `left over: ${unfinished}`);
}
