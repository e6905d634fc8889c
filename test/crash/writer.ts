/**
 * THE PROCESS THAT IS KILLED: callers write to many databases as fast as they can, and every
 * acknowledgement goes to the parent over a pipe before the caller goes on. Argument: a Task, as JSON.
 *
 *   R                           ready: the load has begun
 *   A <database> <id>           acknowledged: it must be there for ever
 *   X <database> <id> <code>    refused
 *   O <code>                    the store cannot be opened or made; the process ends
 *
 * (1) A line is written with a synchronous call, so that what the parent has read is what was
 *     acknowledged, and a kill cuts off at most the last line.
 */
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type Database, Manager, StorageError } from "../../src/index.ts";
import { ACCOUNTS, BALANCE, databaseName, type Task } from "./ledger.ts";

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
/** Between two calls of a caller that was refused. */
const REFUSED_MS = 10;

interface Load {
  readonly databases: readonly Database[];
  readonly round: number;
  readonly goesOn: boolean;
}

function say(line: string): void {
  writeSync(STANDARD_OUTPUT, `${line}\n`);
}

async function caller({ databases, round, goesOn }: Load, number: number): Promise<never> {
  for (let n = 0; ; n++) {
    const at = (number * 7 + n) % databases.length;
    const database = databases[at];
    if (database === undefined) throw new Error(`there is no database ${at}`);
    const id = `${round}.${number}.${n}`;
    try {
      if (n % TRANSFER_EVERY === 0) await transfer(database, { id, n });
      else {
        const body = n % LONG_EVERY === 0 ? "x".repeat(LONG_BYTES) : `caller ${number}, call ${n}`;
        await database.prepare("insert into op (id, body) values (?, ?)").run(id, body);
      }
      say(`A ${databaseName(at)} ${id}`);
    } catch (error) {
      if (!goesOn || !(error instanceof StorageError)) throw error;
      say(`X ${databaseName(at)} ${id} ${error.code}`);
      await pause(REFUSED_MS);
    }
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

async function begin(task: Task): Promise<readonly Database[]> {
  const MIB = 1024 * 1024;
  const manager = await Manager.open({
    directory: task.directory,
    segmentBytes: 4 * MIB,
    checkpointLogBytes: 6 * MIB,
    overlayBytes: 16 * MIB,
    cacheBytes: 4 * MIB,
    ...task.options,
  });
  const open = Array.from({ length: task.databases }, async (_, at) => {
    const database = await manager.database(databaseName(at));
    await database.transaction((tx) => tx.exec(SCHEMA), { timeoutMs: PATIENCE_MS });
    return database;
  });
  return Promise.all(open);
}

async function main(): Promise<void> {
  const task: Task = JSON.parse(process.argv[2] ?? "");
  let databases: readonly Database[];
  try {
    databases = await begin(task);
  } catch (error) {
    if (task.goesOn !== true || !(error instanceof StorageError)) throw error;
    say(`O ${error.code}`);
    process.exit();
  }
  const load = { databases, round: task.round, goesOn: task.goesOn ?? false };
  say("R");
  await Promise.all(Array.from({ length: task.callers }, (_, number) => caller(load, number)));
}

await main();
