/**
 * WHAT CLIENTS DO to a database: transactions of every shape, and reads that must not show what a
 * crash can take back. Each tells the model before it calls the store, and again when it knows.
 */
import type { Clock } from "../src/base/env.ts";
import type { Database, Queryable } from "../src/index.ts";
import type { SeededRandom } from "../src/io/index.ts";
import type { DatabaseModel, NewTransaction } from "./database-model.ts";
import { promise } from "./failure.ts";
import { ACCOUNTS, BALANCE, itemText, parseOps, READ_OPS, SCHEMA, type State } from "./state.ts";

export const OPERATION_KINDS = [
  "insert",
  "pay",
  "transfer",
  "savepoint",
  "big",
  "rewrite",
  "remove",
  "script",
  "connection",
  "abort",
  "conflict",
  "vacuum",
  "index",
  "read",
  "readTransaction",
  "iterate",
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export interface Place {
  readonly database: Database;
  readonly model: DatabaseModel;
  readonly random: SeededRandom;
  readonly clock: Clock;
  /**
   * Runs what commits a transaction, and tells the model how it ended. Errors that the world may
   * cause end here; those that nothing can excuse are thrown.
   */
  readonly commit: (what: NewTransaction, run: (id: number) => Promise<unknown>) => Promise<void>;
  /** The same for what commits nothing. */
  readonly attempt: (run: () => Promise<unknown>) => Promise<void>;
  /** A read that began when so many were acknowledged has shown these transactions. */
  readonly show: (ids: readonly number[], acknowledgedBefore: number) => void;
  /** Something else has told that this transaction is there. */
  readonly reveal: (id: number) => void;
}

type Operation = (place: Place) => Promise<void>;

const INSERT_OP = "insert into op (id, body) values (?, ?)";
const PUT_ITEM = "insert or replace into item (key, version, text) values (?, ?, ?)";
const BODY_BYTES_MAX = 900;
const KEYS = 400;
const TOTAL = ACCOUNTS * BALANCE;

/** Thrown by transactions that are to be rolled back, and for what was rightly refused. */
export class ChangeOfMind extends Error {}

export const OPERATIONS: Readonly<Record<OperationKind, Operation>> = {
  insert: ({ commit, database, random }) =>
    commit({ kind: "insert" }, (id) =>
      insertOp(database, id, "x".repeat(random.below(BODY_BYTES_MAX))),
    ),

  pay: ({ commit, database }) =>
    commit({ kind: "pay", apply: (state) => state.move(1, 2, 1) }, (id) =>
      insertOp(database, id, "pay 1"),
    ),

  transfer: ({ commit, database, random, clock }) => {
    const [from, to, amount] = [
      1 + random.below(ACCOUNTS),
      1 + random.below(ACCOUNTS),
      random.below(50),
    ];
    const pauseMs = random.pick([0, 0, 0, 3]);
    const apply = (state: State) => state.move(from, to, amount);
    return commit({ kind: "transfer", apply }, (id) =>
      database.transaction(async (tx) => {
        await tx.prepare("update account set balance = balance - ? where id = ?").run(amount, from);
        if (pauseMs > 0) await clock.sleep(pauseMs);
        await tx.prepare("update account set balance = balance + ? where id = ?").run(amount, to);
        await insertOp(tx, id, null);
      }),
    );
  },

  savepoint: ({ commit, database, random }) => {
    const kept = { key: random.below(KEYS), item: itemOf(random, 2000) };
    const apply = (state: State) => void state.items.set(kept.key, kept.item);
    return commit({ kind: "savepoint", apply }, (id) =>
      database.transaction(async (tx) => {
        await insertOp(tx, id, null);
        await tx.transaction((inner) => putItem(inner, kept.key, kept.item));
        await tx
          .transaction(async (inner) => {
            await inner.exec("delete from item; update account set balance = 0");
            throw new ChangeOfMind();
          })
          .catch(unlessChangeOfMind);
      }),
    );
  },

  big: ({ commit, database, random }) => {
    const from = random.below(KEYS);
    const count = 1 + random.below(60);
    const item = itemOf(random, random.pick([400, 4000, 12_000]));
    const keys = Array.from({ length: count }, (_, index) => from + index);
    const apply = (state: State) => keys.forEach((key) => void state.items.set(key, item));
    return commit({ kind: "big", apply }, (id) =>
      database.transaction(async (tx) => {
        for (const key of keys) await putItem(tx, key, item);
        await insertOp(tx, id, null);
      }),
    );
  },

  rewrite: ({ commit, database, random }) => {
    const [modulus, rest] = [1 + random.below(5), 0];
    const version = random.below(1 << 30);
    const apply = (state: State) => {
      for (const [key, { bytes }] of state.items) {
        if (key % modulus === rest) state.items.set(key, { version, bytes });
      }
    };
    return commit({ kind: "rewrite", apply }, (id) =>
      database.transaction(async (tx) => {
        const lengths = "select key, length(text) from item where key % ? = ?";
        const rows = await tx.prepare(lengths).raw<[number, number]>().all(modulus, rest);
        for (const [key, bytes] of rows) await putItem(tx, key, { version, bytes });
        await insertOp(tx, id, null);
      }),
    );
  },

  remove: ({ commit, database, random }) => {
    const [from, to] = [random.below(KEYS), random.below(KEYS)];
    const apply = (state: State) => {
      for (const key of state.items.keys()) if (key >= from && key <= to) state.items.delete(key);
    };
    return commit({ kind: "remove", apply }, (id) =>
      database.transaction(async (tx) => {
        await insertOp(tx, id, null);
        await tx.prepare("delete from item where key between ? and ?").run(from, to);
      }),
    );
  },

  script: ({ commit, database }) =>
    commit({ kind: "script" }, (id) =>
      database.exec(`insert into op (id, body) values (${id}, 'a script'); select * from account;`),
    ),

  connection: ({ commit, database, random }) => {
    const apply = (state: State) => state.move(3, 4, 1);
    const end = random.chance(0.7) ? "commit" : "rollback";
    const begin = random.pick(["begin immediate", "begin"]);
    return commit({ kind: `connection, ${end}`, queued: false, apply }, async (id) => {
      const connection = await database.connect();
      try {
        await connection.exec(begin);
        await insertOp(connection, id, null);
        await connection.exec("update account set balance = balance - 1 where id = 3");
        await connection.exec("update account set balance = balance + 1 where id = 4");
        await connection.exec(end);
        if (end === "rollback") throw new ChangeOfMind();
      } finally {
        await connection.close();
      }
    });
  },

  abort: ({ commit, database }) =>
    // Never there, so that what is called behind it may be there without it.
    commit({ kind: "abort", queued: false }, (id) =>
      database.transaction(async (tx) => {
        await insertOp(tx, id, null);
        await tx.exec("delete from item; update account set balance = balance + 1");
        throw new ChangeOfMind();
      }),
    ),

  /** The error of a duplicate reveals that the other one is there. */
  conflict: ({ attempt, database, model, reveal }) =>
    attempt(async () => {
      const other = model.newestPending();
      if (other === undefined) return;
      try {
        await database.prepare("insert into op (id) select id from op where id = ?").run(other.id);
      } catch (error) {
        if ((error as { sqliteCode?: string }).sqliteCode !== "SQLITE_CONSTRAINT_UNIQUE")
          throw error;
        reveal(other.id);
      }
    }),

  vacuum: ({ attempt, database }) => attempt(() => database.exec("vacuum")),

  index: ({ attempt, database, random }) => {
    const create = "create index if not exists item_text on item (text)";
    return attempt(() =>
      database.exec(random.chance(0.5) ? create : "drop index if exists item_text"),
    );
  },

  read: ({ attempt, database, model, show }) =>
    attempt(async () => {
      const before = model.acknowledgedCount;
      show(parseOps(await database.prepare(READ_OPS).pluck().get()), before);
    }),

  readTransaction: ({ attempt, database, model, clock, random, show }) =>
    attempt(async () => {
      const before = model.acknowledgedCount;
      const mode = random.pick(["read", "deferred", "immediate"] as const);
      const ids = await database.transaction(
        async (tx) => {
          const first = await tx.prepare(READ_OPS).pluck().get();
          show(parseOps(first), before);
          await clock.sleep(random.below(4));
          promise((await sumOf(tx)) === TOTAL, "a read transaction sees money made");
          promise((await tx.prepare(READ_OPS).pluck().get()) === first, "a snapshot has moved");
          return parseOps(first);
        },
        { mode },
      );
      show(ids, before);
    }),

  iterate: ({ attempt, database, model, clock, show, reveal }) =>
    attempt(async () => {
      const before = model.acknowledgedCount;
      const ids: number[] = [];
      const rows = database.prepare("select id from op order by seq").pluck<number>().iterate();
      for await (const id of rows) {
        ids.push(id);
        reveal(id);
        if (ids.length % 4 === 0) await clock.sleep(0.3);
      }
      show(ids, before);
    }),
};

/** The first transaction of a database. */
export function makeSchema({ commit, database }: Place): Promise<void> {
  return commit({ kind: "schema", apply: (state) => state.begin() }, (id) =>
    database.transaction(async (tx) => {
      await tx.exec(SCHEMA);
      await insertOp(tx, id, null);
    }),
  );
}

/** A rolled back transaction that its client wanted so. */
export function isChangeOfMind(error: unknown): boolean {
  return error instanceof ChangeOfMind;
}

function insertOp(on: Queryable, id: number, body: string | null): Promise<unknown> {
  return on.prepare(INSERT_OP).run(id, body);
}

function putItem(on: Queryable, key: number, item: ReturnType<typeof itemOf>): Promise<unknown> {
  return on.prepare(PUT_ITEM).run(key, item.version, itemText(key, item));
}

function itemOf(random: SeededRandom, bytesMax: number): { version: number; bytes: number } {
  return { version: random.below(1 << 30), bytes: random.below(bytesMax) };
}

async function sumOf(on: Queryable): Promise<unknown> {
  return on.prepare("select sum(balance) from account").pluck().get();
}

function unlessChangeOfMind(error: unknown): void {
  if (!isChangeOfMind(error)) throw error;
}
