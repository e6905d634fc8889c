import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { KIB, MIB, streamId } from "../../base/units.ts";
import { offsetOf } from "../maps/location.ts";
import {
  chunkAt,
  evict,
  fill,
  flipAt,
  imageOf,
  type RemoteRig,
  readOne,
  readPages,
  remoteRig,
} from "./bucket.fixture.ts";
import { PagesAway } from "./pages-away.ts";

const PAGE_BYTES = 4096;
/** Files of chunks do not fit at all: each goes as soon as it may. */
const NOTHING = { diskBytes: 1, cacheBytes: 64 * KIB };

/** A database in one chunk, which the bucket has. */
async function shipped(pages: number, limits = {}): Promise<RemoteRig & { path: string }> {
  const { rig, bucket } = await remoteRig(7, { cacheBytes: 64 * KIB, ...limits });
  fill(rig, 1, { pages, pageBytes: PAGE_BYTES });
  await rig.checkpoint();
  const [path = ""] = await rig.chunkFiles();
  await bucket.ship(rig);
  return { rig, bucket, path };
}

/** Page by page as `fill` wrote them, from the first that is given on. */
function areRight(images: readonly Uint8Array[], firstPage = 1): boolean {
  return images.every((image, index) => {
    const written = imageOf(firstPage + index, { pageBytes: PAGE_BYTES });
    return Buffer.compare(image, written) === 0;
  });
}

const allBut = (page: number, pages: number) =>
  Array.from({ length: pages }, (_, index) => index + 1).filter((each) => each !== page);

const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;

