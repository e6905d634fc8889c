/**
 * THE LIFE OF SHIPPING, from the opening of a store to its end.
 *
 *     offline ──► claiming ──► comparing ──► taking-over ──► shipping ◄──► halted
 *        ▲            │            │              │              │           │
 *        └────────────┴────────────┴── trouble ───┘              └─ next ────┴──► claiming
 *
 *   offline      Nothing is asked of the bucket until a pause is over.
 *   claiming     Whose bucket is it, and which epoch is ours?
 *   comparing    Has this disk what the bucket has? Before older writers are ended, so that a disk
 *                that has no business here ends nobody; and once more afterwards.
 *   taking-over  Older epochs are fenced: what they have written is all that they ever will.
 *   shipping     Log and states of the manifest go to the bucket. Outages change nothing here.
 *   halted       Something was refused for good, and is a dead letter. What it concerns waits for
 *                somebody to retry or discard it; the rest goes on. Nothing is given up.
 *   fenced       Another writer has the bucket. For good.
 *   diverged     The bucket is ahead, went another way, or is another store's. For good.
 *   closed       For good.
 *
 *   shipping → claiming   the epoch is old, or log was discarded: a new epoch begins with its own base
 *   halted → claiming     the same; or what was refused was the claim
 *   offline → halted      the bucket refused what comes before shipping
 *   halted → offline      what an earlier process left is decided, and the bucket cannot be reached
 *   comparing, taking-over → fenced   a newer writer was faster: it has ended our epoch already
 */
import { StateTable } from "../../base/state-table.ts";

export type FlushState =
  | "offline"
  | "claiming"
  | "comparing"
  | "taking-over"
  | "shipping"
  | "halted"
  | "fenced"
  | "diverged"
  | "closed";

const NEXT = new StateTable<FlushState>("shipping", {
  offline: ["claiming", "halted", "closed"],
  claiming: ["comparing", "offline", "diverged", "closed"],
  comparing: ["taking-over", "shipping", "offline", "fenced", "diverged", "closed"],
  "taking-over": ["comparing", "offline", "fenced", "closed"],
  shipping: ["halted", "claiming", "fenced", "closed"],
  halted: ["shipping", "claiming", "offline", "fenced", "closed"],
  fenced: ["closed"],
  diverged: ["closed"],
  closed: [],
});

/** The only place where the state changes. */
export function moveFlush(of: { state: FlushState }, next: FlushState): void {
  NEXT.assertMove(of.state, next);
  of.state = next;
}
