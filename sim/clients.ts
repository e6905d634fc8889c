/**
 * THE WORK OF A LIFE: clients that use databases side by side, an administrator who creates,
 * renames and drops them meanwhile, and somebody who asks for checkpoints.
 */
import { type Database, isStorageError, type Manager } from "../src/index.ts";
import type { DatabaseModel } from "./database-model.ts";
import { promise } from "./failure.ts";
import type { Life } from "./life.ts";
import { makeSchema, OPERATION_KINDS, OPERATIONS, type OperationKind } from "./operations.ts";
import { type Found, opsOf } from "./oracle.ts";

const NAMES = ["ada", "ben", "cleo", "dan", "eve", "finn"] as const;
const ADMINISTRATION_PAUSE_MS = 15;
const CHECKPOINT_PAUSE_MS = 30;

export interface Job {
  readonly life: Life;
  readonly manager: Manager;
}

/** Resolves when everybody is done. `found` is what the store held when it was opened. */
export async function work(job: Job, found: readonly Found[]): Promise<void> {
  const { options, catalogue } = job.life.simulation;
  for (const each of found) await complete(job, each);
  while (catalogue.current.size < options.databases) {
    const name = freeName(job);
    if (name === undefined || !(await create(job, name))) break;
  }
  const people = Array.from({ length: options.clients }, () => client(job));
  people.push(administrator(job), checkpointer(job));
  await Promise.all(people);
  const { spilledCommits } = job.manager.diagnostics().pages;
  job.life.simulation.tally.add("spilled commits", spilledCommits);
}

/** A database that a crash has cut off between its creation and its tables gets them now. */
async function complete({ life }: Job, { database, model }: Found): Promise<void> {
  if (!model.hasSchema) await makeSchema(life.place(database, model));
}

async function client(job: Job): Promise<void> {
  const { life, manager } = job;
  const { options, random, tally } = life.simulation;
  const handles = new Map<DatabaseModel, Database>();
  for (let n = 0; n < options.operations; n++) {
    const chosen = usable(job);
    if (chosen !== undefined) {
      const { name, model } = chosen;
      await life.attempt(async () => {
        if (!handles.has(model))
          handles.set(model, await manager.database(name, { create: false }));
      });
      const database = handles.get(model);
      const kind = drawKind(job);
      tally.add(`operations: ${kind}`);
      if (database !== undefined) await OPERATIONS[kind](life.place(database, model));
    }
    if (options.thinkMs > 0) await life.env.clock.sleep(random.below(options.thinkMs));
  }
  if (life.simulation.faulty) await readsOn(job, handles);
}

/** Whoever lost a commit when the log failed still reads what is durable. */
async function readsOn(
  { life, manager }: Job,
  handles: ReadonlyMap<DatabaseModel, Database>,
): Promise<void> {
  if (manager.diagnostics().state !== "read-only") return;
  for (const [model, database] of handles) {
    const refused = await opsOf(database).then(
      () => undefined,
      (error: unknown) => error,
    );
    life.assertAlive();
    const isUnknown = isStorageError(refused, "BOP_OUTCOME_UNKNOWN");
    promise(!isUnknown, () => `${model.label} is not read any more: ${refused}`);
    life.simulation.tally.add("reads of a store that failed");
  }
}

async function administrator(job: Job): Promise<void> {
  const { life } = job;
  const { random, tally, options } = life.simulation;
  for (let n = random.below(options.administration + 1); n > 0; n--) {
    const kind = random.pick(ADMINISTRATION_KINDS);
    tally.add(`operations: ${kind}`);
    const acts = [ADMINISTRATION[kind](job)];
    if (random.chance(0.5)) acts.push(ADMINISTRATION.list(job));
    await Promise.all(acts);
    await life.env.clock.sleep(random.below(ADMINISTRATION_PAUSE_MS));
  }
}

async function checkpointer({ life, manager }: Job): Promise<void> {
  const { random, tally, options } = life.simulation;
  for (let n = random.below(options.checkpoints + 1); n > 0; n--) {
    await life.env.clock.sleep(random.below(CHECKPOINT_PAUSE_MS));
    await life.attempt(() => manager.checkpoint());
    tally.add("operations: checkpoint");
  }
}

/** False if it was refused. */
async function create(job: Job, name: string): Promise<boolean> {
  const { life, manager } = job;
  const { catalogue, options } = life.simulation;
  const submitted = catalogue.create(name);
  const { pageBytes } = options;
  const database = await life.settle(
    submitted,
    () => catalogue.acknowledge(submitted),
    () => manager.database(name, { pageBytes }),
  );
  if (database === undefined) return false;
  await makeSchema(life.place(database, submitted.database));
  return true;
}

async function createAny(job: Job): Promise<void> {
  const name = freeName(job);
  if (name !== undefined) await create(job, name);
}

async function rename(job: Job): Promise<void> {
  const { life, manager } = job;
  const { catalogue } = life.simulation;
  const [chosen, name] = [usable(job), freeName(job)];
  if (chosen === undefined || name === undefined) return;
  const submitted = catalogue.rename(chosen.model, name);
  await life.settle(
    submitted,
    () => catalogue.acknowledge(submitted),
    () => manager.rename(chosen.name, name),
  );
}

async function drop(job: Job): Promise<void> {
  const { life, manager } = job;
  const { catalogue } = life.simulation;
  const chosen = usable(job);
  if (chosen === undefined) return;
  const submitted = catalogue.drop(chosen.model);
  await life.settle(
    submitted,
    () => catalogue.acknowledge(submitted),
    () => manager.drop(chosen.name),
  );
}

async function list({ life, manager }: Job): Promise<void> {
  const { catalogue } = life.simulation;
  const { owed } = catalogue;
  await life.attempt(async () => {
    const names = (await manager.list()).map(({ name }) => name);
    life.assertAlive();
    catalogue.show(names, owed);
  });
}

const ADMINISTRATION = { create: createAny, rename, drop, list } as const;
const ADMINISTRATION_KINDS = ["create", "rename", "drop", "list"] as const;

/** A database that has its tables, by the name that it has now. */
function usable({ life }: Job): { name: string; model: DatabaseModel } | undefined {
  const { catalogue, random } = life.simulation;
  const all = [...catalogue.current].filter(([, model]) => model.hasSchema);
  const chosen = all.length === 0 ? undefined : random.pick(all);
  return chosen === undefined ? undefined : { name: chosen[0], model: chosen[1] };
}

function freeName({ life }: Job): string | undefined {
  const { catalogue, random } = life.simulation;
  const taken = catalogue.current;
  const free = NAMES.filter((name) => !taken.has(name));
  return free.length === 0 ? undefined : random.pick(free);
}

function drawKind({ life }: Job): OperationKind {
  const { options, random } = life.simulation;
  const { weights } = options;
  const total = OPERATION_KINDS.reduce((sum, kind) => sum + weights[kind], 0);
  let drawn = random.below(total);
  for (const kind of OPERATION_KINDS) {
    drawn -= weights[kind];
    if (drawn < 0) return kind;
  }
  return "insert";
}
