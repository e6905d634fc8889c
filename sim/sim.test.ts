/**
 * Scenarios besides crashes, and seeds that once failed. How many seeds each lives here follows from what
 * one costs: a life of `changes` takes as long as ten of `fencing`. With those of the other files they are
 * 526; many more are lived by `npm run sim`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CORPUS } from "./corpus.ts";
import { LONG_SCENARIOS, SCENARIO_NAMES } from "./scenarios/index.ts";
import { describeFailure, seedTests } from "./seed-tests.ts";
import { runSeed, runSeeds } from "./seeds.ts";

test("another seed lives another life", async () => {
  const smaller = { echoes: 0 };
  const [first, second] = [
    await runSeed({ scenario: "crash", seed: 7, smaller }),
    await runSeed({ scenario: "crash", seed: 8, smaller }),
  ];
  expect(second.digest).not.toBe(first.digest);
});

test("seeds of every scenario that takes no minutes are lived, the first of them twice", () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
  const text = files.map((name) => readFileSync(join(import.meta.dirname, name), "utf8")).join("");
  const isLived = (name: string) => text.includes(`seedTests("${name}"`);
  const short = SCENARIO_NAMES.filter((name) => !LONG_SCENARIOS.includes(name));
  expect(short.filter((name) => !isLived(name))).toEqual([]);
});

test("seeds that once failed pass", { timeout: 120_000 }, async () => {
  const seeds = CORPUS.map((each) => (each.inEcho ? each : { ...each, smaller: { echoes: 0 } }));
  const { failures } = await runSeeds({ seeds });
  expect(failures.map(describeFailure)).toEqual([]);
});

// evidence: G5
// evidence: G10
// evidence: G46
describe("a disk that fails", () => {
  seedTests("faults", {
    fact: "what was acknowledged stays, what was refused has changed nothing",
    seeds: 18,
  });
  seedTests("zones", {
    fact: "what fails in one zone costs what that zone holds, and nothing else",
    seeds: 2,
  });
});

// evidence: G2
describe("readers beside writers, and power cuts", () => {
  seedTests("reveal", { fact: "what was shown is there afterwards", seeds: 20 });
});

// evidence: G1
describe("transactions too large for memory, crashes and faults", () => {
  seedTests("large-transactions", { fact: "each is there wholly or not at all", seeds: 14 });
});

// evidence: G13
describe("an indexer of a store that crashes", () => {
  seedTests("changes", { fact: "is told of every change, in order, as it will stay", seeds: 10 });
});

// evidence: G17
describe("a device that hangs", () => {
  seedTests("hang", { fact: "it is waited for, and nothing is claimed meanwhile", seeds: 8 });
});

// evidence: G1
describe("a long log, reopened", () => {
  seedTests("recovery", {
    fact: "databases are right in whatever order they are touched",
    seeds: 8,
  });
});

// evidence: G22
describe("families of databases, and moments that are kept", () => {
  seedTests("forks", { fact: "each shows its moment, and nothing is left over", seeds: 6 });
});

// evidence: G18
// evidence: G19
// evidence: G21
describe("the page store alone, cut off at any change of its disk", () => {
  seedTests("pages", { fact: "every fork, snapshot and version is as it was", seeds: 160 });
});

// evidence: G22
// evidence: G23
describe("families of databases, several things at a time, crashes and faults", () => {
  seedTests("families", { fact: "each shows one moment, and nothing is left over", seeds: 5 });
});

// evidence: G12
describe("a store that crashes, and loses its manifest", () => {
  seedTests("lost-manifest", { fact: "is rebuilt with all that was acknowledged", seeds: 8 });
});

describe("jobs of a store that crashes, with a clock that jumps", () => {
  seedTests("jobs", { fact: "each is run, told of and decided as it was asked for", seeds: 2 });
});

// evidence: G11
describe("imports that crashes cut off", () => {
  seedTests("import", { fact: "the database is there wholly or not at all", seeds: 6 });
});
