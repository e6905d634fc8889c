/**
 * WHAT HAPPENS TO FAMILIES while their databases are written to: several of these at a time.
 *
 * (1) Changes of the catalogue happen in the order of their calls. A fork of the past, and an import,
 *     come into being when they are published: while one of them is made, the catalogue is left alone
 *     by everybody else.
 * (2) A fork of a moment of the past is refused only if the store says that its history begins later,
 *     or if it cannot tell since its manifest has failed.
 */
import { type Database, isStorageError } from "../../src/index.ts";
import type { DatabaseModel } from "../database-model.ts";
import { promise } from "../failure.ts";
import { ChangeOfMind, OPERATION_KINDS, OPERATIONS } from "../operations.ts";
import { verifyMoment } from "../oracle.ts";
import type { Kept, Mark } from "./record.ts";
import { type Chosen, choose, freeName, momentOf, type Scene } from "./scene.ts";

type Act = (scene: Scene) => Promise<void>;

/** They change the catalogue at the instant at which they are called. */
export const QUICK = {
  fork: async (scene) => {
    const [chosen, name] = [await choose(scene), freeName(scene)];
    if (chosen === undefined || name === undefined) return;
    const { life } = scene;
    const { random } = life.simulation;
    const { database, model } = chosen;
    const along = random.chance(0.4) ? [OPERATIONS.insert(life.place(database, model))] : [];
    await Promise.all([begin(scene, chosen, name), ...along]);
  },

  forkOfMoment: async (scene) => {
    const [chosen, name] = [await choose(scene), freeName(scene)];
    if (chosen === undefined || name === undefined) return;
    const found = momentOf(scene, chosen.model);
    if (found === undefined) return;
    const at = { snapshot: found.kept.name };
    await made(scene, {
      name,
      source: found.moment,
      make: () => chosen.database.fork(name, { at }),
    });
  },

  drop: async (scene) => {
    const { life, manager, changing } = scene;
    const { catalogue } = life.simulation;
    const chosen = await choose(scene);
    if (chosen === undefined || changing.has(chosen.model)) return;
    changing.add(chosen.model).add(chosen.name);
    const submitted = catalogue.drop(chosen.model);
    await life.settle(
      submitted,
      () => catalogue.acknowledge(submitted),
      () => manager.drop(chosen.name),
    );
  },

  rename: async (scene) => {
    const { life, manager, changing } = scene;
    const { catalogue } = life.simulation;
    const chosen = await choose(scene);
    if (chosen === undefined || changing.has(chosen.model)) return;
    const to = freeName(scene);
    if (to === undefined) return;
    changing.add(chosen.model).add(chosen.name);
    const submitted = catalogue.rename(chosen.model, to);
    await life.settle(
      submitted,
      () => catalogue.acknowledge(submitted),
      () => manager.rename(chosen.name, to),
    );
  },
} as const satisfies Record<string, Act>;

/** See (1). */
export const SLOW = {
  forkOfLsn: (scene) => forkOfPast(scene, ({ lsn }) => ({ lsn })),

  forkOfTime: (scene) => forkOfPast(scene, ({ wallMs }) => new Date(wallMs)),

  exportAndImport: async (scene) => {
    const { manager, record } = scene;
    const [chosen, name] = [await choose(scene), freeName(scene)];
    if (chosen === undefined || name === undefined) return;
    const found = momentOf(scene, chosen.model);
    if (found === undefined) return;
    const file = `/${record.nextName()}.sqlite`;
    const moment = await chosen.database.openSnapshot(found.kept.name);
    try {
      await moment.export(file);
    } finally {
      await moment.close();
    }
    await made(scene, { name, source: found.moment, make: () => manager.import(file, name) });
  },
} as const satisfies Record<string, Act>;

