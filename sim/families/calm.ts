/**
 * WHEN IT IS QUIET: nothing is under way, so everything that is there is looked at and held against
 * what is known of it. After a crash the same, of what was under way when it happened.
 */
import type { Database } from "../../src/index.ts";
import type { DatabaseModel } from "../database-model.ts";
import { promise } from "../failure.ts";
import { type Found, opsOf, verifyContent, verifyMoment } from "../oracle.ts";
import { assertOneMoment, type Kept, settleMoment } from "./record.ts";
import type { Scene } from "./scene.ts";

const MARK_MS = 2;

/** What nobody has changed since is not looked at again: a look at everything takes long. */
export async function calm(scene: Scene): Promise<void> {
  const { life, manager, record, changing } = scene;
  const { catalogue, random } = life.simulation;
  const { owed } = catalogue;
  changing.clear();
  const names = (await manager.list()).map(({ name }) => name);
  life.assertAlive();
  catalogue.show(names, owed);
  const found: Found[] = [];
  const held = new Map<DatabaseModel, readonly number[]>();
  for (const [name, model] of catalogue.current) {
    const database = await manager.database(name, { create: false });
    const before = model.acknowledgedCount;
    const ids = await opsOf(database);
    life.assertAlive();
    if (!record.begun.has(model)) model.show(ids, before);
    found.push({ database, model });
    held.set(model, ids);
  }
  await settleForks(scene, held);
  for (const { model } of found) model.calm();
  await settleSnapshots(scene, found, { isEachVerified: random.chance(0.1) });
  await markMoment(scene, held);
  assertHealthy(scene);
}

/** Forks that were begun since it was quiet last. */
async function settleForks(
  { life, record }: Scene,
  held: ReadonlyMap<DatabaseModel, readonly number[]>,
): Promise<void> {
  const { faulty, tally } = life.simulation;
  for (const { model, origin } of record.begun.values()) {
    const ids = held.get(model);
    if (ids === undefined) continue;
    settleMoment({ branch: model, ids, ofOrigin: held.get(origin), holes: faulty });
    tally.add("forks settled");
  }
  record.begun.clear();
}

/** After a crash: forks were settled by finding them. */
export async function settleAfterCrash(scene: Scene, found: readonly Found[]): Promise<void> {
  const { record } = scene;
  const present = new Map<DatabaseModel, readonly number[]>();
  for (const { database, model } of found) present.set(model, await opsOf(database));
  for (const { model, origin } of record.begun.values()) {
    const [ids, ofOrigin] = [present.get(model), present.get(origin)];
    if (ids === undefined || ofOrigin === undefined) continue;
    const isBeginning = ids.every((id, at) => id === ofOrigin[at]);
    promise(isBeginning, () => `${model.label} shows ${ids}, its origin has ${ofOrigin}`);
  }
  record.begun.clear();
  await settleSnapshots(scene, found, { isEachVerified: true });
}

/** Which snapshots are there is as it must be, and each shows its moment. */
export async function settleSnapshots(
  scene: Scene,
  found: readonly Found[],
  { isEachVerified }: { readonly isEachVerified: boolean },
): Promise<void> {
  const { life, manager, record } = scene;
  const owners = new Set<DatabaseModel | undefined>([undefined]);
  for (const { model } of found) owners.add(model);
  for (const kept of [...record.kept]) if (!owners.has(kept.owner)) record.forget(kept);
  const there = new Set((await manager.snapshots()).map(({ name }) => name));
  for (const { database } of found) {
    for (const { name } of await database.snapshots()) there.add(name);
  }
  life.assertAlive();
  for (const kept of [...record.kept]) {
    const isThere = there.delete(kept.name);
    const isOwed = kept.outcome === "acknowledged" && !kept.mayBeGone;
    promise(isThere || !isOwed, `snapshot ${kept.name} was acknowledged and is not there`);
    promise(!isThere || kept.outcome !== "refused", `snapshot ${kept.name} was refused, and is`);
    kept.outcome = "acknowledged";
    kept.mayBeGone = false;
    if (!isThere) record.forget(kept);
  }
  promise(there.size === 0, () => `snapshots nobody asked for: ${[...there]}`);
  for (const kept of record.kept) {
    if (isEachVerified || !kept.isSettled) await look(scene, kept, found);
  }
  life.assertAlive();
}

/** A snapshot of the databases that are left. */
async function look(scene: Scene, kept: Kept, found: readonly Found[]): Promise<void> {
  const { tally } = scene.life.simulation;
  const seen = new Map<DatabaseModel, readonly number[]>();
  for (const { database, model } of found) {
    if (kept.owner !== undefined && kept.owner !== model) continue;
    const branch = kept.moments.get(model);
    if (branch === undefined) {
      await assertUnseen(database, kept, model);
      continue;
    }
    const moment = await database.openSnapshot(kept.name);
    if (kept.isSettled) await verifyMoment(moment, branch);
    else seen.set(model, await settle(scene, { moment, branch, database }));
    await moment.close();
    tally.add("snapshots verified");
  }
  if (!kept.isSettled && kept.owner === undefined) assertOneMoment(seen);
  kept.isSettled = true;
}

interface FirstLook {
  readonly moment: Awaited<ReturnType<Database["openSnapshot"]>>;
  readonly branch: DatabaseModel;
  readonly database: Database;
}

async function settle(
  { life }: Scene,
  { moment, branch, database }: FirstLook,
): Promise<readonly number[]> {
  const ids = await opsOf(moment);
  const ofOrigin = await opsOf(database);
  life.assertAlive();
  settleMoment({ branch, ids, ofOrigin, holes: life.simulation.faulty });
  await verifyContent({ database: moment, model: branch });
  return ids;
}

/**
 * A database that was not there, or whose first transaction was not, when the store's snapshot was
 * taken: it is not in it, or it is empty. One that was just being made may be either.
 */
async function assertUnseen(database: Database, kept: Kept, model: DatabaseModel): Promise<void> {
  const opened = await database.openSnapshot(kept.name).catch((error) => error);
  if (opened instanceof Error) {
    const { code } = opened as { code?: string };
    promise(code === "BOP_NOT_FOUND", () => `${model.label} in ${kept.name}: ${opened.message}`);
    return;
  }
  await opened.close();
}

/** From now on it is known what was there at this instant. */
async function markMoment(
  { life, manager, record }: Scene,
  held: ReadonlyMap<DatabaseModel, readonly number[]>,
): Promise<void> {
  const { clock } = life.env;
  await clock.sleep(MARK_MS);
  const lsn = manager.diagnostics().log.newestLsn;
  const wallMs = clock.wallMs();
  record.mark({ lsn, wallMs, held: new Map(held) });
  await clock.sleep(MARK_MS);
}

/** A batch that the manifest has refused, or work that failed behind everybody's back, is a bug. */
function assertHealthy({ life, manager }: Scene): void {
  const { manifest, lastFault } = manager.diagnostics();
  promise(manifest.refused === 0, () => `the manifest has refused ${manifest.refused} batches`);
  if (life.simulation.faulty) return;
  promise(lastFault === undefined, () => `a fault: ${JSON.stringify(lastFault)}`);
}
