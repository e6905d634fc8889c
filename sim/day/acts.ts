/**
 * WHAT HAPPENS IN A DAY, one act at a time of each who works: tenants write little and load much, are
 * forked, kept, dropped and looked at, and somebody tidies up.
 *
 * (1) A fork of a moment of the past is refused only if the store says that its history begins later.
 */
import { type Database, isStorageError } from "../../src/index.ts";
import { promise } from "../failure.ts";
import type { Shift } from "./shift.ts";
import { FILL, type Items, PUT, REMOVE, TABLE, Tenant, verifyItems } from "./tenants.ts";

type Act = (shift: Shift) => Promise<void>;

const ROWS_AT_FIRST = 20;
const ROW_BYTES_MAX = 300;
const STATEMENTS_MAX = 4;
const MARKS_MAX = 24;
const HISTORY_TRIES_MS = 90 * 60_000;

/** Small transactions. */
export const write: Act = (shift) =>
  withTenant(shift, async (tenant, database) => {
    const { random } = shift.life.simulation;
    const statements: { sql: string; parameters: number[] }[] = [];
    const edits: (() => void)[] = [];
    for (let n = 1 + random.below(STATEMENTS_MAX); n > 0; n--) {
      const id = 1 + random.below(tenant.nextId + 1);
      if (random.chance(0.25)) {
        statements.push({ sql: REMOVE, parameters: [id] });
        edits.push(() => tenant.items.delete(id));
        continue;
      }
      const item = { version: 1 + random.below(1_000_000), bytes: 7 + random.below(ROW_BYTES_MAX) };
      statements.push({ sql: PUT, parameters: [id, item.version, item.bytes] });
      edits.push(() => put(tenant, id, item));
    }
    await database.batch(statements);
    for (const edit of edits) edit();
  });

export const create: Act = async (shift) => {
  const { books, manager, life } = shift;
  if (books.tenants.length >= books.plan.tenantsMax) return drop(shift);
  const tenant = new Tenant(books.nextName("tenant"));
  tenant.isTaken = true;
  const database = await manager.database(tenant.name);
  await database.exec(TABLE);
  await fill(tenant, database, { rows: ROWS_AT_FIRST, random: life.simulation.random });
  tenant.isTaken = false;
  books.tenants.push(tenant);
};

/** Some of these are too large for the memory of a transaction. */
const load: Act = (shift) =>
  withTenant(shift, (tenant, database) => {
    const { random } = shift.life.simulation;
    return fill(tenant, database, { rows: 1 + random.below(shift.books.plan.loadRows), random });
  });

/** Most of a tenant goes, and SQLite gives the pages back. */
const purge: Act = (shift) =>
  withTenant(shift, async (tenant, database) => {
    const { random } = shift.life.simulation;
    const keep = 2 + random.below(6);
    await database.prepare("delete from item where id % ?1 <> 0").run(keep);
    for (const id of [...tenant.items.keys()]) if (id % keep !== 0) tenant.items.delete(id);
    if (random.chance(0.5)) await database.exec("vacuum");
  });

const fork: Act = (shift) =>
  withTenant(shift, async (tenant, database) => {
    const from = { items: tenant.copy(), origin: tenant };
    await make(shift, from, (name) => database.fork(name));
  });

const forkOfSnapshot: Act = async (shift) => {
  const found = momentOf(shift);
  if (found === undefined) return;
  const { tenant, items, name: snapshot } = found;
  const database = await shift.manager.database(tenant.name, { create: false });
  const from = { items, origin: tenant };
  tenant.readers += 1;
  await make(shift, from, (name) => database.fork(name, { at: { snapshot } }));
  tenant.readers -= 1;
};

/** See (1). */
const forkOfPast: Act = async (shift) => {
  const { books, manager, life } = shift;
  const { random, tally } = life.simulation;
  const marks = books.marks.filter(({ tenant, wallMs }) => {
    return !tenant.isDropped && wallMs > life.env.clock.wallMs() - HISTORY_TRIES_MS;
  });
  if (marks.length === 0) return;
  const { tenant, lsn, items } = random.pick(marks);
  const database = await manager.database(tenant.name, { create: false });
  tenant.readers += 1;
  try {
    await make(shift, { items }, (name) => database.fork(name, { at: { lsn } }));
    tally.add("forks of the past");
  } catch (error) {
    if (!isStorageError(error, "BOP_SNAPSHOT_GONE")) throw error;
    const { fromLsn } = manager.diagnostics().log.history;
    promise(fromLsn > lsn, `LSN ${lsn} is refused, the history begins at ${fromLsn}`);
    tally.add("forks of what is gone");
  } finally {
    tenant.readers -= 1;
  }
};

const snapshot: Act = async (shift) => {
  const { books } = shift;
  if (books.kept.length >= books.plan.snapshotsMax) return dropSnapshot(shift);
  await withTenant(shift, async (owner, database) => {
    const name = books.nextName("moment");
    const moments = new Map([[owner, owner.copy()]]);
    await database.snapshot(name);
    books.kept.push({ name, owner, moments });
  });
};

