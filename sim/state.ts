/**
 * WHAT A DATABASE OF THE SIMULATION HOLDS, and the same in plain JavaScript, which cannot be wrong.
 *
 *   op        one row for each transaction that committed, in the order of their commits
 *   account   money that is moved and never made: the sum is constant
 *   item      texts of all sizes that can be told from their key and their version
 *
 * (1) Every transaction adds its row to `op`, so that the table says which transactions are there
 *     and in which order; what else is there follows from it.
 * (2) Rows of `op` are never deleted. So what two reads show of it is always one a prefix of the
 *     other.
 */

export const ACCOUNTS = 8;
export const BALANCE = 100;

export const SCHEMA = `
  create table op (seq integer primary key autoincrement, id integer not null unique, body text);
  create table account (id integer primary key, balance integer not null);
  create table item (key integer primary key, version integer not null, text text not null);
  with recursive n (i) as (select 1 union all select i + 1 from n where i < ${ACCOUNTS})
    insert into account select i, ${BALANCE} from n;
  create index item_version on item (version, key);
  create trigger spend after insert on op when new.body like 'pay %' begin
    update account set balance = balance - 1 where id = 1;
    update account set balance = balance + 1 where id = 2;
  end;
`;

/** The transactions that are there, in order: "3,1,2"; null for none. */
export const READ_OPS = "select group_concat(id) from (select id from op order by seq)";

export interface Item {
  readonly version: number;
  readonly bytes: number;
}

export class State {
  readonly accounts = new Map<number, number>();
  readonly items = new Map<number, Item>();

  /** What `SCHEMA` makes. */
  begin(): void {
    for (let id = 1; id <= ACCOUNTS; id++) this.accounts.set(id, BALANCE);
  }

  move(from: number, to: number, amount: number): void {
    this.accounts.set(from, (this.accounts.get(from) ?? 0) - amount);
    this.accounts.set(to, (this.accounts.get(to) ?? 0) + amount);
  }
}

/** The text of an item: told by key, version and length. */
export function itemText(key: number, { version, bytes }: Item): string {
  const unit = `${key}/${version} `;
  return unit.repeat(Math.ceil(bytes / unit.length)).slice(0, bytes);
}

export function parseOps(text: unknown): number[] {
  return typeof text === "string" ? text.split(",").map(Number) : [];
}
