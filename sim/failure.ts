/**
 * THE STORE HAS BROKEN A PROMISE: what an oracle throws, and what no scenario catches.
 *
 * (1) A rejection that nobody owns is a broken promise too: in a user's program it ends the process.
 *     Those of simulated processes that are dead are not.
 */
import { DeadProcessError } from "../src/io/index.ts";

export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

export function promise(kept: boolean, broken: string | (() => string)): asserts kept {
  if (!kept) throw new BrokenPromise(typeof broken === "string" ? broken : broken());
}

let accusation: unknown;

/** From now on, rejections that nobody owns are kept for `assertUnaccused`. See (1). */
export function watchRejections(): void {
  process.on("unhandledRejection", (reason) => {
    if (!isOfTheDead(reason)) accusation ??= reason;
  });
}

export function assertUnaccused(): void {
  const cause = accusation;
  accusation = undefined;
  if (cause === undefined) return;
  throw new BrokenPromise(`a rejection that nobody owns: ${cause}`, { cause });
}

function isOfTheDead(reason: unknown): boolean {
  for (let each = reason; each instanceof Error; each = each.cause) {
    if (each instanceof DeadProcessError) return true;
  }
  return false;
}
