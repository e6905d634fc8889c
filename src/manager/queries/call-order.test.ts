/** The order of calls, of which some have to wait before they can begin. */
import { expect, test } from "vitest";
import { CallOrder } from "./call-order.ts";

/** A promise that is settled by hand. */
function byHand(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
} {
  let settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return {
    promise,
    resolve: () => settle?.resolve(),
    reject: (error) => settle?.reject(error),
  };
}

test("while no call waits, one begins within its own call", () => {
  const calls = new CallOrder();
  let hasBegun = false;
  void calls.inOrder(() => {
    hasBegun = true;
  });
  expect(hasBegun).toBe(true);
  expect(calls.isWaiting).toBe(false);
});

test("behind one that waits, calls begin in the order in which they came", async () => {
  const calls = new CallOrder();
  const first = byHand();
  calls.waitFor(first.promise);
  const begun: number[] = [];
  const later = [1, 2, 3].map((each) => calls.inOrder(() => begun.push(each)));
  await Promise.resolve();
  expect(calls.isWaiting).toBe(true);
  expect(begun).toEqual([]);
  first.resolve();
  await Promise.all(later);
  expect(begun).toEqual([1, 2, 3]);
  expect(calls.isWaiting).toBe(false);
});

test("if one of them has to wait as well, those behind it wait on", async () => {
  const calls = new CallOrder();
  const [first, second] = [byHand(), byHand()];
  const begun: string[] = [];
  calls.waitFor(first.promise);
  const waitsAgain = calls.inOrder(() => {
    begun.push("second");
    calls.waitFor(second.promise);
  });
  const last = calls.inOrder(() => begun.push("last"));
  first.resolve();
  await waitsAgain;
  await Promise.resolve();
  expect(begun).toEqual(["second"]);
  expect(calls.isWaiting).toBe(true);
  second.resolve();
  await last;
  expect(begun).toEqual(["second", "last"]);
});

test("how the one that was waited for ends is no matter of those behind it", async () => {
  const calls = new CallOrder();
  const first = byHand();
  calls.waitFor(first.promise);
  const later = calls.inOrder(() => "begun");
  first.reject(new Error("it was refused"));
  await expect(first.promise).rejects.toThrow("it was refused");
  expect(await later).toBe("begun");
});

test("what a call throws when it begins is for its caller, and the next one begins", async () => {
  const calls = new CallOrder();
  const first = byHand();
  calls.waitFor(first.promise);
  const throws = calls.inOrder(() => {
    throw new Error("closed");
  });
  const next = calls.inOrder(() => "begun");
  first.resolve();
  await expect(throws).rejects.toThrow("closed");
  expect(await next).toBe("begun");
});
