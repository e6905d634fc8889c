/**
 * THE STAGES of the tour, in their order: create, write, kill, reopen, prove, export. Each shows what
 * it does and gives what the report needs.
 */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type Diagnostics, Manager } from "../../src/index.ts";
import type { Display } from "./display.ts";
import type { Ledger, Verdict } from "./ledger.ts";
import { count, Meter, type Totals } from "./meter.ts";
import { findOtherSqlite } from "./other-sqlite.ts";
import { examineStore, type Findings } from "./proof.ts";
import { CALLERS, SHOP, TENANTS } from "./workload.ts";
import type { Writing } from "./writing.ts";

const PROBLEMS_SHOWN = 8;
/** News of the writer comes at a regular moment of its work; its end must not. */
const KILL_WITHIN_MS = 100;
const SELLERS = `
  select artist.name, sum(line.quantity) as sold,
         printf('%.2f', sum(line.quantity * line.price_cents) / 100.0) as revenue
  from invoice_line as line
  join track on track.id = line.track_id
  join album on album.id = track.album_id
  join artist on artist.id = album.artist_id
  group by artist.id order by sum(line.quantity * line.price_cents) desc, artist.id limit 3`;
const COUNTS = `
  select (select count(*) from track), (select count(*) from invoice_line),
         (select sum(total_cents) from invoice), (select group_concat(value) from setting)`;

export async function create(display: Display, writing: Writing): Promise<Meter> {
  display.stage("Create", `${TENANTS} tenants and a record shop, each a SQLite database`);
  const beganMs = performance.now();
  const { ms } = await writing.message("opened");
  display.fact(
    `a process of its own, pid ${writing.pid}, opened an empty store in ${ms.toFixed(0)} ms`,
  );
  const { databases, log } = await writing.message("created");
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  display.success(
    `${databases} databases with tables and rows in ${seconds} s: ${log.flushes} flushes`,
  );
  return new Meter(log, performance.now());
}

export interface Load {
  readonly display: Display;
  readonly writing: Writing;
  readonly ledger: Ledger;
  readonly meter: Meter;
  readonly seconds: number;
}

/** Lets the callers write for some seconds, then kills their process in the midst of it. */
export async function writeAndKill(load: Load): Promise<Totals> {
  const { display, writing, ledger, meter, seconds } = load;
  display.stage("Write", `${CALLERS} callers, each waits for its commit before it makes the next`);
  while (meter.totals.seconds < seconds) {
    const { log } = await writing.message("progress");
    meter.update(log, ledger.acknowledged, performance.now());
    display.live(meter.lines(seconds), meter.plainLine());
  }
  display.endLive();
  const totals = meter.totals;
  const rate = count(totals.commits / totals.seconds);
  display.success(`${count(totals.commits)} commits in ${totals.seconds.toFixed(1)} s: ${rate}/s`);
  display.stage("Kill", "SIGKILL, while the callers go on writing");
  await sleep(Math.random() * KILL_WITHIN_MS);
  await writing.kill();
  display.fact(
    `pid ${writing.pid} is gone; it had acknowledged ${count(ledger.acknowledged)} commits`,
  );
  return totals;
}

export interface Lost {
  readonly display: Display;
  readonly directory: string;
  readonly sink: string;
}

export interface Restored extends Reopened {
  readonly bytes: number;
}

/** The disk goes the way of its process; the store comes back from the sink. */
export async function loseAndRestore({ display, directory, sink }: Lost): Promise<Restored> {
  display.stage("Lose", "the directory of the store is deleted, as if the machine had burned down");
  await rm(directory, { recursive: true });
  display.fact("nothing is left but what was shipped");
  display.stage("Restore", "the store is made again from the bucket, and opened");
  const beganMs = performance.now();
  const { reads } = await Manager.restore({ from: sink, directory });
  const manager = await Manager.open({ directory, sink });
  const ms = performance.now() - beganMs;
  const found = manager.diagnostics();
  const { replayedCommits } = found;
  display.success(`${count(reads.bytes / 1024)} KiB fetched; open again after ${ms.toFixed(0)} ms`);
  display.success(`replayed ${count(replayedCommits)} transactions from the shipped log`);
  return { manager, ms, found, bytes: reads.bytes };
}