describe("a chunk that was evicted", () => {
  // evidence: G38
  test("is read back from the bucket, page by page as it was, and is a file again when it is whole", async () => {
    const { rig, path } = await shipped(64, NOTHING);
    const before = rig.world.disk.contents(path);
    expect(rig.store.residency.mayHaveRemotePages).toBe(false);
    await evict(rig);
    expect(await rig.chunkFiles()).toEqual([]);
    expect(rig.store.residency.mayHaveRemotePages).toBe(true);
    rig.limits = { cacheBytes: 64 * KIB };
    await rig.restart("kill");
    const { images, misses } = await readPages(rig, 1);
    expect([images.length, areRight(images)]).toEqual([64, true]);
    expect(misses).toBe(1);
    await evict(rig);
    expect(isSame(rig.world.disk.contents(path), before)).toBe(true);
    expect(rig.store.residency.mayHaveRemotePages).toBe(false);
    await rig.restart("power");
    expect((await readPages(rig, 1)).misses).toBe(0);
  });

  // evidence: G12
  test("goes when the mirror of the manifest has it that the bucket has it, and not before", async () => {
    const { rig } = await shipped(64, NOTHING);
    let filesThen: readonly string[] = [];
    rig.settle = async () => {
      filesThen = rig.world.disk.files(/\/chunks\//);
    };
    await evict(rig);
    expect(filesThen).toHaveLength(1);
    expect(await rig.chunkFiles()).toEqual([]);
  });

  test("stays if the bucket does not have it for sure", async () => {
    const { rig, bucket } = await shipped(64, NOTHING);
    bucket.safe.clear();
    await evict(rig);
    expect(await rig.chunkFiles()).toHaveLength(1);
    expect(rig.store.residency.stats.evictedChunks).toBe(0);
  });

  test("of many pages is scanned with a number of waits that grows with their logarithm", async () => {
    const waits: number[] = [];
    for (const pages of [150, 300, 600]) {
      const { rig } = await shipped(pages, NOTHING);
      await evict(rig);
      rig.limits = { cacheBytes: 64 * KIB };
      await rig.restart("kill");
      const { images, misses } = await readPages(rig, 1);
      expect([images.length, areRight(images)]).toEqual([pages, true]);
      waits.push(misses);
    }
    // The first fits in one chunk of a size that is fetched at once.
    expect(waits).toEqual([1, 5, 6]);
  });

  test("gives one page for little more than the block that it lies in", async () => {
    const { rig } = await shipped(500, NOTHING);
    await evict(rig);
    await readPages(rig, 1, [300]);
    await evict(rig);
    const { fetchedBytes, partBytes } = rig.store.residency.stats;
    expect(fetchedBytes).toBeLessThanOrEqual(256 * KIB);
    expect(partBytes).toBe(0); // The visit is over: it went again.
  });

  test("is fetched once, however many wait for the same of it", async () => {
    const { rig, bucket } = await shipped(500, NOTHING);
    await evict(rig);
    const reads = [1, 2, 3].map(() => readAway(rig, 300));
    const visits = reads.map(() => rig.store.residency.visit());
    await rig.world.run(
      Promise.all(reads.map((away, index) => away.bring(visits[index] ?? fail()))),
    );
    const keys = bucket.asked.map(({ offset }) => offset);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("stays here until the statement that it was brought for has ended, whatever the budget", async () => {
    const { rig } = await shipped(64, NOTHING);
    await evict(rig);
    const { space, snapshot, visit } = reading(rig);
    await readOne({ rig, space, snapshot, visit }, 1);
    await evict(rig);
    for (let page = 1; page <= 64; page += 1) space.read(snapshot, page as never);
    expect(visit.misses).toBe(1);
    visit.end();
    await evict(rig);
    expect(rig.store.residency.stats).toMatchObject({ localBytes: 0, bothBytes: 0, partBytes: 0 });
  });

  test("is compacted as others are, and left alone while the bucket does not answer", async () => {
    const { rig, bucket } = await shipped(300, NOTHING);
    await evict(rig);
    bucket.service.faults.state.down = true;
    fill(rig, 1, { pages: 280, pageBytes: PAGE_BYTES, salt: 1, pageCount: 300 });
    await rig.checkpoint();
    expect(rig.store.residency.stats.remoteBytes).toBeGreaterThan(MIB);
    bucket.service.faults.state.down = false;
    await rig.world.pass(10 * 60_000);
    fill(rig, 2, { pages: 1, pageBytes: PAGE_BYTES });
    await rig.checkpoint();
    expect(rig.store.residency.stats.remoteBytes).toBe(0);
    const { images } = await readPages(rig, 1);
    expect(areRight(images.slice(280), 281)).toBe(true);
  });

  test("that died leaves nothing of what was fetched of it", async () => {
    const { rig } = await shipped(500, { cacheBytes: 64 * KIB, diskBytes: 1 });
    await evict(rig);
    const { space, snapshot, visit } = reading(rig);
    await readOne({ rig, space, snapshot, visit }, 1);
    space.unpin(snapshot);
    fill(rig, 1, { pages: 500, pageBytes: PAGE_BYTES, salt: 3 });
    await rig.checkpoint();
    await settled(rig);
    expect(rig.store.residency.stats.partBytes).toBe(0);
    expect(await temporary(rig)).toEqual([]);
    visit.end();
  });
});

describe("a chunk that is damaged here", () => {
  // evidence: G39
  test("is served from the bucket where it is damaged, and made whole", async () => {
    const { rig, path } = await shipped(300);
    const before = rig.world.disk.contents(path);
    flipAt(rig, path, MIB);
    const { images, misses } = await readPages(rig, 1);
    expect([images.length, areRight(images)]).toEqual([300, true]);
    expect(misses).toBe(1);
    await evict(rig);
    await settled(rig);
    expect(isSame(rig.world.disk.contents(path), before)).toBe(true);
    expect(rig.healed).toMatchObject([{ chunk: chunkAt(path), file: path }]);
    await rig.restart("power");
    expect((await readPages(rig, 1)).misses).toBe(0);
  });

  test("is healed if its header, all of it, or the file itself is gone, or cannot be read", async () => {
    const damages: ((remote: RemoteRig & { path: string }) => unknown)[] = [
      ({ rig, path }) => flipAt(rig, path, 9),
      ({ rig, path }) => rig.world.disk.replace(path, new Uint8Array(900_000)),
      ({ rig, path }) => rig.world.disk.replace(path, new Uint8Array(0)),
      ({ rig, path }) => rig.world.run(rig.world.start().storage.unlink(path)),
      ({ rig }) => rig.world.disk.failNext({ operation: "read", pathPattern: /chunk$/, times: 3 }),
      ({ rig }) => rig.world.disk.failNext({ operation: "open", pathPattern: /chunk$/ }),
    ];
    for (const damage of damages) {
      const remote = await shipped(300);
      const before = remote.rig.world.disk.contents(remote.path);
      await damage(remote);
      expect(areRight((await readPages(remote.rig, 1)).images)).toBe(true);
      await settled(remote.rig);
      expect(isSame(remote.rig.world.disk.contents(remote.path), before)).toBe(true);
      expect(remote.rig.healed).toHaveLength(1);
    }
  });

  test("fails those who need the damaged page if the bucket does not have it, and nobody else", async () => {
    const { rig, bucket, path } = await shipped(300);
    bucket.put.clear();
    const page = flipPage(rig, path, MIB);
    await expect(readPages(rig, 1, [page])).rejects.toMatchObject({ code: "BOP_CORRUPT" });
    expect((await readPages(rig, 1, [1, 300])).images).toHaveLength(2);
  });

  test("serves its sound pages while the bucket does not answer, and is whole when it does", async () => {
    const { rig, bucket, path } = await shipped(300);
    const page = flipPage(rig, path, MIB);
    bucket.service.faults.state.down = true;
    await expect(readPages(rig, 1, [page])).rejects.toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
    const others = allBut(page, 300);
    expect((await readPages(rig, 1, others)).misses).toBe(0);
    bucket.service.faults.state.down = false;
    await evict(rig);
    await settled(rig);
    expect((await readPages(rig, 1)).misses).toBe(0);
    expect(rig.healed).toHaveLength(1);
  });

  test("and in the bucket is reported with both, for that page only", async () => {
    const { rig, bucket, path } = await shipped(300);
    const page = flipPage(rig, path, MIB);
    await bucket.damage(rig, chunkAt(path), MIB);
    const error = await readPages(rig, 1, [page]).catch((caught) => caught);
    expect(isStorageError(error, "BOP_CORRUPT") && error.details.why).toContain("in the bucket");
    const others = allBut(page, 300);
    expect((await readPages(rig, 1, others)).images).toHaveLength(299);
    expect(rig.healed).toEqual([]);
  });

  test("is healed when somebody else finds it, who hears how it ended", async () => {
    const { rig, bucket, path } = await shipped(300);
    const chunk = chunkAt(path);
    flipAt(rig, path, MIB);
    const distrust = () => rig.world.run(rig.store.residency.distrust(chunk, "a scrub found it"));
    bucket.service.faults.state.down = true;
    expect(await distrust()).toBe("unavailable");
    bucket.service.faults.state.down = false;
    expect(await distrust()).toBe("healed");
    expect(rig.healed).toEqual([{ chunk, file: path, why: "a scrub found it" }]);
    await bucket.damage(rig, chunk, MIB);
    expect(await distrust()).toBe("bad copy");
    expect(areRight((await readPages(rig, 1)).images)).toBe(true);
    bucket.put.clear();
    await rig.restart("close");
    expect(await distrust()).toBe("no copy");
  });
});

describe("a page that cannot be fetched", () => {
  test("for want of the bucket fails its statement, and those of other pages go on", async () => {
    const { rig, bucket } = await shipped(500, NOTHING);
    await evict(rig);
    bucket.service.faults.state.down = true;
    await expect(readPages(rig, 1, [7])).rejects.toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
    fill(rig, 2, { pages: 3, pageBytes: PAGE_BYTES });
    await rig.checkpoint();
    expect((await readPages(rig, 2)).images).toHaveLength(3);
    bucket.service.faults.state.down = false;
    expect(areRight((await readPages(rig, 1, [7])).images, 7)).toBe(true);
  });

  test("for want of room says so, once what can go has gone, and is there when there is room", async () => {
    const { rig } = await shipped(500, NOTHING);
    await evict(rig);
    rig.world.disk.capacityBytes = MIB;
    await expect(readPages(rig, 1, [7])).rejects.toMatchObject({ code: "BOP_DISK_FULL" });
    rig.world.disk.capacityBytes = Number.POSITIVE_INFINITY;
    rig.world.disk.failNext({
      operation: "write",
      pathPattern: /part$/,
      error: "ENOSPC",
      times: 2,
    });
    await expect(readPages(rig, 1, [7])).rejects.toMatchObject({ code: "BOP_DISK_FULL" });
    rig.world.disk.heal();
    expect(areRight((await readPages(rig, 1)).images)).toBe(true);
  });

  test("since the store closes is told so, and nothing keeps the store from closing", async () => {
    const { rig } = await shipped(500, NOTHING);
    await evict(rig);
    const away = readAway(rig, 7);
    const brought = away.bring(rig.store.residency.visit()).catch((error) => error);
    await rig.world.run(rig.store.close());
    expect(await rig.world.run(brought)).toMatchObject({ code: "BOP_CLOSED" });
    await expect(away.bring(rig.store.residency.visit())).rejects.toMatchObject({
      code: "BOP_CLOSED",
    });
  });

  test("in time for one who gives up is fetched for the others all the same", async () => {
    const { rig } = await shipped(500, NOTHING);
    await evict(rig);
    const away = readAway(rig, 7);
    const giving = new AbortController();
    const first = away.bring(rig.store.residency.visit(giving.signal)).catch((error) => error);
    const second = away.bring(rig.store.residency.visit());
    giving.abort(new Error("gave up"));
    expect(await first).toMatchObject({ message: "gave up" });
    await rig.world.run(second);
  });
});

describe("a chunk that is opened by who can wait", () => {
  test("is read wherever it is, while it goes and comes", async () => {
    const { rig, path } = await shipped(300, NOTHING);
    const before = rig.world.disk.contents(path) ?? new Uint8Array();
    const file = await rig.world.run(rig.store.residency.open(chunkAt(path)));
    const look = async (at: number) => {
      const into = new Uint8Array(100_000);
      const count = await rig.world.run(file.read(into, at));
      expect(isSame(into.subarray(0, count), before.subarray(at, at + 100_000))).toBe(true);
    };
    await look(0);
    await evict(rig);
    await look(MIB);
    await look(before.length - 10);
    await evict(rig);
    await look(MIB);
    rig.world.disk.failNext({ operation: "read", pathPattern: /part$/ });
    await look(MIB);
    expect(await rig.world.run(file.size())).toBe(before.length);
    await file.close();
  });

  test("is not evicted while it is held, and is refused if nobody has it", async () => {
    const { rig, path, bucket } = await shipped(300, NOTHING);
    const { residency } = rig.store;
    const file = await rig.world.run(residency.open(chunkAt(path), { hold: true }));
    await evict(rig);
    expect(await rig.chunkFiles()).toEqual([path]);
    await file.close();
    await evict(rig);
    bucket.put.clear();
    await expect(rig.world.run(residency.open(chunkAt(path)))).rejects.toMatchObject({
      code: "ENOENT",
    });
  });
});

/** What the read of a page that is away throws. */
function readAway(rig: RemoteRig["rig"], page: number): PagesAway {
  const { space, snapshot } = reading(rig);
  try {
    space.read(snapshot, page as never);
  } catch (error) {
    if (error instanceof PagesAway) return error;
    throw error;
  }
  return fail();
}

function reading(rig: RemoteRig["rig"]) {
  const space = rig.store.space(streamId(1));
  return { space, snapshot: space.pin(space.newestLsn), visit: rig.store.residency.visit() };
}

/** Damages the record that a byte of a chunk belongs to; returns the page. */
function flipPage(rig: RemoteRig["rig"], path: string, at: number): number {
  flipAt(rig, path, at);
  const row = rig.manifest.mapRow(streamId(1), 0, Number.MAX_SAFE_INTEGER as never);
  const offsets = [...(row?.locations ?? [])].map(offsetOf);
  return offsets.findLastIndex((offset) => offset > 0 && offset <= at) + 1;
}

/** What goes on behind everybody's back has ended. */
async function settled(rig: RemoteRig["rig"]): Promise<void> {
  for (let step = 0; step < 50; step += 1) await rig.world.pass(100);
}

async function temporary(rig: RemoteRig["rig"]): Promise<readonly string[]> {
  return rig.world.run(() => rig.world.start().storage.list("/data/tmp"));
}

function fail(): never {
  throw new Error("it was there");
}
