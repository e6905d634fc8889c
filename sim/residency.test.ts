/** Chunks that go and come, and moments of the past: by seed. */
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
