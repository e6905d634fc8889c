/** A few hours of a busy store. The whole day: `npm run sim -- --scenario day --seed 1`. */
import { describe } from "vitest";
import { seedTests } from "./seed-tests.ts";

// evidence: G20
// evidence: G25
describe("hours of loads, forks, snapshots, drops and scans, and an hour after them", () => {
  seedTests("morning", {
    fact: "disk and memory stay within what is documented, and everything is as it was written",
    seeds: 1,
  });
});
