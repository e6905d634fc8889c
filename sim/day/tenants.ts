/**
 * WHAT THE DATABASES OF A DAY HOLD, by a model that cannot be wrong: rows by id, each with a version
 * and a size, from which its body follows.
 *
 * (1) A tenant that somebody works with is *taken*: nobody else touches it, so what it holds is known
 *     whenever it is free. Whoever only reads a moment does not take it.
 */
import type { Database, DatabaseSnapshot } from "../../src/index.ts";
import { promise } from "../failure.ts";

export interface Item {
  readonly version: number;
  readonly bytes: number;
}

export type Items = ReadonlyMap<number, Item>;

export const TABLE = "create table item (id integer primary key, version integer, body text)";
/** Rows that follow one another, all of one version and size. */
export const FILL = `with recursive n (i) as (select ?1 union all select i + 1 from n where i < ?2)
  insert into item select i, ?3, printf('%0*d', ?4, ?3) from n`;
export const PUT = "insert or replace into item values (?1, ?2, printf('%0*d', ?3, ?2))";
export const REMOVE = "delete from item where id = ?1";
/** Of a body, its length and whether it is of the version. */
export const READ = `select id, version, length(body), cast(body as integer) = version from item
  order by id`;

export type ReadRow = readonly [id: number, version: number, bytes: number, isRight: number];

export class Tenant {
  readonly name: string;
  readonly items: Map<number, Item>;
  /** What it was forked from, and reads through. */
  readonly origin: Tenant | undefined;
  isTaken = false;
  isDropped = false;
  /** Readers that are open on it: it is not dropped meanwhile. */
  readers = 0;
  nextId: number;

  constructor(name: string, { items, origin }: { items?: Items; origin?: Tenant } = {}) {
    this.name = name;
    this.origin = origin;
    this.items = new Map(items);
    this.nextId = 1;
    for (const id of this.items.keys()) this.nextId = Math.max(this.nextId, id + 1);
  }

  get isFree(): boolean {
    return !this.isTaken && !this.isDropped;
  }

  /** What it holds now, for as long as somebody wants. */
  copy(): Items {
    return new Map(this.items);
  }
}

/** A snapshot: what it holds of whom. */
export interface Kept {
  readonly name: string;
  /** Undefined: of the store. */
  readonly owner: Tenant | undefined;
  readonly moments: ReadonlyMap<Tenant, Items>;
}

/** What a tenant held at an instant. */
export interface Mark {
  readonly tenant: Tenant;
  readonly lsn: number;
  readonly wallMs: number;
  readonly items: Items;
}

/** Every row, and no other. */
export async function verifyItems(
  what: string,
  from: Pick<Database | DatabaseSnapshot, "prepare">,
  items: Items,
): Promise<void> {
  const rows = await from.prepare(READ).raw<ReadRow>().all();
  promise(rows.length === items.size, () => `${what} has ${rows.length} rows, want ${items.size}`);
  for (const row of rows) verifyRow(what, row, items);
}

export function verifyRow(what: string, [id, version, bytes, right]: ReadRow, items: Items): void {
  const item = items.get(id);
  const isRight = item?.version === version && item.bytes === bytes && right === 1;
  promise(isRight, () => `${what}, row ${id}: version ${version} of ${bytes}, want ${show(item)}`);
}

const show = (item: Item | undefined) =>
  item === undefined ? "none" : `${item.version} of ${item.bytes}`;
