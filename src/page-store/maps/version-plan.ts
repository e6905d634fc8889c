/**
 * WHICH VERSIONS OF A PAGE MAP GO, and which of their rows with them. Pure.
 *
 *     s1 ───────── s2 ──── s3 ───────────── s4 (newest)          │ pin   H horizon
 *          │                        H
 *     kept         goes    kept             kept
 *
 * (1) A version is needed if it is the newest of a database that is not dropped; if a pin lies at or
 *     above it and below the next one; or, in such a database, if the next one is above the horizon:
 *     for then it is what the database was at the horizon or later.
 * (2) Of a version that goes, a row goes if the version behind it wrote that row too, and none before
 *     it that stays reads it: it lies above the one before, or there is none before.
 * (3) What a version that goes had written, and the one behind it had not, that one has written now,
 *     as far as the one before can tell. The oldest has written everything, and lists nothing.
 */
import { assert } from "../../base/assert.ts";
import type { Lsn } from "../../base/units.ts";

export interface PlannedVersion {
  readonly lsn: Lsn;
  /** Rows that it wrote, relative to the one before. */
  readonly changedRows: readonly number[];
}

export interface VersionNeeds {
  /** Oldest first, at least one. */
  readonly versions: readonly PlannedVersion[];
  /** Ascending. */
  readonly pins: readonly Lsn[];
  /** The newest stays, and so does what the horizon sees. Else only what is pinned. */
  readonly isLive: boolean;
  readonly horizonLsn: Lsn;
}

/** Of each of these rows the newest version at or below `atMost` goes, if it is above `above`. */
export interface RowsGone {
  readonly rows: readonly number[];
  readonly atMost: Lsn;
  /** Undefined: at any LSN. */
  readonly above: Lsn | undefined;
}

export interface VersionPlan {
  readonly kept: readonly PlannedVersion[];
  readonly gone: readonly Lsn[];
  readonly rows: readonly RowsGone[];
  /** Nothing of the database stays. */
  readonly everything: boolean;
}

export function planVersions(needs: VersionNeeds): VersionPlan {
  const { versions } = needs;
  assert(versions.length > 0, "a page map has a version");
  const kept: PlannedVersion[] = [];
  const gone: Lsn[] = [];
  const rows: RowsGone[] = [];
  let carried: readonly number[] = [];
  for (const [index, version] of versions.entries()) {
    const next = versions[index + 1];
    const before = kept.at(-1);
    const changedRows = before === undefined ? [] : union(carried, version.changedRows);
    if (isNeeded(version, next, needs)) {
      kept.push({ lsn: version.lsn, changedRows });
      carried = [];
      continue;
    }
    gone.push(version.lsn);
    carried = changedRows;
    if (next === undefined) {
      // Nobody comes behind: what it wrote itself is read by nobody.
      rows.push({ rows: changedRows, atMost: version.lsn, above: before?.lsn });
    } else {
      rows.push({ rows: next.changedRows, atMost: version.lsn, above: before?.lsn });
    }
  }
  return { kept, gone, rows, everything: kept.length === 0 };
}

/** Whether a version of the database was needed for this alone. */
export function isPinned(version: Lsn, next: Lsn | undefined, pins: readonly Lsn[]): boolean {
  return pins.some((pin) => pin >= version && (next === undefined || pin < next));
}

function isNeeded(
  version: PlannedVersion,
  next: PlannedVersion | undefined,
  { pins, isLive, horizonLsn }: VersionNeeds,
): boolean {
  if (isLive && (next === undefined || next.lsn > horizonLsn)) return true;
  return isPinned(version.lsn, next?.lsn, pins);
}

function union(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return [...new Set([...a, ...b])].sort((x, y) => x - y);
}
