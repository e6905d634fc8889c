/** Whole stores and their buckets with damage at rest, and one pass over them: by seed. */
import { describe } from "vitest";
import { seedTests } from "./seed-tests.ts";

// evidence: G44
describe("a store whose files and objects are damaged while nobody looks", () => {
  seedTests("scrub", {
    fact: "all of it is found in one pass, healed or told, and what is read is what was written",
    seeds: 2,
  });
});
