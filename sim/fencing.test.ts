/** Several machines on one bucket, by seed. Every order of a few steps: src/flush/lineage. */
import { describe } from "vitest";
import { seedTests } from "./seed-tests.ts";

// evidence: G29
// evidence: G30
describe("machines that all believe to be the writer of one bucket", () => {
  seedTests("fencing", {
    fact: "one epoch at most acknowledges a piece of the log, and it is there for ever",
    seeds: 40,
  });
});
