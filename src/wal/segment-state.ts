/**
 * LIFE OF A SEGMENT
 *
 *            take             seal             retire            recycle
 *     free ────────► active ────────► sealed ────────► retired ────────► free
 *       │              │               │  │             ▲   ▲     (a new sequence)
 *       │              │               │  └► archived ──┤   │ expire
 *       │              │               │        │ keep  │   │
 *       │              │               └────────┴──►  history
 *       │              │                                ▲
 *       └──────────────┴────► poisoned ─────────────────┘ keep, or retire
 *
 *   free       Preallocated, registered, its directory entry durable. Nothing in it counts.
 *   active     The one segment that takes batches.
 *   sealed     Its last batch is durable and no byte of it changes again.
 *   archived   The sink has all of it, on record. Skipped in a store without a sink; with one, nothing that
 *              lies above what was archived is let go.
 *   history    No checkpoint needs it and no recovery reads it: it is registered as history only, for
 *              moments of the past that may still be asked for. Skipped without a history window.
 *   retired    Nobody needs it: no longer registered. The file may be used again.
 *   poisoned   The device refused a write or a sync. Nothing is ever written to it again, for the
 *              kernel may have dropped the pages, and a second sync would report a success that
 *              did not happen. What was durable in it counts; the file is not recycled.
 *
 *   free → active        SegmentStore.take     its header is synced
 *   active → sealed      SegmentStore.take     the next one took over
 *   sealed → archived    HeldSegments.archived the sink holds everything up to its end
 *   sealed → retired     HeldSegments.release  it ends at or below the LSN that is released
 *   archived → retired   HeldSegments.release  the same
 *   poisoned → retired   HeldSegments.release  the same
 *   sealed → history     HeldSegments.release  the same, and it ends above the horizon
 *   archived → history   HeldSegments.release  the same
 *   poisoned → history   HeldSegments.release  the same
 *   history → retired    HeldSegments.release  the horizon has passed it, and nobody holds it
 *   retired → free       HeldSegments.release  renamed to a fresh sequence
 */
import { StateTable } from "../base/state-table.ts";

export type SegmentState =
  | "free"
  | "active"
  | "sealed"
  | "archived"
  | "history"
  | "retired"
  | "poisoned";

const NEXT = new StateTable<SegmentState>("segment", {
  free: ["active", "poisoned"],
  active: ["sealed", "poisoned"],
  sealed: ["archived", "history", "retired"],
  archived: ["history", "retired"],
  history: ["retired"],
  retired: ["free"],
  poisoned: ["history", "retired"],
});

/** The only place where a segment changes its state. */
export function moveSegment(segment: { state: SegmentState }, next: SegmentState): void {
  NEXT.assertMove(segment.state, next);
  segment.state = next;
}
