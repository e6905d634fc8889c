/** Whole stores over a bucket in trouble, and machines that are lost: by seed. */
import { describe } from "vitest";
import { seedTests } from "./seed-tests.ts";

// evidence: G29
// evidence: G34
describe("a store at level remote whose machine is lost again and again", () => {
  seedTests("shipping", {
    fact: "what is restored from the bucket holds what was acknowledged, whole and nothing else",
    seeds: 4,
  });
});
