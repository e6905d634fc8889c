/**
 * THE PROCESS THAT IS KILLED: callers write to many databases as fast as they can, and every
 * acknowledgement goes to the parent over a pipe before the caller goes on. Arguments: directory,
 * callers, databases, round, and where the store ships: sink, durability.
 *
 *   A <database> <id>    acknowledged: it must be there for ever
 *   R                    ready: the load has begun
 *
 * (1) A line is written with a synchronous call, so that what the parent has read is what was
 *     acknowledged, and a kill cuts off at most the last line.
 */
import { writeSync } from "node:fs";
import { type Database, Manager } from "../../src/index.ts";
import { ACCOUNTS, BALANCE, databaseName } from "./ledger.ts";

const STANDARD_OUTPUT = 1;
const SCHEMA = `
  create table if not exists op (seq integer primary key autoincrement, id text not null unique, body text);
  create table if not exists account (id integer primary key, balance integer not null);
  with recursive n (i) as (select 1 union all select i + 1 from n where i < ${ACCOUNTS})
    insert into account select i, ${BALANCE} from n where not exists (select 1 from account);
`;
/** Every so many operations a caller moves money in a transaction, or writes a long text. */
const TRANSFER_EVERY = 5;
const LONG_EVERY = 11;
const LONG_BYTES = 20_000;
/** A machine under load is no reason to give up. */
const PATIENCE_MS = 120_000;

interface Load {
  readonly databases: readonly Database[];
  readonly round: string;
}

function say(line: string): void {
  writeSync(STANDARD_OUTPUT, `${line}\n`);
}

async function caller({ databases, round }: Load, number: number): Promise<never> {
  for (let n = 0; ; n++) {
    const at = (number * 7 + n) % databases.length;
    const database = databases[at];
    if (database === undefined) throw new Error(`there is no database ${at}`);
    const id = `${round}.${number}.${n}`;
    if (n % TRANSFER_EVERY === 0) await transfer(database, { id, n });
    else {
      const body = n % LONG_EVERY === 0 ? "x".repeat(LONG_BYTES) : `caller ${number}, call ${n}`;
      await database.prepare("insert into op (id, body) values (?, ?)").run(id, body);
    }
    say(`A ${databaseName(at)} ${id}`);
  }
}

async function transfer(
  database: Database,
  { id, n }: { readonly id: string; readonly n: number },
): Promise<void> {
  const [from, to] = [1 + (n % ACCOUNTS), 1 + ((n * 3 + 1) % ACCOUNTS)];
  await database.transaction(
    async (tx) => {
      await tx.prepare("update account set balance = balance - 1 where id = ?").run(from);
      await tx.prepare("insert into op (id, body) values (?, 'transfer')").run(id);
      await tx.prepare("update account set balance = balance + 1 where id = ?").run(to);
    },
    { timeoutMs: PATIENCE_MS },
  );
}

async function main(): Promise<void> {
  const [directory = "", callers = "64", databases = "16", round = "1", ...shipping] =
    process.argv.slice(2);
  const [sink = "", durability = ""] = shipping;
  const MIB = 1024 * 1024;
  const manager = await Manager.open({
    directory,
    segmentBytes: 4 * MIB,
    checkpointLogBytes: 6 * MIB,
    overlayBytes: 16 * MIB,
    cacheBytes: 4 * MIB,
    ...(sink !== "" && { sink, durability: durability === "remote" ? "remote" : "local" }),
  });
  const open = Array.from({ length: Number(databases) }, async (_, at) => {
    const database = await manager.database(databaseName(at));
    await database.transaction((tx) => tx.exec(SCHEMA), { timeoutMs: PATIENCE_MS });
    return database;
  });
  const load = { databases: await Promise.all(open), round };
  say("R");
  await Promise.all(Array.from({ length: Number(callers) }, (_, number) => caller(load, number)));
}

await main();
