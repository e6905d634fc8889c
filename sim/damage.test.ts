/** Damage at rest, by seed: to stores that are whole, and to whole stores and their buckets that are open. */
import { describe } from "vitest";
import { seedTests } from "./seed-tests.ts";

// evidence: G44
describe("a store whose files and objects are damaged while nobody looks", () => {
  seedTests("scrub", {
    fact: "all of it is found in one pass, healed or told, and what is read is what was written",
    seeds: 2,
  });
});

describe("a store that is whole, and of which one place is damaged", () => {
  seedTests("rot", {
    fact: "damage is refused, or nothing is read that was not written",
    seeds: 8,
  });
});

// evidence: G45
describe("a disk that decays under a store", () => {
  seedTests("decay", { fact: "nothing false is served or passed on", seeds: 2 });
});
