/**
 * WHAT THE TENANTS DO: small shops that take orders, write notes and collect events.
 *
 * (1) A deed is one commit. All of it (whose, what kind, every value) follows from its number, so
 *     that whoever finds a row can tell what it must be without having seen it written.
 * (2) Deed numbers are shared out among the callers: number = turn × CALLERS + caller, with turns
 *     from 1. A caller makes its deeds in the order of its turns.
 * (3) An order is three kinds of rows in one transaction: the order, its lines, and the stock of what
 *     was sold. If it is not whole, the sums disagree.
 */
import type { Database, Row } from "../../src/index.ts";

export const TENANTS = 100;
export const CALLERS = 64;
export const SHOP = "record-shop";

const STOCK_AT_FIRST = 1_000_000;
const LINES_MAX = 4;

const SCHEMA = `
  create table product (
    id integer primary key, name text not null, price_cents integer not null, stock integer not null
  );
  create table purchase (
    id integer primary key, customer text not null, placed_at text not null,
    total_cents integer not null
  );
  create table purchase_line (
    purchase_id integer not null references purchase (id),
    position integer not null,
    product_id integer not null references product (id),
    quantity integer not null check (quantity > 0),
    primary key (purchase_id, position)
  ) without rowid;
  create table note (
    id integer primary key, author text not null, written_at text not null, body text not null
  );
  create table event (
    id integer primary key, kind text not null, at text not null,
    detail text not null check (json_valid(detail))
  );
`;

const PRODUCTS = [
  { name: "Espresso beans, 1 kg", priceCents: 1890 },
  { name: "Filter papers, 100", priceCents: 420 },
  { name: "Hand grinder", priceCents: 6400 },
  { name: "Gooseneck kettle", priceCents: 7900 },
  { name: "Tasting cup", priceCents: 1150 },
  { name: "Oat drink, 6 × 1 l", priceCents: 1260 },
] as const;
const PEOPLE = ["Ana Almeida", "Björn Eriksen", "Chloé Fournier", "Dmitri Dvořák", "Grace O'Hara"];
const EVENT_KINDS = ["sign_in", "page_view", "search", "basket_add", "payment", "sign_out"];
const PAGES = ["/", "/beans", "/gear", "/basket", "/account", "/stories/roasting-at-home"];
const SUBJECTS = [
  "The supplier",
  "A regular",
  "The roaster",
  "Somebody from the fair",
  "Accounting",
];
const MATTERS = [
  "asked for an invoice with the new address",
  "wants two kilos set aside until Friday",
  "reports that the last parcel came open",
  "would like a call back before noon",
  "sent the samples that we talked about",
];

export interface Purchase {
  readonly kind: "purchase";
  readonly customer: string;
  readonly at: string;
  readonly totalCents: number;
  readonly lines: readonly { readonly productId: number; readonly quantity: number }[];
}

/** What one commit writes. The values of a note and of an event are a row, in the table's order. */
export type Deed = { readonly id: number; readonly tenant: number } & (
  | Purchase
  | { readonly kind: "note" | "event"; readonly row: readonly [number, string, string, string] }
);

export const deedNumber = (caller: number, turn: number): number => turn * CALLERS + caller;
export const callerOf = (id: number): number => id % CALLERS;
export const turnOf = (id: number): number => Math.floor(id / CALLERS);

export const tenantName = (tenant: number): string => `tenant-${String(tenant).padStart(3, "0")}`;

/** Everything about a deed: see (1). */
export function deed(id: number): Deed {
  const pick = picksOf(id);
  const tenant = pick.below(TENANTS);
  const share = pick.below(100);
  const at = new Date(Date.UTC(2026, 0, 1, 8) + id * 997).toISOString();
  if (share < 55) {
    const detail = { page: pick.from(PAGES), visitor: pick.below(100_000), ms: pick.below(900) };
    return {
      id,
      tenant,
      kind: "event",
      row: [id, pick.from(EVENT_KINDS), at, JSON.stringify(detail)],
    };
  }
  if (share < 80) {
    const body = `${pick.from(SUBJECTS)} ${pick.from(MATTERS)} (case ${pick.below(10_000)}).`;
    return { id, tenant, kind: "note", row: [id, pick.from(PEOPLE), at, body] };
  }
  const lines = Array.from({ length: 1 + pick.below(LINES_MAX) }, () => ({
    productId: 1 + pick.below(PRODUCTS.length),
    quantity: 1 + pick.below(3),
  }));
  const totalCents = lines.reduce((sum, line) => sum + line.quantity * priceOf(line.productId), 0);
  return { id, tenant, kind: "purchase", customer: pick.from(PEOPLE), at, totalCents, lines };
}

/** The tables of a new tenant, and what its shop has in stock. */
export async function furnish(database: Database): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.exec(SCHEMA);
    const product = tx.prepare("insert into product values (?, ?, ?, ?)");
    for (const row of productsAfter(new Map())) await product.run(...Object.values(row));
  });
}

/** Products as they must be once these quantities, by product, were sold. */
export function productsAfter(sold: ReadonlyMap<number, number>): Row[] {
  return PRODUCTS.map(({ name, priceCents }, at) => ({
    id: at + 1,
    name,
    price_cents: priceCents,
    stock: STOCK_AT_FIRST - (sold.get(at + 1) ?? 0),
  }));
}

/** Carries a deed out. Resolves when its commit is durable. */
export type Performer = (deed: Deed) => Promise<void>;

export function performerOn(database: Database): Performer {
  const insert = {
    note: database.prepare("insert into note values (?, ?, ?, ?)"),
    event: database.prepare("insert into event values (?, ?, ?, ?)"),
  };
  return async (one) => {
    if (one.kind === "purchase") await purchase(database, one);
    else await insert[one.kind].run(...one.row);
  };
}

async function purchase(database: Database, order: Purchase & { id: number }): Promise<void> {
  const { id, customer, at, totalCents, lines } = order;
  await database.transaction(async (tx) => {
    await tx.prepare("insert into purchase values (?, ?, ?, ?)").run(id, customer, at, totalCents);
    const line = tx.prepare("insert into purchase_line values (?, ?, ?, ?)");
    const take = tx.prepare("update product set stock = stock - ? where id = ?");
    for (const [position, { productId, quantity }] of lines.entries()) {
      await line.run(id, position, productId, quantity);
      await take.run(quantity, productId);
    }
  });
}

function priceOf(productId: number): number {
  return PRODUCTS[productId - 1]?.priceCents ?? 0;
}

interface Picks {
  /** An integer in [0, limit). */
  below(limit: number): number;
  from<T>(choices: readonly [T, ...T[]] | readonly T[]): T;
}

/** Numbers that look random and follow from the seed alone. */
function picksOf(seed: number): Picks {
  let state = Math.imul(seed, 0x9e37_79b1) >>> 0;
  const below = (limit: number) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return { below, from: (choices) => choices[below(choices.length)] as (typeof choices)[number] };
}
