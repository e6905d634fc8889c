/** The scenario that everything leans on: crashes. The others: sim.test.ts. */
import { describe } from "vitest";
import { seedTests } from "./seed-tests.ts";

// evidence: G1
// evidence: G3
// evidence: G9
describe("a store that is cut off again and again", () => {
  seedTests("crash", {
    fact: "nothing acknowledged is lost, nothing is invented, every transaction is whole",
    seeds: 48,
  });
});
