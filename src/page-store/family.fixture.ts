/** COMMITS AND LOOKS for tests of families: pages of one byte each, so that a page is a number. */
import { type Lsn, pageNumber, type StreamId } from "../base/units.ts";
import type { FrozenSpace, PageSpace } from "./page-space.ts";
import type { Rig } from "./rig.fixture.ts";

const PAGE_BYTES = 512;

type Fills = Readonly<Record<number, number>>;

function image(fill: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(fill);
}

/** Writes pages, each of one byte. `end`: what lies above this page is gone. */
export function commit(rig: Rig, stream: StreamId, { end, ...pages }: Fills & { end?: number }) {
  const space = rig.store.space(stream);
  const base = space.pin(space.newestLsn);
  const changed = new Map(Object.entries(pages).map(([page, fill]) => [Number(page), image(fill)]));
  const size = end ?? Math.max(base.pageCount, ...changed.keys());
  const change = { base, pageCount: size, pageBytes: PAGE_BYTES, pages: changed };
  const lsn = space.stage(change).seal();
  space.unpin(base);
  return lsn;
}

export function commitSpilled(rig: Rig, stream: StreamId, pages: Fills): Lsn {
  const space = rig.store.space(stream);
  const base = space.pin(space.newestLsn);
  const spill = space.spill(base, PAGE_BYTES);
  const numbers = Object.keys(pages).map(Number);
  spill.put(new Map(numbers.map((page) => [page, image(pages[page] ?? 0)])));
  const pageCount = Math.max(base.pageCount, ...numbers);
  const change = { base, pageCount, pageBytes: PAGE_BYTES, pages: new Map(), spill };
  const lsn = space.stage(change).seal();
  spill.close();
  space.unpin(base);
  return lsn;
}

function fillsOf(space: PageSpace): number[] {
  const snapshot = space.pin(space.newestLsn);
  const found = Array.from(
    { length: snapshot.pageCount },
    (_, index) => space.read(snapshot, pageNumber(index + 1))[0] ?? -1,
  );
  space.unpin(snapshot);
  return found;
}

export function now(rig: Rig, stream: StreamId): number[] {
  return fillsOf(rig.store.space(stream));
}

export function at(rig: Rig, stream: StreamId, lsn: Lsn): number[] {
  const space: FrozenSpace = rig.store.view(stream, lsn);
  const found = fillsOf(space);
  space.close();
  return found;
}

export const collect = (rig: Rig, dryRun = false) => rig.world.run(rig.store.collect({ dryRun }));
