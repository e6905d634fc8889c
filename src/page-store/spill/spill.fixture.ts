/** Commits that are spilled in a rig, and what is found of them. */
import { type Lsn, pageNumber } from "../../base/units.ts";
import type { PageSpace } from "../page-space.ts";
import { Rig, type RigOptions } from "../rig.fixture.ts";

export const PAGE_BYTES = 512;
/** A chunk of the rig has room for seven pages. */
export const LIMITS = { chunkBytes: 4608 };

export type Fills = Readonly<Record<number, number>>;

export function images(fills: Fills): Map<number, Uint8Array> {
  const entries = Object.entries(fills);
  return new Map(entries.map(([page, fill]) => [Number(page), new Uint8Array(512).fill(fill)]));
}

interface Written {
  /** Put one after the other. */
  readonly spilled: readonly Fills[];
  readonly inMemory?: Fills;
  readonly pageCount?: number;
}

/** A commit that was too large for memory. */
export function spill(space: PageSpace, { spilled, inMemory = {}, pageCount }: Written): Lsn {
  const base = space.pin(space.newestLsn);
  const pages = images(inMemory);
  const spill = space.spill(base, PAGE_BYTES);
  const highest = Math.max(...[...spilled, inMemory].flatMap((it) => Object.keys(it).map(Number)));
  const count = pageCount ?? Math.max(base.pageCount, highest);
  try {
    for (const fills of spilled) spill.put(images(fills));
    const change = { base, pageCount: count, pageBytes: PAGE_BYTES, pages, spill };
    const lsn = space.stage(change).seal();
    spill.close();
    return lsn;
  } catch (error) {
    spill.discard();
    throw error;
  } finally {
    space.unpin(base);
  }
}

export function commit(space: PageSpace, fills: Fills, pageCount?: number): Lsn {
  const base = space.pin(space.newestLsn);
  const pages = images(fills);
  const count = pageCount ?? Math.max(base.pageCount, ...pages.keys());
  const lsn = space.stage({ base, pageCount: count, pageBytes: PAGE_BYTES, pages }).seal();
  space.unpin(base);
  return lsn;
}

export function fills(space: PageSpace, lsn: Lsn = space.newestLsn): number[] {
  const snapshot = space.pin(lsn);
  const found = Array.from(
    { length: snapshot.pageCount },
    (_, index) => space.read(snapshot, pageNumber(index + 1))[0] ?? -1,
  );
  space.unpin(snapshot);
  return found;
}

/** Pages 1 to `count`, each filled with its number plus `more`. */
export function upTo(count: number, more = 0): Fills {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [i + 1, i + 1 + more]));
}

export const rigOf = (options: Partial<RigOptions> = {}) =>
  Rig.open({ seed: 1, limits: LIMITS, ...options });