export const NEUTRAL = {
  snapshot: async (scene) => {
    const chosen = await choose(scene);
    if (chosen === undefined) return;
    const { model, database } = chosen;
    const moments = new Map([[model, model.branch(`a moment of ${model.label}`)]]);
    await keep(scene, { owner: model, moments }, (name) => database.snapshot(name));
  },

  snapshotOfAll: async (scene) => {
    const { catalogue } = scene.life.simulation;
    const models = [...catalogue.current].flatMap(([name, model]) => {
      const { record, changing } = scene;
      const isNew = record.begun.has(model) || changing.has(name);
      return isNew || changing.has(model) ? [] : [model];
    });
    const branchOf = (model: DatabaseModel) => model.branch(`a moment of all, ${model.label}`);
    const moments = new Map(models.map((model) => [model, branchOf(model)]));
    await keep(scene, { owner: undefined, moments }, (name) => scene.manager.snapshot(name));
  },

  dropSnapshot: async (scene) => {
    const { life, manager, record, changing } = scene;
    const { random, catalogue } = life.simulation;
    const all = record.kept.filter(({ isSettled, mayBeGone, owner }) => {
      return isSettled && !mayBeGone && (owner === undefined || !changing.has(owner));
    });
    if (all.length === 0) return;
    const kept = random.pick(all);
    const owned = [...catalogue.current].find(([, model]) => model === kept.owner);
    const from = owned === undefined ? manager : await manager.database(owned[0]);
    kept.mayBeGone = true;
    await from.dropSnapshot(kept.name);
    life.assertAlive();
    record.forget(kept);
  },

  checkpoint: ({ manager }) => manager.checkpoint(),

  collect: async ({ life, manager }) => {
    await manager.collect({ dryRun: life.simulation.random.chance(0.3) });
  },

  open: async (scene) => {
    const chosen = await choose(scene);
    const found = chosen && momentOf(scene, chosen.model);
    if (chosen === undefined || found === undefined) return;
    const moment = await chosen.database.openSnapshot(found.kept.name);
    scene.moments.push({ moment, model: found.moment });
  },

  /** Moments that were opened a while ago, and rows that were asked for a while ago. */
  read: async ({ life, moments, iterators }) => {
    const { random } = life.simulation;
    const opened = moments[random.below(moments.length || 1)];
    if (opened !== undefined) {
      const isLast = random.chance(0.3);
      if (isLast) moments.splice(moments.indexOf(opened), 1);
      await verifyMoment(opened.moment, opened.model);
      if (isLast) await opened.moment.close();
    }
    const [iterator] = iterators.splice(random.below(iterators.length || 1), 1);
    if (iterator === undefined) return;
    for (let n = 1 + random.below(6); n > 0; n--) {
      const { done, value } = await iterator.rows.next();
      life.assertAlive();
      if (done) return iterator.model.show(iterator.ids, iterator.before);
      iterator.ids.push(value);
      iterator.model.reveal(value);
    }
    iterators.push(iterator);
  },

  iterate: async (scene) => {
    const chosen = await choose(scene);
    if (chosen === undefined) return;
    const { model, database } = chosen;
    const before = model.acknowledgedCount;
    const rows = database.prepare("select id from op order by seq").pluck<number>().iterate();
    scene.iterators.push({ rows, model, before, ids: [] });
  },

  write: async (scene) => {
    const { life } = scene;
    const { random, options } = life.simulation;
    const kinds = OPERATION_KINDS.filter((kind) => options.weights[kind] > 0);
    for (let n = 1 + random.below(6); n > 0; n--) {
      const chosen = await choose(scene);
      if (chosen === undefined) return;
      const kind = random.pick(kinds.length > 0 ? kinds : OPERATION_KINDS);
      await OPERATIONS[kind](life.place(chosen.database, chosen.model));
    }
  },
} as const satisfies Record<string, Act>;

export type QuickAct = keyof typeof QUICK;
export type SlowAct = keyof typeof SLOW;
export type NeutralAct = keyof typeof NEUTRAL;

/** A fork of now: what it holds is found when it is quiet. */
async function begin({ life, record }: Scene, origin: Chosen, name: string): Promise<void> {
  const { catalogue } = life.simulation;
  const { model, database } = origin;
  const submitted = catalogue.fork(name, model);
  const { database: fork } = submitted;
  record.begun.set(fork, { model: fork, origin: model });
  await life.settle(
    submitted,
    () => catalogue.acknowledge(submitted),
    () => database.fork(name),
  );
  if (submitted.outcome === "refused") record.begun.delete(fork);
}

interface Making {
  readonly name: string;
  /** What it holds, as long as it lives. */
  readonly source: DatabaseModel;
  readonly make: () => Promise<unknown>;
}

async function made({ life }: Scene, { name, source, make }: Making): Promise<void> {
  const { catalogue } = life.simulation;
  const submitted = catalogue.create(name, source);
  await life.settle(submitted, () => catalogue.acknowledge(submitted), make);
}

async function forkOfPast(
  scene: Scene,
  momentOfMark: (mark: Mark) => Date | { readonly lsn: number },
): Promise<void> {
  const [chosen, name] = [await choose(scene), freeName(scene)];
  if (chosen === undefined || name === undefined) return;
  const { simulation } = scene.life;
  const marks = scene.record.marks.filter(({ held }) => held.has(chosen.model));
  if (marks.length === 0) return;
  const mark = simulation.random.pick(marks);
  const source = chosen.model.asOf(mark.held.get(chosen.model) ?? [], "the past");
  const make = () => orGone(scene, mark, chosen.database.fork(name, { at: momentOfMark(mark) }));
  await made(scene, { name, source, make });
}

/** See (2). */
async function orGone(
  { life, manager }: Scene,
  { lsn, wallMs }: Mark,
  fork: Promise<Database>,
): Promise<Database> {
  const { tally } = life.simulation;
  try {
    const made = await fork;
    tally.add("forks of the past");
    return made;
  } catch (error) {
    life.assertAlive();
    if (!isStorageError(error, "BOP_SNAPSHOT_GONE")) throw error;
    const { fromLsn, fromTime } = manager.diagnostics().log.history;
    const isBefore = fromLsn >= lsn || fromTime.getTime() > wallMs;
    const mayBe = life.simulation.faulty || isBefore;
    promise(mayBe, `${error.message}; the history begins at ${fromLsn}, ${lsn} is wanted`);
    tally.add("forks of what is gone");
    throw new ChangeOfMind(error.message);
  }
}

async function keep(
  { life, record }: Scene,
  what: Pick<Kept, "owner" | "moments">,
  take: (name: string) => Promise<unknown>,
): Promise<void> {
  const name = record.nextName();
  const begun = { ...what, name, mayBeGone: false, isSettled: false };
  const submitted: Kept = { ...begun, outcome: "pending" };
  record.kept.push(submitted);
  await life.settle(
    submitted,
    () => {
      submitted.outcome = "acknowledged";
    },
    () => take(name),
  );
}
