/**
 * INTEGRITY CHECK of a database, in the background: SQLite's own, over one durable moment.
 *
 * (1) Every page of every table and index is read, and so passes its checksum.
 * (2) It goes table by table, and lets others have the event loop between two of them; writers and
 *     readers go on.
 * (3) What SQLite finds is the result, not a failure: the job is done, and its result says "ok" or
 *     what is wrong. Pages that belong to no table (the free list) are not looked at.
 * (4) A page that cannot be read now is no finding: the attempt fails with what the device or the bucket
 *     says, and is repeated as any job that waiting may mend. A page whose checksum is wrong is one.
 */
import type { Clock } from "../../base/env.ts";
import { nextTurn } from "../../base/next-turn.ts";
import type { OpenDatabase } from "../queries/open-database.ts";
import { withPages } from "../queries/page-waits.ts";
import type { Seat } from "../queries/seat.ts";
import { Session } from "../queries/session.ts";
import type { Task } from "./jobs.ts";

/** Findings that the result lists. */
const FINDINGS_MAX = 20;

const TABLES = `select name from sqlite_schema where type = 'table' and rootpage > 0 order by name`;

export async function checkIntegrity(
  { database, clock }: { readonly database: OpenDatabase; readonly clock: Clock },
  task: Task,
): Promise<string> {
  const { signal } = task;
  const reading = <T>(read: () => T): Promise<T> => withPages(database.pages, read, { signal });
  const seat = await reading(() => database.takeSpare(new Session()));
  try {
    seat.connection.command("BEGIN");
    const tables = ["sqlite_schema", ...(await reading(() => firstColumn(seat, TABLES)))];
    const findings: string[] = [];
    for (const [index, table] of tables.entries()) {
      task.progress(index, tables.length);
      await nextTurn(clock);
      signal.throwIfAborted();
      const left = FINDINGS_MAX - findings.length;
      if (left <= 0) break;
      findings.push(...(await reading(() => findingsOf(seat, table, left))));
    }
    task.progress(tables.length, tables.length);
    return findings.length === 0 ? "ok" : findings.join("\n");
  } finally {
    if (seat.connection.open && !seat.connection.autocommit) seat.connection.command("COMMIT");
    database.giveBack(seat, { reusable: true });
  }
}

function findingsOf(seat: Seat, table: string, most: number): string[] {
  const quoted = `"${table.replaceAll('"', '""')}"`;
  const findings = firstColumn(seat, `pragma integrity_check(${quoted})`);
  return findings.filter((finding) => finding !== "ok").slice(0, most);
}

function firstColumn(seat: Seat, sql: string): string[] {
  const statement = seat.lease(sql);
  const values: string[] = [];
  try {
    while (statement.step()) values.push(String(statement.value(0, "number")));
  } finally {
    statement.finalize();
  }
  return values;
}
