/**
 * READS from a database of 100,000 rows that fits into memory: one row by key, and 100 rows by an
 * index. Every value of every row is compared with what it must be while the time runs, the same for
 * all sides.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Scenario, Side } from "../harness.ts";
import { perSecond } from "../metrics.ts";
import { openOurs } from "../ours.ts";
import { openPeer } from "../peer.ts";
import { scramble } from "../workload.ts";

const ROWS = 100_000;
const RANGE_ROWS = 100;

const TABLE =
  "create table item (id integer primary key, name text not null, rank integer not null)";
const INDEX = "create index item_rank on item (rank)";
const INSERT = "insert into item (id, name, rank) values (?, ?, ?)";
const POINT = "select id, name, rank from item where id = ?";
const RANGE = "select id, name, rank from item where rank between ? and ?";

interface Item {
  readonly id: number;
  readonly name: string;
  readonly rank: number;
}

/** Ranks are the ids in another order: neighbours by rank lie far apart in the table. */
const MULTIPLIER = 61_843;
const rankOf = (id: number): number => (id * MULTIPLIER) % ROWS;
const NAMES = Array.from({ length: ROWS }, (_, id) => `item number ${id}`);

interface Reader {
  readonly point: (id: number) => Promise<unknown> | unknown;
  readonly range: (from: number, to: number) => Promise<unknown[]> | unknown[];
}

interface Kind {
  readonly operations: number;
  /** Reads once and throws unless every value is right. */
  readonly read: (reader: Reader, n: number) => Promise<void>;
}

const point = (scale: number): Kind => ({
  operations: Math.ceil(100_000 * scale),
  async read(reader, n) {
    const id = scramble(n) % ROWS;
    const found = (await reader.point(id)) as Item;
    const right = found.id === id && found.rank === rankOf(id) && found.name === NAMES[id];
    if (!right) throw new assert.AssertionError({ message: `row ${id}: ${JSON.stringify(found)}` });
  },
});

const range = (scale: number): Kind => ({
  operations: Math.ceil(3000 * scale),
  async read(reader, n) {
    const from = scramble(n) % (ROWS - RANGE_ROWS);
    const found = (await reader.range(from, from + RANGE_ROWS - 1)) as Item[];
    assert.equal(found.length, RANGE_ROWS);
    for (let index = 0; index < RANGE_ROWS; index++) {
      const { id, name, rank } = found[index] as Item;
      const right = rank === from + index && rankOf(id) === rank && name === NAMES[id];
      if (!right) throw new assert.AssertionError({ message: `rank ${from + index} is ${id}` });
    }
  },
});

function reading(name: string, kind: Kind, reader: Reader): Omit<Side, "close" | "verify"> {
  return {
    name,
    async round(index) {
      const began = performance.now();
      const first = index * kind.operations;
      for (let n = 0; n < kind.operations; n++) await kind.read(reader, first + n);
      return { operations: kind.operations, seconds: (performance.now() - began) / 1000 };
    },
  };
}

async function ours(kind: Kind, directory: string): Promise<Side> {
  const manager = await openOurs(join(directory, "ours"));
  const database = await manager.database("items");
  await database.exec(TABLE);
  await database.transaction(
    async (tx) => {
      const insert = tx.prepare(INSERT);
      for (let id = 0; id < ROWS; id++) await insert.run(id, NAMES[id] ?? null, rankOf(id));
    },
    { timeoutMs: 120_000 },
  );
  await database.exec(INDEX);
  const onePoint = database.prepare(POINT);
  const oneRange = database.prepare(RANGE);
  const reader: Reader = {
    point: (id) => onePoint.get(id),
    range: (from, to) => oneRange.all(from, to),
  };
  return {
    ...reading("bop-storage", kind, reader),
    verify: async () => {
      assert.deepEqual(await database.pragma("integrity_check"), [{ integrity_check: "ok" }]);
    },
    close: () => manager.close(),
  };
}

function peer(kind: Kind, directory: string): Side {
  const database = openPeer(join(directory, "peer.sqlite"));
  database.exec(`${TABLE};begin`);
  const insert = database.prepare(INSERT);
  for (let id = 0; id < ROWS; id++) insert.run(id, NAMES[id] ?? null, rankOf(id));
  database.exec(`commit;${INDEX}`);
  const onePoint = database.prepare(POINT);
  const oneRange = database.prepare(RANGE);
  const reader: Reader = {
    point: (id) => onePoint.get(id),
    range: (from, to) => oneRange.all(from, to),
  };
  return {
    ...reading("better-sqlite3", kind, reader),
    verify: async () => {
      assert.deepEqual(database.pragma("integrity_check"), [{ integrity_check: "ok" }]);
    },
    close: async () => database.close(),
  };
}

const reads = (atLeast: number) => perSecond("reads", [{ against: "better-sqlite3", atLeast }]);

export const pointSelect: Scenario = {
  name: "point-select",
  what: "one row of three columns by its key, as an object",
  metrics: [reads(1.8)],
  open: async ({ directory, scale }) => [
    await ours(point(scale), directory),
    peer(point(scale), directory),
  ],
};

export const rangeSelect: Scenario = {
  name: "range-100",
  what: "100 rows of three columns by an index, as objects",
  metrics: [reads(2)],
  open: async ({ directory, scale }) => [
    await ours(range(scale), directory),
    peer(range(scale), directory),
  ],
};
