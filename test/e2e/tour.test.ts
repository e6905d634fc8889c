/**
 * The tour as a visitor takes it, and whether its proof would notice: a proof that finds nothing
 * wrong with a damaged store proves nothing about a sound one.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { parseTourOptions } from "../../examples/tour/arguments.ts";
import { Display } from "../../examples/tour/display.ts";
import { acknowledgement, Ledger } from "../../examples/tour/ledger.ts";
import { FINDERS } from "../../examples/tour/other-sqlite.ts";
import { examineTenant } from "../../examples/tour/proof.ts";
import {
  CALLERS,
  type Deed,
  deed,
  deedNumber,
  furnish,
  performerOn,
} from "../../examples/tour/workload.ts";
import type { Database } from "../../src/index.ts";
import { programCommand } from "../support/programs.ts";
import { openDatabase, temporaryDirectory } from "../support/store.ts";

const ROOT = join(import.meta.dirname, "../..");
const TENANT = 7;

interface Tour {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly complaint: string;
  /** What it left in the directory for temporary files. */
  readonly leftOver: readonly string[];
}

/** Runs the tour without a terminal; `stopAt` is a line at which it gets SIGTERM. */
async function takeTour(argv: readonly string[], stopAt?: RegExp): Promise<Tour> {
  const temporary = await temporaryDirectory();
  const child = spawn(process.execPath, [...programCommand("examples/tour/main.ts"), ...argv], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  let complaint = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    if (stopAt?.test(line)) child.kill("SIGTERM");
  });
  child.stderr.on("data", (text: Buffer) => {
    complaint += text.toString();
  });
  const [code] = await once(child, "close");
  const names = await readdir(temporary);
  const leftOver = names.filter((name) => name.startsWith("bop-"));
  return { code: code as number | null, lines, complaint, leftOver };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("the tour", () => {
  // evidence: G1
  // evidence: G34
  test("loses no acknowledged commit to a SIGKILL or a lost disk, says so, and leaves nothing behind", async () => {
    const { code, lines, leftOver } = await takeTour(["--seconds", "1"]);
    const text = lines.join("\n");
    expect(text).toContain("Every promise was kept.");
    const kept = /([\d,]+) of \1 acknowledged commits are there, whole/g;
    expect(text.match(kept)).toHaveLength(2);
    expect(text.match(/101 of 101 databases ok/g)).toHaveLength(2);
    expect(text).toMatch(/its first commit, LSN [\d,]+, is in the bucket/);
    expect(text).not.toContain("\x1b");
    expect([code, leftOver]).toEqual([0, []]);
  });

  test("stopped halfway, it fails, and takes its writer and its files along", async () => {
    const { code, lines, leftOver } = await takeTour([], /Write/);
    const pid = Number(/pid (\d+)/.exec(lines.join("\n"))?.[1]);
    expect(pid).toBeGreaterThan(0);
    expect(isAlive(pid)).toBe(false);
    expect(lines.at(-1)).toContain("stopped by SIGTERM");
    expect([code, leftOver]).toEqual([1, []]);
  });

  test("wrong usage is told what is right, and nothing is done", async () => {
    const { code, lines, complaint, leftOver } = await takeTour(["--seconds", "1.5"]);
    expect([code, lines, leftOver]).toEqual([2, [], []]);
    expect(complaint).toContain("[--seconds 1…20]");
  });

  test.each([["--second", "3"], ["--seconds", "21"], ["--seconds", ""], ["--seconds"], ["now"]])(
    "%s %s is refused",
    (...argv) => {
      expect(() => parseTourOptions(argv)).toThrow();
    },
  );
});

/** The first deeds of the tenant, of every kind. */
function deedsOfTenant(): Deed[] {
  const deeds: Deed[] = [];
  for (let id = CALLERS; deeds.length < 40; id += 1) {
    if (deed(id).tenant === TENANT) deeds.push(deed(id));
  }
  return deeds;
}

async function tenantWithDeeds(): Promise<Database> {
  const database = await openDatabase();
  await furnish(database);
  const perform = performerOn(database);
  await Promise.all(deedsOfTenant().map(perform));
  return database;
}

async function examine(database: Database) {
  const problems: string[] = [];
  const found = await examineTenant(database, TENANT, (problem) => problems.push(problem));
  return { problems, missing: deedsOfTenant().length - found.length };
}

