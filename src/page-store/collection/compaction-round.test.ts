import { describe, expect, test } from "vitest";
import { pageNumber, type StreamId } from "../../base/units.ts";
import { Rig } from "../rig.fixture.ts";

const PAGE_BYTES = 4096;
/** More than what is small for a chunk. */
const PAGES = 100;
const KEPT = 10;

/** Its pages up to one are filled with a byte. */
function fill(rig: Rig, stream: StreamId, [upTo, byte]: readonly [number, number]): void {
  const space = rig.store.space(stream);
  const base = space.pin(space.newestLsn);
  const changed = new Map(pagesUpTo(upTo).map((page) => [page, image(byte)]));
  space.stage({ base, pageCount: PAGES, pageBytes: PAGE_BYTES, pages: changed }).seal();
  space.unpin(base);
}

function read(rig: Rig, stream: StreamId): (number | undefined)[] {
  const space = rig.store.space(stream);
  const snapshot = space.pin(space.newestLsn);
  const bytes = pagesUpTo(PAGES).map((page) => space.read(snapshot, pageNumber(page))[0]);
  space.unpin(snapshot);
  return bytes;
}

const image = (byte: number) => new Uint8Array(PAGE_BYTES).fill(byte);
const pagesUpTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** A store whose next collection moves the pages that are still used of its first chunk. */
async function sparseOnceCollected() {
  const rig = await Rig.open({ seed: 1 });
  const stream = rig.catalogue.create();
  fill(rig, stream, [PAGES, 1]);
  await rig.checkpoint();
  const space = rig.store.space(stream);
  const reader = space.pin(space.newestLsn);
  fill(rig, stream, [PAGES - KEPT, 2]);
  await rig.checkpoint();
  space.unpin(reader);
  const expected = pagesUpTo(PAGES).map((page) => (page > PAGES - KEPT ? 1 : 2));
  return { rig, stream, expected };
}

const chunksOf = (rig: Rig) => [...rig.store.chunks.rows()].map(({ chunk }) => chunk as number);
const files = async (rig: Rig) =>
  (await rig.chunkFiles()).map((path) => Number.parseInt(path.slice(-22, -6), 16));

describe("files that a round of compaction has emptied", () => {
  // evidence: G21
  test("go when its commit is settled, so that a mirror of the manifest names nothing that is gone", async () => {
    const { rig, stream, expected } = await sparseOnceCollected();
    const before = chunksOf(rig);
    let mirrored: readonly number[] = before;
    let isThere = true;
    const published = async () => {
      const { disk } = rig.world;
      const names = disk.files(/\/chunks\/.*\.chunk$/);
      const there = names.map((path) => Number.parseInt(path.slice(-22, -6), 16));
      isThere &&= mirrored.every((chunk) => there.includes(chunk));
      mirrored = chunksOf(rig);
    };
    const report = await rig.world.run(rig.store.collect({ dryRun: false, published }));
    expect(report.compacted).toBe(1);
    expect(chunksOf(rig)).not.toEqual(before);
    expect(isThere).toBe(true);
    expect(await files(rig)).toEqual(expect.arrayContaining([...mirrored]));
    expect(await files(rig)).toEqual(chunksOf(rig));
    expect(read(rig, stream)).toEqual(expected);
  });
});

describe("a round of compaction that the manifest refuses", () => {
  test("leaves its files until a later commit is settled, and then they go", async () => {
    const { rig, stream, expected } = await sparseOnceCollected();
    const published = async () => rig.stores.failNextCommit({ applied: true, error: "ENOSPC" });
    const collected = rig.store.collect({ dryRun: false, published });
    await expect(rig.world.run(collected)).rejects.toThrow("ENOSPC");
    expect(await files(rig)).toEqual([1, 2, 3]);
    await rig.world.run(rig.store.collect({ dryRun: false }));
    expect(await files(rig)).toEqual([2, 4]);
    expect(read(rig, stream)).toEqual(expected);
    await rig.restart("kill");
    expect(chunksOf(rig)).toEqual([2, 4]);
    expect(read(rig, stream)).toEqual(expected);
  });
});
