/** ONE LIFE of a store of families: what is open in it, and who may be chosen. */
import type { Database, DatabaseSnapshot, Manager } from "../../src/index.ts";
import type { DatabaseModel } from "../database-model.ts";
import type { Life } from "../life.ts";
import type { Kept, MomentRecord } from "./record.ts";

const NAMES_MAX = 7;

export interface OpenIterator {
  readonly rows: AsyncIterableIterator<number>;
  readonly model: DatabaseModel;
  /** What was acknowledged when it began. */
  readonly before: number;
  readonly ids: number[];
}

export interface Scene {
  readonly life: Life;
  readonly manager: Manager;
  readonly record: MomentRecord;
  readonly moments: { readonly moment: DatabaseSnapshot; readonly model: DatabaseModel }[];
  readonly iterators: OpenIterator[];
  /** Databases whose catalogue entry is being changed just now, and names that were. */
  readonly changing: Set<DatabaseModel | string>;
}

export interface Chosen {
  readonly name: string;
  readonly model: DatabaseModel;
  readonly database: Database;
}

/** A database of which it is known what it holds, and that nobody is about to rename or drop. */
export async function choose(scene: Scene): Promise<Chosen | undefined> {
  const { life, manager, record, changing } = scene;
  const { catalogue, random } = life.simulation;
  const all = [...catalogue.current].filter(
    ([name, model]) =>
      model.hasSchema && !record.begun.has(model) && !changing.has(model) && !changing.has(name),
  );
  if (all.length === 0) return undefined;
  const [name, model] = random.pick(all);
  return { name, model, database: await manager.database(name, { create: false }) };
}

/** A name that nobody has, or had since it was last quiet; undefined if there are enough. */
export function freeName({ life, changing }: Scene): string | undefined {
  const { catalogue, random } = life.simulation;
  const { current } = catalogue;
  if (current.size >= NAMES_MAX) return undefined;
  const free: string[] = [];
  for (let n = 0; n < 2 * NAMES_MAX; n++) {
    const name = `tenant-${n}`;
    if (!current.has(name) && !changing.has(name)) free.push(name);
  }
  if (free.length === 0) return undefined;
  const name = random.pick(free);
  changing.add(name);
  return name;
}

/** A snapshot that shows the database, of which it is known what it holds. */
export function momentOf(
  { life, record }: Scene,
  model: DatabaseModel,
): { readonly kept: Kept; readonly moment: DatabaseModel } | undefined {
  const readable = record.kept.flatMap((kept) => {
    const { owner, isSettled, mayBeGone, moments } = kept;
    const moment = moments.get(model);
    const isFit = isSettled && !mayBeGone && (owner === undefined || owner === model);
    return isFit && moment !== undefined ? [{ kept, moment }] : [];
  });
  return readable.length === 0 ? undefined : life.simulation.random.pick(readable);
}