export const snapshotOfAll: Act = async ({ books, manager }) => {
  const name = books.nextName("moment");
  await manager.snapshot(name);
  const moments = new Map(books.tenants.map((tenant) => [tenant, tenant.copy()]));
  books.kept.push({ name, owner: undefined, moments });
};

export const dropSnapshot: Act = async ({ books, manager, life }) => {
  const { random } = life.simulation;
  const [kept] = books.kept.splice(random.below(books.kept.length || 1), 1);
  if (kept === undefined) return;
  const { owner, name } = kept;
  books.release(owner, life.simulation.world.nowMs);
  const from = owner === undefined ? manager : await manager.database(owner.name);
  await from.dropSnapshot(name);
};

export const drop: Act = async ({ books, manager, life }) => {
  const { random } = life.simulation;
  const free = books.tenants.filter(({ isFree, readers }) => isFree && readers === 0);
  if (free.length < 2) return;
  const tenant = random.pick(free);
  tenant.isDropped = true;
  books.tenants.splice(books.tenants.indexOf(tenant), 1);
  if (tenant.origin !== undefined) books.release(tenant.origin, life.simulation.world.nowMs);
  for (const kept of books.kept.filter(({ owner }) => owner === tenant)) {
    books.kept.splice(books.kept.indexOf(kept), 1);
  }
  await manager.drop(tenant.name);
};

/** A moment opened, read and closed. */
const look: Act = async (shift) => {
  const found = momentOf(shift);
  if (found === undefined) return;
  const { tenant, items, name } = found;
  tenant.readers += 1;
  const database = await shift.manager.database(tenant.name, { create: false });
  const opened = await database.openSnapshot(name);
  await verifyItems(`${tenant.name} in ${name}`, opened, items);
  await opened.close();
  tenant.readers -= 1;
};

const mark: Act = (shift) =>
  withTenant(shift, async (tenant) => {
    const { books, manager, life } = shift;
    const { newestLsn: lsn } = manager.diagnostics().log;
    const made = { tenant, lsn, wallMs: life.env.clock.wallMs(), items: tenant.copy() };
    books.marks = [...books.marks, made].slice(-MARKS_MAX);
  });

const collect: Act = async ({ manager, life }) => {
  await manager.collect({ dryRun: life.simulation.random.chance(0.5) });
};

const checkpoint: Act = ({ manager }) => manager.checkpoint();

type Share = readonly [share: number, name: string, act: Act];

/** What happens to families, loads among it. */
const FAMILY: readonly Share[] = [
  [12, "create", create],
  [10, "load", load],
  [4, "purge", purge],
  [20, "fork", fork],
  [5, "fork of a snapshot", forkOfSnapshot],
  [3, "fork of the past", forkOfPast],
  [14, "snapshot", snapshot],
  [6, "drop snapshot", dropSnapshot],
  [18, "drop", drop],
  [8, "look", look],
  [8, "mark", mark],
  [1, "collect", collect],
  [1, "checkpoint", checkpoint],
];

export const family: Act = async (shift) => {
  const { random, tally, trace } = shift.life.simulation;
  let left = random.below(FAMILY.reduce((sum, [share]) => sum + share, 0));
  for (const [share, name, act] of FAMILY) {
    left -= share;
    if (left >= 0) continue;
    tally.add(`acts: ${name}`);
    trace.note(name);
    return act(shift);
  }
};

type Random = Shift["life"]["simulation"]["random"];

async function fill(
  tenant: Tenant,
  database: Database,
  { rows, random }: { readonly rows: number; readonly random: Random },
): Promise<void> {
  const [from, to] = [tenant.nextId, tenant.nextId + rows - 1];
  const item = { version: 1 + random.below(1_000_000), bytes: 7 + random.below(ROW_BYTES_MAX) };
  await database.prepare(FILL).run(from, to, item.version, item.bytes);
  for (let id = from; id <= to; id++) put(tenant, id, item);
}

function put(tenant: Tenant, id: number, item: { version: number; bytes: number }): void {
  tenant.items.set(id, item);
  tenant.nextId = Math.max(tenant.nextId, id + 1);
}

/** A tenant is taken while it lasts. */
async function withTenant(
  shift: Shift,
  act: (tenant: Tenant, database: Database) => Promise<void>,
): Promise<void> {
  const tenant = shift.choose();
  if (tenant === undefined) return;
  tenant.isTaken = true;
  try {
    await act(tenant, await shift.manager.database(tenant.name, { create: false }));
  } finally {
    tenant.isTaken = false;
  }
}

async function make(
  shift: Shift,
  from: { readonly items: Items; readonly origin?: Tenant },
  begin: (name: string) => Promise<unknown>,
): Promise<void> {
  const { books } = shift;
  if (books.tenants.length >= books.plan.tenantsMax) await drop(shift);
  const tenant = new Tenant(books.nextName("fork"), from);
  await begin(tenant.name);
  books.tenants.push(tenant);
}

/** A snapshot that shows a tenant, and what it must show. */
function momentOf({ books, life }: Shift) {
  const all = books.kept.flatMap(({ name, moments }) =>
    [...moments].flatMap(([tenant, items]) => (tenant.isDropped ? [] : [{ name, tenant, items }])),
  );
  return all.length === 0 ? undefined : life.simulation.random.pick(all);
}
