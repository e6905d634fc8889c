/**
 * HOW FAR THE LOG HAS COME, in four marks, for the store and for each of its segments.
 *
 *   archived ≤ durable ≤ written ≤ reserved
 *
 *   reserved   up to here there is a file that can be written
 *   written    the device has taken it
 *   durable    a power cut cannot take it any more
 *   archived   the sink has it; in a store without one it stays where the log began
 *
 * (1) The marks of a segment are those of the store, cut to where the segment begins and ends, so
 *     they cannot disagree. One that has not come to a segment stands at its beginning.
 * (2) No mark falls: `written` and `durable` are moved by LogCore, which asserts that, `reserved` by
 *     SegmentStore, whose segments take over where the one before is durable.
 */
import { assert } from "../../base/assert.ts";
import { earlierLsn, type Lsn, laterLsn } from "../../base/units.ts";

export interface Marks {
  readonly reservedLsn: Lsn;
  readonly writtenLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly archivedLsn: Lsn;
}

/** The same marks, once they are proven to stand in order. */
export function inOrder(marks: Marks): Marks {
  const { reservedLsn, writtenLsn, durableLsn, archivedLsn } = marks;
  assert(
    archivedLsn <= durableLsn,
    () => `archived before it was durable: ${archivedLsn}, ${durableLsn}`,
  );
  assert(durableLsn <= writtenLsn, "durable before it was written");
  assert(writtenLsn <= reservedLsn, "written where nothing is reserved");
  return marks;
}

/** See (1). */
export function marksWithin(marks: Marks, { firstLsn, endLsn }: LsnRange): Marks {
  const cut = (lsn: Lsn) => laterLsn(firstLsn, earlierLsn(lsn, endLsn));
  const { reservedLsn, writtenLsn, durableLsn, archivedLsn } = marks;
  return inOrder({
    reservedLsn: cut(reservedLsn),
    writtenLsn: cut(writtenLsn),
    durableLsn: cut(durableLsn),
    archivedLsn: cut(archivedLsn),
  });
}

export interface LsnRange {
  readonly firstLsn: Lsn;
  readonly endLsn: Lsn;
}