/** A restored store is a store: it takes commits, and ships them. True if it did. */
export async function goOn(display: Display, manager: Manager): Promise<boolean> {
  display.stage("Go on", "the restored store takes over: whoever wrote before it never can again");
  const shop = await manager.database(SHOP, { create: false });
  const mark = shop.prepare("insert into setting (key, value) values (?, ?)");
  const { lsn } = await mark.run("restored", "yes");
  await manager.durable(lsn, { level: "remote" });
  const isThere = (manager.diagnostics().sink?.remoteLsn ?? 0) >= lsn;
  const found = await shop
    .prepare("select value from setting where key = 'restored'")
    .pluck()
    .get();
  const wentOn = isThere && found === "yes";
  if (wentOn) display.success(`its first commit, LSN ${count(lsn)}, is in the bucket`);
  else display.failure(`its first commit, LSN ${count(lsn)}, is not in the bucket`);
  return wentOn;
}

export interface Reopened {
  readonly manager: Manager;
  readonly ms: number;
  readonly found: Diagnostics;
}

export async function reopen(display: Display, directory: string): Promise<Reopened> {
  display.stage("Reopen", "the log is read to its end; what was cut off is dropped");
  const beganMs = performance.now();
  const manager = await Manager.open({ directory });
  const ms = performance.now() - beganMs;
  const found = manager.diagnostics();
  const { replayedCommits, recoveredFromCrash } = found;
  if (recoveredFromCrash) display.success("noticed that its owner before this one was killed");
  else display.failure("did not notice that its owner before this one was killed");
  display.success(`replayed ${count(replayedCommits)} transactions in ${ms.toFixed(0)} ms`);
  return { manager, ms, found };
}

export interface Proven {
  readonly findings: Findings;
  readonly verdict: Verdict;
}

/** Compares every row with what it must be, and what is there with what was acknowledged. */
export async function prove(display: Display, manager: Manager, ledger: Ledger): Promise<Proven> {
  display.stage("Prove", "every row against what it must be, every commit against the ledger");
  const findings = await examineStore(manager, (done) => {
    const text = `${done} of ${TENANTS + 1} databases examined`;
    display.live([text], text);
  });
  display.endLive();
  const verdict = ledger.judge(findings.deeds);
  const { missing, foreign, kept, durableUnheard } = verdict;
  const acknowledged = count(ledger.acknowledged);
  const mark = (good: boolean, text: string) =>
    good ? display.success(text) : display.failure(text);
  mark(
    missing.length === 0,
    `${count(kept)} of ${acknowledged} acknowledged commits are there, whole`,
  );
  mark(foreign.length === 0, `${foreign.length} commits are there that nobody asked for`);
  display.fact(`  of ${CALLERS} that were on their way, ${durableUnheard} had become durable`);
  const { databases, sound, problems } = findings;
  mark(sound === databases, `PRAGMA integrity_check: ${sound} of ${databases} databases ok`);
  for (const problem of problems.slice(0, PROBLEMS_SHOWN)) display.failure(problem);
  if (problems.length > PROBLEMS_SHOWN)
    display.failure(`and ${problems.length - PROBLEMS_SHOWN} more`);
  return { findings, verdict };
}

export interface Exported {
  readonly reader: string;
  readonly agrees: boolean;
}

/** Writes the record shop to a file and asks another SQLite the questions that ours has answered. */
export async function exportShop(
  display: Display,
  manager: Manager,
  directory: string,
): Promise<Exported> {
  display.stage("Export", `${SHOP} as a file, read by another SQLite`);
  const shop = await manager.database(SHOP, { create: false });
  const file = join(directory, `${SHOP}.sqlite`);
  await shop.export(file);
  const other = await findOtherSqlite();
  const [sellers, counts, sound] = await Promise.all([
    other.query(file, SELLERS),
    other.query(file, COUNTS),
    other.query(file, "pragma integrity_check"),
  ]);
  const ours = async (sql: string) => {
    const rows = await shop.prepare(sql).raw().all();
    return rows.map((row) => row.map((value) => (value === null ? "NULL" : String(value))));
  };
  const agrees =
    isDeepStrictEqual(sellers, await ours(SELLERS)) &&
    isDeepStrictEqual(counts, await ours(COUNTS)) &&
    isDeepStrictEqual(sound, [["ok"]]);
  for (const [artist = "", sold = "", revenue = ""] of sellers) {
    display.fact(`${artist.padEnd(24)} ${sold.padStart(4)} sold ${revenue.padStart(9)} €`);
  }
  if (agrees) display.success(`${other.name}: sound, and the same answers as ours`);
  else display.failure(`${other.name}: not sound, or other answers than ours`);
  return { reader: other.name, agrees };
}
