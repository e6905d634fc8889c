/**
 * THE WRITER: a process that owns the store, makes the tenants and lets CALLERS write to them until
 * it is killed. It never ends by itself.
 *
 * (1) A caller makes its next commit only when the kernel has taken the acknowledgement of the one
 *     before, so no SIGKILL can lose more of a caller's news than one turn. For that reason the
 *     write to the pipe is synchronous.
 * (2) With a sink it acknowledges what is there, not what is on this disk.
 * (3) It ends when the tour is gone: nobody would read what it writes. A Ctrl-C, which the terminal
 *     sends to both, is for the tour to answer.
 */
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { Manager, StorageError } from "../../src/index.ts";
import { sampleStatements } from "../sample/chinook-like.ts";
import { acknowledgement } from "./ledger.ts";
import { ACKNOWLEDGEMENTS_FD, type LogCounters, type WriterMessage } from "./messages.ts";
import {
  CALLERS,
  deed,
  deedNumber,
  furnish,
  type Performer,
  performerOn,
  SHOP,
  TENANTS,
  tenantName,
} from "./workload.ts";

const PROGRESS_MS = 100;

function tell(message: WriterMessage): void {
  process.send?.(message);
}

function countersOf(manager: Manager): LogCounters {
  const { flushes, writtenBytes } = manager.diagnostics().log;
  return { flushes, writtenBytes };
}

async function createTenants(manager: Manager): Promise<Performer[]> {
  return Promise.all(
    Array.from({ length: TENANTS }, async (_, tenant) => {
      const database = await manager.database(tenantName(tenant));
      await furnish(database);
      return performerOn(database);
    }),
  );
}

async function createShop(manager: Manager): Promise<void> {
  const shop = await manager.database(SHOP);
  await shop.transaction(async (tx) => {
    for (const statement of sampleStatements()) await tx.exec(statement);
  });
}

async function call(caller: number, tenants: readonly Performer[]): Promise<never> {
  for (let turn = 1; ; turn += 1) {
    const id = deedNumber(caller, turn);
    const one = deed(id);
    const perform = tenants[one.tenant];
    if (perform === undefined) throw new RangeError(`there is no tenant ${one.tenant}`);
    await perform(one);
    writeSync(ACKNOWLEDGEMENTS_FD, acknowledgement(id));
  }
}

async function main(directory: string, sink?: string): Promise<void> {
  process.on("disconnect", () => process.exit(1));
  process.on("SIGINT", () => {});
  const began = performance.now();
  const shipping = sink === undefined ? {} : { sink, durability: "remote" as const };
  const manager = await Manager.open({ directory, ...shipping });
  tell({ kind: "opened", ms: performance.now() - began });
  const [tenants] = await Promise.all([createTenants(manager), createShop(manager)]);
  const databases = manager.diagnostics().databases.known;
  tell({ kind: "created", databases, log: countersOf(manager) });
  setInterval(() => tell({ kind: "progress", log: countersOf(manager) }), PROGRESS_MS);
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller, tenants)));
}

const [directory, sink] = process.argv.slice(2);
if (directory === undefined) throw new TypeError("the writer needs the directory of a store");
await main(directory, sink).catch((error: unknown) => {
  process.stderr.write(error instanceof StorageError ? error.message : inspect(error));
  process.exit(1);
});
