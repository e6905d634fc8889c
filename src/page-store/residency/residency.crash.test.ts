import { describe, expect, test } from "vitest";
import { fill, flipAt, imageOf, type RemoteRig, readPages, remoteRig } from "./bucket.fixture.ts";

const PAGE_BYTES = 512;
const PAGES = 40;

/** Two databases, whose chunks the bucket has. */
async function shipped(seed: number, diskBytes?: number): Promise<RemoteRig> {
  const { rig, bucket } = await remoteRig(seed, { cacheBytes: 16 * 1024, diskBytes });
  for (const stream of [1, 2]) {
    fill(rig, stream, { pages: PAGES, pageBytes: PAGE_BYTES, salt: stream });
    await rig.checkpoint();
  }
  await bucket.ship(rig);
  return { rig, bucket };
}

async function check({ rig }: RemoteRig, what: string): Promise<void> {
  for (const stream of [1, 2]) {
    const { images } = await readPages(rig, stream);
    const written = { pageBytes: PAGE_BYTES, salt: stream };
    const wrong = images.findIndex((image, index) => {
      return Buffer.compare(image, imageOf(index + 1, written)) !== 0;
    });
    expect([images.length, wrong], `${what}, database ${stream}`).toEqual([PAGES, -1]);
  }
}

/** Ends the process at each call of what is done that changes something, in turn. */
async function crashEverywhere(
  make: (seed: number) => Promise<RemoteRig>,
  act: (remote: RemoteRig) => Promise<unknown>,
): Promise<number> {
  for (let call = 1; ; call += 1) {
    for (const how of ["kill", "power"] as const) {
      const remote = await make(call);
      const { rig } = remote;
      rig.world.disk.crashAt(call, how);
      await act(remote).catch((error) => {
        if (rig.world.alive) throw error;
      });
      if (rig.world.alive) return call - 1; // All calls are through: the crash did not come.
      rig.limits = { cacheBytes: 16 * 1024 };
      await rig.start();
      await check(remote, `${how}, call ${call}`);
      await rig.restart("power");
      await check(remote, `${how}, call ${call}, and opened again`);
    }
  }
}

const settle = async ({ rig }: RemoteRig) => {
  for (let step = 0; step < 10; step += 1) await rig.world.pass(100);
};

describe("a crash at any call", () => {
  // evidence: G38
  test("of an eviction leaves chunks that are here, or are read from the bucket", async () => {
    const calls = await crashEverywhere(
      (seed) => shipped(seed, 1),
      ({ rig }) => rig.world.run(rig.store.residency.evict()),
    );
    expect(calls).toBeGreaterThanOrEqual(1);
  });

  // evidence: G38
  test("of fetching a chunk, and of making a file of it, leaves what serves the same", async () => {
    const evicted = async (seed: number) => {
      const remote = await shipped(seed, 1);
      await remote.rig.world.run(remote.rig.store.residency.evict());
      remote.rig.limits = { cacheBytes: 16 * 1024 };
      await remote.rig.restart("kill");
      return remote;
    };
    const calls = await crashEverywhere(evicted, async (remote) => {
      await readPages(remote.rig, 1);
      await settle(remote);
    });
    expect(calls).toBeGreaterThanOrEqual(5);
  });

  // evidence: G39
  test("of a healing leaves the damaged file or the whole one, and both are served right", async () => {
    const damaged = async (seed: number) => {
      const remote = await shipped(seed);
      for (const path of await remote.rig.chunkFiles()) flipAt(remote.rig, path, 3000);
      return remote;
    };
    const calls = await crashEverywhere(damaged, async (remote) => {
      for (const stream of [1, 2]) await readPages(remote.rig, stream);
      await settle(remote);
      expect(remote.rig.healed).toHaveLength(1);
    });
    expect(calls).toBeGreaterThanOrEqual(5);
  });
});