describe("the proof", () => {
  test("finds every deed of a sound tenant, and nothing wrong with it", async () => {
    const kinds = new Set(deedsOfTenant().map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(["purchase", "note", "event"]));
    expect(await examine(await tenantWithDeeds())).toEqual({ problems: [], missing: 0 });
  });

  test.each([
    ["a row is gone", "delete from note where id = (select max(id) from note)", 1, undefined],
    ["a text differs", "update note set body = body || ' ' where id = (select min(id) from note)"],
    ["a row is one tenant's and lies with another", "update event set id = id + 1 where id > 0"],
    ["a line of a purchase is gone", "delete from purchase_line where position = 0"],
    ["stock went without a sale", "update product set stock = stock - 1 where id = 1", 0, "stock"],
    [
      "a purchase is gone, and its lines are not",
      "pragma foreign_keys = off; delete from purchase where id = (select min(id) from purchase)",
      1,
      "without the purchase",
    ],
  ])("notices that %s", async (_what, damage, missing?: number, problem?: string) => {
    const database = await tenantWithDeeds();
    const connection = await database.connect();
    await connection.exec(damage);
    await connection.close();
    const after = await examine(database);
    if (missing === undefined) expect(after.missing).toBeGreaterThan(0);
    else expect(after.missing).toBe(missing);
    const isSilent = missing === 1 && problem === undefined;
    if (!isSilent) expect(after.problems.join()).toContain(problem ?? "is not what was written");
  });
});

describe("the ledger", () => {
  const news = (...ids: number[]) => Buffer.concat(ids.map((id) => acknowledgement(id)));
  const a = (turn: number) => deedNumber(0, turn);
  const b = (turn: number) => deedNumber(1, turn);

  test("hears news that come in pieces of any size", () => {
    const ledger = new Ledger();
    for (const byte of news(a(1), b(1), a(2))) ledger.hear(Buffer.of(byte));
    expect(ledger.acknowledged).toBe(3);
    expect(ledger.judge(new Set([a(1), b(1), a(2)])).kept).toBe(3);
  });

  test("a turn that is told before the one before it is refused: news were lost", () => {
    expect(() => new Ledger().hear(news(a(2)))).toThrow(`before ${a(1)}`);
  });

  test("tells what was lost from what was on its way and from what nobody did", () => {
    const ledger = new Ledger();
    ledger.hear(news(a(1), a(2), b(1)));
    const found = new Set([a(1), b(1), b(2), b(3), deedNumber(2, 0)]);
    expect(ledger.judge(found)).toEqual({
      kept: 2,
      missing: [a(2)],
      foreign: [b(3), deedNumber(2, 0)],
      durableUnheard: 1,
    });
  });
});

describe("another SQLite", () => {
  test.for(Object.entries(FINDERS))("%s reads an export as we do", async ([, find], { skip }) => {
    const other = await find();
    if (other === undefined) return skip("this machine lacks it, or has an old one");
    const database = await openDatabase();
    await database.exec("create table t (a, b); insert into t values (1, 'ä|\n'), (null, '')");
    const file = join(await temporaryDirectory(), "t.sqlite");
    await database.export(file);
    expect(await other.query(file, "select * from t")).toEqual([
      ["1", "ä|\n"],
      ["NULL", ""],
    ]);
    await expect(other.query(file, "insert into t values (1, 2)")).rejects.toThrow();
  });
});

describe("the display", () => {
  function shownTo(isTTY: boolean, environment: Readonly<Record<string, string>> = {}) {
    let text = "";
    const write = (part: unknown) => {
      text += String(part);
      return true;
    };
    const display = new Display({ isTTY, columns: 20, write }, environment);
    display.live([display.style("red", "wider than twenty columns")], "a line");
    display.endLive();
    display.close();
    return text;
  }

  test("cuts a block to the width of the terminal, takes it away, and gives the cursor back", () => {
    const text = shownTo(true);
    expect(text).toContain("     wider than twe\n\x1b[1A\r\x1b[0J");
    expect(text.endsWith("\x1b[?25h")).toBe(true);
  });

  test("without a terminal, or in a dumb one, there are no control characters", () => {
    expect(shownTo(false)).not.toContain("\x1b");
    expect(shownTo(true, { TERM: "dumb" })).not.toContain("\x1b");
  });
});
