import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { lsn } from "../../base/units.ts";
import { manifestWorld } from "../manifest.fixture.ts";

const failed = (promise: Promise<unknown>) => promise.catch((error: unknown) => error);

describe("watermarks", () => {
  test("the manifest's own rises with every commit, and lets go who waits for it", async () => {
    const { world, open } = manifestWorld(1);
    const manifest = await open();
    let reached = 0;
    const waits = [1, 2, 3].map((generation) =>
      manifest.waitFor("manifest", generation).then(() => {
        reached = generation;
      }),
    );
    await world.run(() => manifest.publish({}));
    expect(reached).toBe(2);
    await world.run(() => manifest.publish({}));
    await Promise.all(waits);
    expect(manifest.stats.waiting).toBe(0);
  });

  test("the checkpoint's is the generation of the commit that moved its LSN", async () => {
    const { world, open } = manifestWorld(2);
    const manifest = await open();
    await world.run(() => manifest.publish({ durableLsn: lsn(10) }));
    const wait = manifest.waitFor("checkpoint", 3);
    expect(manifest.stats.waiting).toBe(1);
    await world.run(() => manifest.publish({ checkpointLsn: lsn(10) }));
    await wait;
    expect(manifest.stats.watermarks).toEqual({ manifest: 3, checkpoint: 3 });
  });

  test("one that a component advanced is there after a crash", async () => {
    const { world, open } = manifestWorld(3);
    const manifest = await open();
    await world.run(() => manifest.advance("flush", 7));
    world.powerCut();
    const again = await open();
    await again.waitFor("flush", 7);
    expect(again.stats.watermarks).toMatchObject({ flush: 7 });
  });

  test("who waits too long hears of it, and nothing is left of the wait", async () => {
    const { world, open } = manifestWorld(4);
    const manifest = await open();
    const wait = failed(manifest.waitFor("flush", 9, { timeoutMs: 50 }));
    await world.pass(60);
    const error = await wait;
    expect(isStorageError(error, "BOP_TIMEOUT") && error.details.timeoutMs).toBe(50);
    expect(manifest.stats.waiting).toBe(0);
    await world.run(() => manifest.advance("flush", 9));
  });

  test("who is told to stop waiting hears the reason, at once if it was told before", async () => {
    const { open } = manifestWorld(5);
    const manifest = await open();
    const stop = new AbortController();
    const wait = failed(manifest.waitFor("flush", 9, { signal: stop.signal }));
    const reason = new Error("no longer wanted");
    stop.abort(reason);
    expect(await wait).toBe(reason);
    expect(await failed(manifest.waitFor("flush", 9, { signal: stop.signal }))).toBe(reason);
    expect(manifest.stats.waiting).toBe(0);
  });

  test("whoever waits when the manifest is closed is refused, and whoever comes later", async () => {
    const { world, open } = manifestWorld(6);
    const manifest = await open();
    const wait = failed(manifest.waitFor("flush", 9, { timeoutMs: 1000 }));
    await world.run(() => manifest.close());
    for (const error of [await wait, await failed(manifest.waitFor("flush", 1))]) {
      expect(isStorageError(error, "BOP_CLOSED")).toBe(true);
    }
    await manifest.waitFor("manifest", 1); // What has come has come.
  });
});
