/** What a long run lives next, and what its ledger keeps. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { LONG_SCENARIOS, SCENARIO_NAMES } from "../scenarios/index.ts";
import { work } from "./crew.ts";
import { Ledger, type Line, type Range } from "./ledger.ts";
import { NIGHT_MIX, Plan } from "./plan.ts";
import { reportOf, towardsMillion } from "./report.ts";
import { sourceHash } from "./source.ts";

const SOURCE = "0123456789abcdef";
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function ledgerPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "bop-night-"));
  directories.push(directory);
  return join(directory, "night.jsonl");
}

function line(of: Range & { readonly source?: string; readonly ms?: number }): Line {
  return { source: SOURCE, crashes: 3, ms: 1000, failed: [], tally: {}, node: "v1", ...of };
}

const planOf = (lines: readonly Line[], mix: ConstructorParameters<typeof Plan>[0]["mix"]) =>
  new Plan({ mix, from: 100, source: SOURCE, lines });

describe("a plan", () => {
  test("of a night has every scenario, but for those that are too long", () => {
    const others = SCENARIO_NAMES.filter((name) => !LONG_SCENARIOS.includes(name));
    expect(Object.keys(NIGHT_MIX).sort()).toEqual([...others].sort());
  });

  test("gives ranges that do not overlap, behind those that any source has lived", () => {
    const old = line({ scenario: "log", from: 100, seeds: 50, source: "another" });
    const plan = planOf([old], { log: 1 });
    const [first, second] = [plan.next(), plan.next()];
    expect(first.from).toBe(150);
    expect(second.from).toBe(first.from + first.seeds);
  });

  test("fills a gap that a killed run has left, and no more than the gap", () => {
    const before = line({ scenario: "log", from: 100, seeds: 10 });
    const behind = line({ scenario: "log", from: 115, seeds: 10 });
    const plan = planOf([behind, before], { log: 1 });
    expect(plan.next()).toEqual({ scenario: "log", from: 110, seeds: 5 });
    expect(plan.next().from).toBe(125);
  });

  test("shares the time as the mix says, though one scenario is a hundred times as slow", () => {
    const plan = planOf([], { log: 1, crash: 3 });
    const ms = { log: 0, crash: 0 };
    for (let n = 0; n < 200; n++) {
      const range = plan.next() as Range & { scenario: "log" | "crash" };
      const took = range.seeds * (range.scenario === "log" ? 10 : 1000);
      ms[range.scenario] += took;
      plan.ended(line({ ...range, ms: took }));
    }
    expect(ms.crash / ms.log).toBeGreaterThan(2.5);
    expect(ms.crash / ms.log).toBeLessThan(3.5);
  });

  test("goes on with the mix where the run before it stopped", () => {
    const lived = line({ scenario: "log", from: 100, seeds: 10, ms: 3_600_000 });
    const plan = planOf([lived], { log: 1, crash: 1 });
    expect(Array.from({ length: 5 }, () => plan.next().scenario)).not.toContain("log");
  });
});

describe("a ledger", () => {
  test("has after a restart what was appended before it", () => {
    const path = ledgerPath();
    const kept = line({ scenario: "pages", from: 7, seeds: 2 });
    new Ledger(path).append(kept);
    expect(new Ledger(path).lines).toEqual([kept]);
  });

  test("a torn line at its end is passed over, and the next one is whole", () => {
    const path = ledgerPath();
    const kept = line({ scenario: "pages", from: 7, seeds: 2 });
    const ledger = new Ledger(path);
    ledger.append(kept);
    appendFileSync(path, readFileSync(path, "utf8").slice(0, 40));
    const next = line({ scenario: "pages", from: 9, seeds: 2 });
    const reopened = new Ledger(path);
    expect(reopened.lines).toEqual([kept]);
    reopened.append(next);
    expect(new Ledger(path).lines).toEqual([kept, next]);
  });
});

test("a report counts crashes, and names failed seeds with what lives them again", () => {
  const failed = [{ seed: 8, why: "lost\nat x" }];
  const lines = [
    line({ scenario: "pages", from: 7, seeds: 2 }),
    { ...line({ scenario: "crash", from: 7, seeds: 2 }), failed },
  ];
  const text = [...reportOf(lines), ...towardsMillion({ source: lines, all: lines })].join("\n");
  expect(text).toMatch(/all +4 seeds +6 crashes/);
  expect(text).toContain("3 of whole stores with SQL (3 of the main line, 0 further images)");
  expect(text).toContain("npm run sim -- --scenario crash --seed 8 --trace   # lost");
  expect(text).toMatch(/faults never injected: .*write EIO/);
});

test("a crew lives seeds in processes of its own, and what it lived is on record", async () => {
  const ending = new AbortController();
  const plan = new Plan({ mix: { fencing: 1 }, from: 1, source: sourceHash(), lines: [] });
  const lines: Line[] = [];
  await work({
    ...{ jobs: 1, source: SOURCE, signal: ending.signal },
    next: () => plan.next(),
    onLine: (lived) => {
      lines.push(lived);
      ending.abort();
    },
    onFailed: (_, { why }) => expect.fail(why),
  });
  expect(lines[0]).toMatchObject({ scenario: "fencing", from: 1, seeds: 10, failed: [] });
  expect(lines[0]?.tally).toHaveProperty("lives that ended by themselves");
});
