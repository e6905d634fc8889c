import { expect, test } from "vitest";
import type { Lsn, StreamId } from "../base/units.ts";
import { pageNumber } from "../base/units.ts";
import { Rig } from "./rig.fixture.ts";

const PAGE_BYTES = 512;

interface Change {
  readonly pageCount: number;
  /** Filled with this. */
  readonly pages?: Readonly<Record<number, number>>;
}

function commit(rig: Rig, stream: StreamId, { pageCount, pages = {} }: Change): Lsn {
  const space = rig.store.space(stream);
  const base = space.pin(space.newestLsn);
  const images = Object.entries(pages).map(
    ([page, fill]) => [Number(page), new Uint8Array(PAGE_BYTES).fill(fill)] as const,
  );
  const change = { base, pageCount, pageBytes: PAGE_BYTES, pages: new Map(images) };
  const lsn = space.stage(change).seal();
  space.unpin(base);
  return lsn;
}

// evidence: G21, G22
test("a database that was emptied and grew again within one checkpoint shows nothing of what it had", async () => {
  const rig = await Rig.open({ seed: 1 });
  const stream = rig.catalogue.create();
  commit(rig, stream, { pageCount: 2, pages: { 1: 1, 2: 2 } });
  rig.catalogue.snapshot(stream, "full");
  await rig.checkpoint();
  commit(rig, stream, { pageCount: 0 });
  rig.catalogue.snapshot(stream, "empty");
  commit(rig, stream, { pageCount: 1 });
  rig.catalogue.snapshot(stream, "grown");
  commit(rig, stream, { pageCount: 2, pages: { 2: 3 } });
  await rig.checkpoint();
  for (const reopen of [false, true]) {
    if (reopen) await rig.restart("power");
    const space = rig.store.space(stream);
    const snapshot = space.pin(space.newestLsn);
    expect([1, 2].map((page) => space.read(snapshot, pageNumber(page))[0])).toEqual([0, 3]);
    space.unpin(snapshot);
  }
});
