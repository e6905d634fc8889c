/**
 * CLAIMING AN EPOCH: the first number that nobody has claimed.
 *
 * (1) A claim is created where the one before it is there, so claims are dense from 1 on, and they
 *     are never deleted: the writers older than we are all numbers below ours.
 * (2) A claim that was begun and given up (its outcome was unclear, the process died) may be there
 *     or land later. Then it is an epoch whose owner never writes; whoever takes over ends it too.
 * (3) To have claimed means nothing yet. Who writes is decided by fences (take-over-core.ts).
 */
import type { Random } from "../../base/env.ts";
import type { Bucket } from "./bucket.ts";
import { afterLook, beginEnding, questionOf } from "./ending-core.ts";

export interface ClaimOptions {
  readonly random: Random;
  /** For people. Milliseconds since 1970. */
  readonly wallMs: number;
  /** An epoch that is known to be claimed, and so all below it. Default 0: none. */
  readonly known?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The epoch that is ours from now on. */
export async function claimEpoch(bucket: Bucket, options: ClaimOptions): Promise<number> {
  const { known = 0, signal } = options;
  // Claims count from 1, the search from 0.
  let search = beginEnding(known);
  for (let asked = questionOf(search); asked?.type === "look"; asked = questionOf(search)) {
    const isThere = await bucket.hasClaim(asked.number + 1, { signal });
    search = afterLook(search, isThere ? "data" : "absent");
  }
  let epoch = (questionOf(search)?.number ?? known) + 1;
  while (!(await bucket.claim(epoch, options))) epoch += 1;
  return epoch;
}
