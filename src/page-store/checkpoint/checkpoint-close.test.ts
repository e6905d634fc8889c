/** Closing in the middle of a checkpoint, at whichever of its changes to the disk it happens. */
import { expect, test } from "vitest";
import { type PageNumber, pageNumber } from "../../base/units.ts";
import type { PageSpace } from "../page-space.ts";
import { DIRECTORY, Rig } from "../rig.fixture.ts";

const PAGE_BYTES = 512;
const PAGES = 20;

/** Commits pages 1 to PAGES, each filled with one byte. */
function commit(space: PageSpace, fill: number): void {
  const base = space.pin(space.newestLsn);
  const pages = new Map<PageNumber, Uint8Array>();
  for (let n = 1; n <= PAGES; n++) {
    pages.set(pageNumber(n), space.takeBuffer(PAGE_BYTES).fill(fill + (n % 5)));
  }
  space.stage({ base, pageCount: PAGES, pageBytes: PAGE_BYTES, pages }).seal();
  space.unpin(base);
}

function fills(space: PageSpace): number[] {
  const snapshot = space.pin(space.newestLsn);
  const found = [1, 2, 3, 4, 5].map((n) => space.read(snapshot, pageNumber(n))[0] ?? -1);
  space.unpin(snapshot);
  return found;
}

async function within(rig: Rig, folder: string): Promise<readonly string[]> {
  return rig.world.run(() => rig.world.start().storage.list(`${DIRECTORY}/${folder}`));
}

/** Closes at the `n`-th change of a checkpoint; true if there were so many. */
async function closeAt(n: number): Promise<boolean> {
  const limits = { chunkBytes: 6 * 1024 }; // Several chunks.
  const rig = await Rig.open({ seed: 5, limits });
  const spaces = [rig.space(1), rig.space(2)];
  for (const space of spaces) commit(space, 10);
  await rig.checkpoint();
  for (const space of spaces) commit(space, 20);
  rig.log.makeDurable();
  const before = await rig.chunkFiles();
  const { disk } = rig.world;
  const atLeast = disk.changeCount + n;
  let outcome: string | undefined;
  rig.beginCheckpoint().then(
    () => {
      outcome = "done";
    },
    (error: { code?: string }) => {
      outcome = error.code;
    },
  );
  while (outcome === undefined && disk.changeCount < atLeast) await rig.world.pass(0.05);
  const reached = outcome === undefined;
  await rig.world.run(() => rig.store.close());
  expect(["done", "BOP_CLOSED"]).toContain(outcome);
  if (outcome === "BOP_CLOSED") expect(await rig.chunkFiles()).toEqual(before);
  expect(await within(rig, "tmp")).toEqual([]);
  const left = await rig.chunkFiles();
  await rig.world.run(() => rig.manifest.close());
  rig.world.kill();
  await rig.start();
  expect(await rig.chunkFiles()).toEqual(left);
  for (const stream of [1, 2]) expect(fills(rig.space(stream))).toEqual([21, 22, 23, 24, 20]);
  return reached;
}

test("wherever a checkpoint is when the store closes, it ends without a trace or is done, and nothing is lost", async () => {
  const outcomes: boolean[] = [];
  for (let n = 0; outcomes.at(-1) !== false; n++) outcomes.push(await closeAt(n));
  expect(outcomes.length).toBeGreaterThan(12);
});
