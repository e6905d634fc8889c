import { describe, expect, test } from "vitest";
import type { Lsn } from "../../base/units.ts";
import { type SeededRandom, simulatedWorld } from "../../io/index.ts";
import { type PlannedVersion, planVersions, type RowsGone } from "./version-plan.ts";

const ROWS = 6;

/** Row → LSN from which on → what it says. */
type Stored = Map<number, Map<number, number>>;

/** All rows as the newest version at or below an LSN has them. */
function seenAt(stored: Stored, lsn: number): (number | undefined)[] {
  return Array.from({ length: ROWS }, (_, row) => {
    const versions = [...(stored.get(row) ?? [])].filter(([fromLsn]) => fromLsn <= lsn);
    return versions.sort(([a], [b]) => b - a)[0]?.[1];
  });
}

function remove(stored: Stored, { rows, atMost, above }: RowsGone): void {
  for (const row of rows) {
    const versions = stored.get(row);
    const found = [...(versions?.keys() ?? [])].filter((fromLsn) => fromLsn <= atMost);
    const newest = Math.max(-1, ...found);
    if (newest >= 0 && newest > (above ?? -1)) versions?.delete(newest);
  }
}

/** A database whose versions come and go, with plans carried out on its rows. */
class Life {
  readonly stored: Stored = new Map();
  versions: PlannedVersion[] = [];
  readonly #random: SeededRandom;
  #lsn = 0;
  #value = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.commit();
  }

  get newestLsn(): number {
    return this.#lsn;
  }

  commit(): void {
    this.#lsn += 1 + this.#random.below(10);
    const isFirst = this.versions.length === 0;
    const changedRows: number[] = [];
    for (let row = 0; row < ROWS; row += 1) {
      if (!isFirst && this.#random.chance(0.6)) continue;
      this.#value += 1;
      const versions = this.stored.get(row) ?? new Map<number, number>();
      this.stored.set(row, versions.set(this.#lsn, this.#value));
      changedRows.push(row);
    }
    this.versions.push({ lsn: this.#lsn as Lsn, changedRows: isFirst ? [] : changedRows });
  }

  plan(pins: readonly number[], horizonLsn: number, isLive: boolean): void {
    const plan = planVersions({
      versions: this.versions,
      pins: [...pins].sort((a, b) => a - b) as Lsn[],
      isLive,
      horizonLsn: horizonLsn as Lsn,
    });
    expect(plan.everything).toBe(plan.kept.length === 0);
    const before = new Map(plan.kept.map(({ lsn }) => [lsn, seenAt(this.stored, lsn)]));
    const gone = new Set<number>(plan.gone);
    for (const [index, { lsn }] of this.versions.entries()) {
      const next = this.versions[index + 1]?.lsn ?? Number.POSITIVE_INFINITY;
      const isPinned = pins.some((pin) => pin >= lsn && pin < next);
      const isNeeded = isPinned || (isLive && next > horizonLsn);
      expect(gone.has(lsn), `version ${lsn}`).toBe(!isNeeded);
    }
    for (const rows of plan.rows) remove(this.stored, rows);
    this.versions = [...plan.kept];
    for (const [lsn, seen] of before) expect(seenAt(this.stored, lsn)).toEqual(seen);
    if (!plan.everything) this.#expectNoMore();
  }

  /** Every row that is left is seen by some version, and each version lists what it changed. */
  #expectNoMore(): void {
    const seen = new Set<number | undefined>();
    for (const [index, { lsn, changedRows }] of this.versions.entries()) {
      const rows = seenAt(this.stored, lsn);
      for (const value of rows) seen.add(value);
      const before = this.versions[index - 1];
      const differs =
        before === undefined
          ? []
          : rows.flatMap((value, row) =>
              value === seenAt(this.stored, before.lsn)[row] ? [] : row,
            );
      expect(changedRows).toEqual(differs);
    }
    for (const versions of this.stored.values()) {
      for (const value of versions.values()) expect(seen.has(value)).toBe(true);
    }
  }
}

describe("versions of a page map that go", () => {
  test("take exactly the rows with them that no version that stays can see", () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const random = simulatedWorld({ seed }).random;
      const life = new Life(random);
      let pins: number[] = [];
      let horizonLsn = 0;
      for (let step = 0; step < 25; step += 1) {
        if (random.chance(0.6)) life.commit();
        if (random.chance(0.3)) pins.push(life.newestLsn);
        if (random.chance(0.3)) pins = pins.filter(() => random.chance(0.6));
        if (random.chance(0.3)) horizonLsn += random.below(life.newestLsn - horizonLsn + 1);
        life.plan(pins, horizonLsn, true);
      }
      if (pins.length > 0) life.plan(pins, horizonLsn, false);
    }
  });

  test("of a database that was dropped and that nobody pins are all of them", () => {
    const lsn = (n: number) => n as Lsn;
    const versions = [
      { lsn: lsn(1), changedRows: [] },
      { lsn: lsn(5), changedRows: [0] },
    ];
    const needs = { versions, pins: [], isLive: false, horizonLsn: lsn(0) };
    expect(planVersions(needs)).toMatchObject({ kept: [], gone: [1, 5], everything: true });
  });
});
