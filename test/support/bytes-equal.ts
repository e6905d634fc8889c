/**
 * BYTES ARE COMPARED AS MEMORY in every test: the runner's own way goes through them index by index,
 * which takes most of a second for a blob of 200 kB. What is equal stays the same: arrays of different
 * classes are left to the runner.
 */
import { expect } from "vitest";

expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return undefined;
    return a.constructor === b.constructor ? Buffer.compare(a, b) === 0 : undefined;
  },
]);
