import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Session } from "./session.ts";
import type { Work } from "./work.ts";
import { WorkQueue } from "./work-queue.ts";

function work(): Work {
  return {
    kind: "alone",
    session: new Session(),
    waitingSinceMs: 0,
    timeoutMs: undefined,
    deadlineMs: undefined,
    run: () => {},
    refuse: () => {},
  };
}

describe("the work queue", () => {
  test("whatever is pushed and shifted, it behaves like an array", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 5000 }), (steps) => {
        const queue = new WorkQueue();
        const model: Work[] = [];
        for (const push of steps) {
          if (push) {
            const entry = work();
            queue.push(entry);
            model.push(entry);
          } else {
            expect(queue.shift()).toBe(model.shift());
          }
          expect(queue.peek()).toBe(model[0]);
          expect(queue.length).toBe(model.length);
        }
        expect(queue.drain()).toEqual(model);
        expect(queue.length).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
