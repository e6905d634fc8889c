import { describe, expect, test } from "vitest";
import { pageNumber, type StreamId } from "../base/units.ts";
import type { ImageCodec } from "../chunk/index.ts";
import { type SeededRandom, seeded } from "../io/index.ts";
import { MAP_ROW_PAGES } from "../manifest/index.ts";
import { AMPLIFICATION_MAX } from "./collection/compaction-plan.ts";
import { chunkOf, NOWHERE } from "./maps/location.ts";
import type { PageSpace } from "./page-space.ts";
import { Rig } from "./rig.fixture.ts";

const PAGE_BYTES = 512;
const PAGES = 1200;
const STEPS = 40;

/** A database with as many pages as there are, each of which can be told by its version. */
function write(space: PageSpace, pages: Iterable<number>, version: number): void {
  const base = space.pin(space.newestLsn);
  const changed = new Map([...pages].map((page) => [page, imageOf(page, version)]));
  const pageCount = Math.max(base.pageCount, ...changed.keys());
  space.stage({ base, pageCount, pageBytes: PAGE_BYTES, pages: changed }).seal();
  space.unpin(base);
}

function imageOf(page: number, version: number): Uint8Array {
  return seeded(1000 * page + version)
    .bytes(PAGE_BYTES)
    .fill(7, 0, 100 + (page % 300));
}

function* pagesOf(random: SeededRandom, share: number): Generator<number> {
  for (let page = 1; page <= PAGES; page += 1) if (random.chance(share)) yield page;
}

/** What the files take, and what of them is named, page by page: counted from rows and files alone. */
async function measure(rig: Rig, streams: Iterable<StreamId>) {
  const named = new Map<number, Set<number>>();
  for (const stream of streams) {
    for (let rowIndex = 0; rowIndex <= PAGES / MAP_ROW_PAGES; rowIndex += 1) {
      for (const { locations } of rig.manifest.mapRowVersions(stream, rowIndex)) {
        for (const location of locations) {
          if (location === NOWHERE) continue;
          const chunk = chunkOf(location);
          named.set(chunk, (named.get(chunk) ?? new Set()).add(location));
        }
      }
    }
  }
  let [fileBytes, usedBytes] = [0, 0];
  for (const path of await rig.chunkFiles()) {
    const bytes = rig.world.disk.contents(path) ?? new Uint8Array();
    const chunk = Number.parseInt(path.slice(-22, -6), 16);
    const pageCount = new DataView(bytes.buffer, bytes.byteOffset).getUint32(88, true);
    fileBytes += bytes.length;
    usedBytes += (bytes.length * (named.get(chunk)?.size ?? 0)) / pageCount;
  }
  return { fileBytes, usedBytes };
}

async function live(seed: number, compression: ImageCodec) {
  const limits = { cacheBytes: 65_536, chunkBytes: 512 * 1024, compression };
  const rig = await Rig.open({ seed, limits });
  const random = rig.world.random.fork();
  const { catalogue, log } = rig;
  const all = [catalogue.create()];
  write(rig.store.space(all[0] as StreamId), pagesOf(random, 1), 0);
  for (let step = 1; step <= STEPS; step += 1) {
    const stream = random.pick(catalogue.live);
    write(rig.store.space(stream), pagesOf(random, random.pick([0.02, 0.1, 0.5])), step);
    if (random.chance(0.2)) catalogue.snapshot(stream, `step-${step}`);
    if (random.chance(0.15) && catalogue.live.length < 6) {
      all.push(catalogue.fork(stream, log.newestLsn));
    }
    const snapshots = [...catalogue.snapshots.values()];
    if (random.chance(0.2) && snapshots.length > 0) {
      const { stream: of, name } = random.pick(snapshots);
      catalogue.dropSnapshot(of, name);
    }
    if (random.chance(0.07) && catalogue.live.length > 1) catalogue.drop(stream);
    if (random.chance(0.5)) await rig.checkpoint();
  }
  await rig.checkpoint();
  return { rig, all };
}

/** Every page of every database that is there. */
function contents(rig: Rig): string[] {
  return rig.catalogue.live.map((stream) => {
    const space = rig.store.space(stream);
    const snapshot = space.pin(space.newestLsn);
    const pages = Array.from({ length: snapshot.pageCount }, (_, index) =>
      Buffer.from(space.read(snapshot, pageNumber(index + 1))).toString("latin1"),
    );
    space.unpin(snapshot);
    return pages.join();
  });
}

describe("the space that a store takes", () => {
  // evidence: G25
  test.each([
    [1, "none"],
    [2, "deflate"],
  ] as const)(
    "(seed %i, %s) is at most twice what can be reached once it was collected, and nothing of it is lost",
    async (seed, codec) => {
      const { rig, all } = await live(seed, codec);
      const before = contents(rig);
      const dry = await rig.world.run(rig.store.collect({ dryRun: true }));
      const report = await rig.world.run(rig.store.collect({ dryRun: false }));
      const { fileBytes, usedBytes } = await measure(rig, all);
      expect(usedBytes).toBeGreaterThan(0);
      expect(fileBytes / usedBytes).toBeLessThanOrEqual(AMPLIFICATION_MAX);
      expect(report.amplificationAfter).toBeCloseTo(fileBytes / usedBytes, 1);
      expect(dry.amplificationAfter).toBeLessThanOrEqual(AMPLIFICATION_MAX);
      expect(contents(rig)).toEqual(before);
      await rig.restart("power");
      expect(contents(rig)).toEqual(before);
      expect(await rig.world.run(rig.store.collect({ dryRun: false }))).toMatchObject({
        chunks: 0,
        compacted: 0,
      });
    },
  );

  test("stays within the bound and what two checkpoints write, whatever is written how often", async () => {
    const limits = { cacheBytes: 65_536, chunkBytes: 256 * 1024 };
    const rig = await Rig.open({ seed: 5, limits });
    const random = rig.world.random.fork();
    const stream = rig.catalogue.create();
    write(rig.store.space(stream), pagesOf(random, 1), 0);
    await rig.checkpoint();
    let written = 0;
    for (let step = 1; step <= 20; step += 1) {
      write(rig.store.space(stream), pagesOf(random, 0.25), step);
      const { bytes } = await rig.checkpoint();
      const { fileBytes, usedBytes } = await measure(rig, [stream]);
      expect(fileBytes).toBeLessThanOrEqual(AMPLIFICATION_MAX * usedBytes + bytes + written);
      written = bytes;
    }
  });
});
