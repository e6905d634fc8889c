/**
 * TPC-B-LIKE TRANSACTIONS: 16 callers move money. Each transaction changes an account, its teller
 * and the branch, reads the account's new balance, and writes a line of history. All 16 change the
 * same branch, so that nothing but sharing a commit helps.
 *
 * Twice: as a batch, which the engine holds as a value, and as a closure, which may await anything
 * between its statements and so runs in a transaction of its own.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Manager } from "../../src/index.ts";
import { callers, type Scenario, type Side } from "../harness.ts";
import { perSecond } from "../metrics.ts";
import { openOurs } from "../ours.ts";
import { openPeer } from "../peer.ts";
import { scramble } from "../workload.ts";

const CALLERS = 16;
const TELLERS = 10;
const ACCOUNTS = 100_000;
const BRANCH = 1;

const SCHEMA = `
  create table branch (id integer primary key, balance integer not null);
  create table teller (id integer primary key, balance integer not null);
  create table account (id integer primary key, balance integer not null);
  create table history (
    id integer primary key, account integer not null, teller integer not null,
    branch integer not null, amount integer not null
  );
`;
const FILL = `
  with recursive n (i) as (select 1 union all select i + 1 from n where i < ?)
  insert into #TABLE select i, 0 from n
`;
const SQL = {
  account: "update account set balance = balance + ? where id = ?",
  balance: "select balance from account where id = ?",
  teller: "update teller set balance = balance + ? where id = ?",
  branch: "update branch set balance = balance + ? where id = ?",
  history: "insert into history (account, teller, branch, amount) values (?, ?, ?, ?)",
} as const;
const CHECK = `
  select (select sum(balance) from account) as accounts, (select sum(balance) from teller) as tellers,
    (select sum(balance) from branch) as branches, (select sum(amount) from history) as amounts,
    (select count(*) from history) as transfers
`;

interface Transfer {
  readonly account: number;
  readonly teller: number;
  readonly amount: number;
}

function transfer(number: number): Transfer {
  return {
    account: 1 + (scramble(number) % ACCOUNTS),
    teller: 1 + (number % TELLERS),
    amount: (scramble(number + 1) % 1999) - 999,
  };
}

type Move = (transfer: Transfer) => Promise<unknown> | unknown;

/** Rounds of transfers; `made` is how many there were. */
function moving(operations: number, move: Move) {
  let made = 0;
  return {
    made: () => made,
    async round() {
      const transfers = Array.from({ length: operations }, (_, index) => transfer(made + index));
      made += operations;
      const seconds = await callers({ count: CALLERS, operations }, (index) =>
        move(transfers[index] as Transfer),
      );
      return { operations, seconds };
    },
  };
}

function verify(row: unknown, transfers: number): void {
  let sum = 0;
  for (let number = 0; number < transfers; number++) sum += transfer(number).amount;
  assert.deepEqual(row, {
    accounts: sum,
    tellers: sum,
    branches: sum,
    amounts: sum,
    transfers,
  });
}

const fills = () =>
  [
    ["account", ACCOUNTS],
    ["teller", TELLERS],
    ["branch", 1],
  ].map(([table, rows]) => ({ sql: FILL.replace("#TABLE", String(table)), parameters: [rows] }));

async function ours(
  options: { readonly directory: string; readonly operations: number },
  moveIn: (database: Awaited<ReturnType<Manager["database"]>>) => Move,
): Promise<Side> {
  const manager = await openOurs(join(options.directory, "ours"));
  const database = await manager.database("bank");
  await database.exec(SCHEMA);
  for (const { sql, parameters } of fills()) await database.execute(sql, parameters as number[]);
  const { round, made } = moving(options.operations, moveIn(database));
  return {
    name: "bop-storage",
    round,
    verify: async () => verify(await database.prepare(CHECK).get(), made()),
    close: () => manager.close(),
  };
}

function peer(options: { readonly directory: string; readonly operations: number }): Side {
  const database = openPeer(join(options.directory, "peer.sqlite"));
  database.exec(SCHEMA);
  for (const { sql, parameters } of fills()) database.prepare(sql).run(...parameters);
  const [begin, commit] = [database.prepare("begin immediate"), database.prepare("commit")];
  const account = database.prepare(SQL.account);
  const balance = database.prepare(SQL.balance);
  const teller = database.prepare(SQL.teller);
  const branch = database.prepare(SQL.branch);
  const history = database.prepare(SQL.history);
  const { round, made } = moving(options.operations, (of) => {
    begin.run();
    account.run(of.amount, of.account);
    balance.get(of.account);
    teller.run(of.amount, of.teller);
    branch.run(of.amount, BRANCH);
    history.run(of.account, of.teller, BRANCH, of.amount);
    commit.run();
  });
  return {
    name: "better-sqlite3",
    round,
    verify: async () => verify(database.prepare(CHECK).get(), made()),
    close: async () => database.close(),
  };
}

const transactions = (atLeast: number) =>
  perSecond("transactions", [{ against: "better-sqlite3", atLeast }]);

export const tpcbBatches: Scenario = {
  name: "tpcb-16-batch",
  what: "a TPC-B-like transaction as a batch, durable; 16 callers",
  metrics: [transactions(4)],
  async open({ directory, scale }) {
    const operations = Math.ceil(16_000 * scale);
    const batch = await ours(
      { directory, operations },
      (database) => (of) =>
        database.batch([
          { sql: SQL.account, parameters: [of.amount, of.account] },
          { sql: SQL.balance, parameters: [of.account] },
          { sql: SQL.teller, parameters: [of.amount, of.teller] },
          { sql: SQL.branch, parameters: [of.amount, BRANCH] },
          { sql: SQL.history, parameters: [of.account, of.teller, BRANCH, of.amount] },
        ]),
    );
    return [batch, peer({ directory, operations: Math.ceil(operations / 4) })];
  },
};

export const tpcbClosures: Scenario = closures("durable");
export const tpcbEarlyClosures: Scenario = closures("committed");

/** With "durable" each waits for the flush of the one before it: no target can be met. */
function closures(reveal: "durable" | "committed"): Scenario {
  return {
    name: `tpcb-16-closure-${reveal}`,
    what: `the same as a closure that awaits each of its statements; reveal: "${reveal}"`,
    metrics: [transactions(2.5)],
    async open({ directory, scale }) {
      const operations = Math.ceil(16_000 * scale);
      const closure = await ours(
        { directory, operations },
        (database) => (of) =>
          database.transaction(
            async (tx) => {
              await tx.prepare(SQL.account).run(of.amount, of.account);
              await tx.prepare(SQL.balance).get(of.account);
              await tx.prepare(SQL.teller).run(of.amount, of.teller);
              await tx.prepare(SQL.branch).run(of.amount, BRANCH);
              await tx.prepare(SQL.history).run(of.account, of.teller, BRANCH, of.amount);
            },
            { reveal },
          ),
      );
      return [closure, peer({ directory, operations: Math.ceil(operations / 4) })];
    },
  };
}
