/**
 * SHA-256 WITHOUT HOLDING UP THE LOOP: a large body is hashed in pieces, and between them the event
 * loop turns.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../base/env.ts";
import { nextTurn } from "../base/next-turn.ts";
import { MIB } from "../base/units.ts";

/** Under a millisecond of a processor that has instructions for it, some three of one without. */
const PIECE_BYTES = MIB;

export type Turn = Pick<Clock, "turn">;

/** 64 hexadecimal digits. The body must not change meanwhile. */
export async function sha256Of(body: Uint8Array, clock: Turn): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    if (at > 0) await nextTurn(clock);
    hash.update(body.subarray(at, at + PIECE_BYTES));
  }
  return hash.digest("hex");
}
