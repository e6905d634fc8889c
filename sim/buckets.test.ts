/**
 * What has a bucket, by seed: chunks that go and come, moments of the past, machines that are lost, and
 * several on one bucket (every order of a few steps of those: src/flush/lineage).
 */
import { describe } from "vitest";
import { seedTests } from "./seed-tests.ts";

// evidence: G38
// evidence: G39
describe("a page store whose disk has less room than its chunks take", () => {
  seedTests("residency", {
    fact: "what is fetched, evicted or healed is what was written, and a crash leaves nothing else",
    seeds: 8,
  });
});

// evidence: G36
describe("a bucket that keeps some of the past", () => {
  seedTests("past", {
    fact: "every moment that is kept is restored as it was, and a disk that was replaced is refused",
    seeds: 1,
  });
});

// evidence: G29
// evidence: G34
describe("a store at level remote whose machine is lost again and again", () => {
  seedTests("shipping", {
    fact: "what is restored from the bucket holds what was acknowledged, whole and nothing else",
    seeds: 4,
  });
});

// evidence: G42
describe("a store at level remote whose log is given up, and whose machine is lost then", () => {
  seedTests("gaps", {
    fact: "nothing behind a gap was acknowledged before a base leads there",
    seeds: 4,
  });
});

// evidence: G29
// evidence: G30
describe("machines that all believe to be the writer of one bucket", () => {
  seedTests("fencing", {
    fact: "one epoch at most acknowledges a piece of the log, and it is there for ever",
    seeds: 64,
  });
});

// evidence: G41
describe("a disk that is smaller than the data", () => {
  seedTests("tiering", {
    fact: "what was let go is fetched, or its statement is refused",
    seeds: 2,
  });
});
