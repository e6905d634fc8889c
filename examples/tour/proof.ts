/**
 * THE PROOF: reads what a store holds after a crash and compares every row with what it must be.
 *
 * (1) Nothing is believed of the rows: each is compared, value by value, with what follows from its
 *     number (workload.ts), and each purchase with its lines and with the stock that it took.
 * (2) `PRAGMA integrity_check` and `foreign_key_check` are asked of every database.
 */
import { isDeepStrictEqual } from "node:util";
import type { Database, Manager, SqlValue } from "../../src/index.ts";
import { SAMPLE_COUNTS } from "../sample/chinook-like.ts";
import { deed, type Purchase, productsAfter, SHOP, TENANTS, tenantName } from "./workload.ts";

export interface Findings {
  /** Numbers of the deeds that are there, whole and right. */
  readonly deeds: ReadonlySet<number>;
  readonly databases: number;
  /** Databases that `integrity_check` finds sound. */
  readonly sound: number;
  /** A sentence each; none if all is well. */
  readonly problems: readonly string[];
}

/** `onProgress` hears how many databases are done. */
export async function examineStore(
  manager: Manager,
  onProgress: (done: number) => void,
): Promise<Findings> {
  const deeds = new Set<number>();
  const problems = await unexpectedDatabases(manager);
  let sound = 0;
  for (let at = 0; at <= TENANTS; at += 1) {
    const isShop = at === TENANTS;
    const database = await manager.database(isShop ? SHOP : tenantName(at), { create: false });
    const say = (problem: string) => void problems.push(`${database.name}: ${problem}`);
    if (await isSound(database, say)) sound += 1;
    if (isShop) await examineShop(database, say);
    else for (const id of await examineTenant(database, at, say)) deeds.add(id);
    await database.close();
    onProgress(at + 1);
  }
  return { deeds, databases: TENANTS + 1, sound, problems };
}

type Say = (problem: string) => void;

async function unexpectedDatabases(manager: Manager): Promise<string[]> {
  const expected = new Set([SHOP, ...Array.from({ length: TENANTS }, (_, at) => tenantName(at))]);
  const found = await manager.list({ limit: 10_000 });
  return found
    .filter(({ name }) => !expected.has(name))
    .map(({ name }) => `${name}: a database that nobody created`);
}

async function isSound(database: Database, say: Say): Promise<boolean> {
  const integrity = await database.pragma("integrity_check");
  const ok = isDeepStrictEqual(integrity, [{ integrity_check: "ok" }]);
  if (!ok) say(`integrity_check says ${JSON.stringify(integrity.slice(0, 3))}`);
  const dangling = await database.pragma("foreign_key_check");
  if (dangling.length > 0) say(`${dangling.length} foreign keys point to nothing`);
  return ok && dangling.length === 0;
}

async function examineShop(database: Database, say: Say): Promise<void> {
  const { invoiceLine, ...others } = SAMPLE_COUNTS;
  for (const [table, expected] of Object.entries({ ...others, invoice_line: invoiceLine })) {
    const count = await database.prepare(`select count(*) from ${table}`).pluck().get();
    if (count !== expected) say(`${table} has ${count} rows instead of ${expected}`);
  }
}

/** Numbers of the deeds of this tenant. */
export async function examineTenant(
  database: Database,
  tenant: number,
  say: Say,
): Promise<number[]> {
  const plain = [
    ...(await examinePlainRows(database, { table: "note", tenant, say })),
    ...(await examinePlainRows(database, { table: "event", tenant, say })),
  ];
  return [...plain, ...(await examinePurchases(database, tenant, say))];
}

interface PlainTable {
  readonly table: "note" | "event";
  readonly tenant: number;
  readonly say: Say;
}

async function examinePlainRows(database: Database, of: PlainTable): Promise<number[]> {
  const { table, tenant, say } = of;
  const rows = await database.prepare(`select * from ${table}`).raw().all();
  return rows.flatMap((row) => {
    const id = Number(row[0]);
    const one = deed(id);
    const isRight =
      one.kind === table && one.tenant === tenant && isDeepStrictEqual(row, [...one.row]);
    if (!isRight) say(`${table} ${id} is not what was written`);
    return isRight ? [id] : [];
  });
}

async function examinePurchases(database: Database, tenant: number, say: Say): Promise<number[]> {
  const linesOf = await purchaseLines(database);
  const sold = new Map<number, number>();
  const found: number[] = [];
  for (const row of await database.prepare("select * from purchase").raw().all()) {
    const id = Number(row[0]);
    const one = deed(id);
    const lines = linesOf.get(id) ?? [];
    linesOf.delete(id);
    const isRight =
      one.kind === "purchase" && one.tenant === tenant && isPurchase(one, { id, row, lines });
    if (!isRight) {
      say(`purchase ${id} is not what was written`);
      continue;
    }
    for (const { productId, quantity } of one.lines) {
      sold.set(productId, (sold.get(productId) ?? 0) + quantity);
    }
    found.push(id);
  }
  for (const id of linesOf.keys()) say(`lines of purchase ${id} without the purchase`);
  const products = await database.prepare("select * from product order by id").all();
  if (!isDeepStrictEqual(products, productsAfter(sold)))
    say("the stock is not what the sales left");
  return found;
}

interface StoredPurchase {
  readonly id: number;
  readonly row: SqlValue[];
  readonly lines: readonly SqlValue[][];
}

function isPurchase(expected: Purchase, { id, row, lines }: StoredPurchase): boolean {
  const { customer, at, totalCents } = expected;
  const expectedLines = expected.lines.map(({ productId, quantity }, position) => {
    return [id, position, productId, quantity];
  });
  return (
    isDeepStrictEqual(row, [id, customer, at, totalCents]) &&
    isDeepStrictEqual(lines, expectedLines)
  );
}

async function purchaseLines(database: Database): Promise<Map<number, SqlValue[][]>> {
  const lines = new Map<number, SqlValue[][]>();
  const all = database.prepare("select * from purchase_line order by purchase_id, position");
  for (const row of await all.raw().all()) {
    const id = Number(row[0]);
    const same = lines.get(id);
    if (same === undefined) lines.set(id, [row]);
    else same.push(row);
  }
  return lines;
}
