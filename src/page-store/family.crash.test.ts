import { describe, expect, test } from "vitest";
import { at, collect, commit, commitSpilled, now } from "./family.fixture.ts";
import { Rig, type RigOptions } from "./rig.fixture.ts";

describe("a crash", () => {
  /** Two forks, a snapshot, a dropped origin and a spilled commit, and a checkpoint begun. */
  async function busy(options: RigOptions) {
    const rig = await Rig.open(options);
    const { catalogue } = rig;
    const origin = catalogue.create();
    const parent = catalogue.create();
    commit(rig, origin, { 1: 1, 2: 2, 600: 3 });
    commit(rig, parent, { 1: 4, 2: 5 });
    await rig.checkpoint();
    commit(rig, origin, { 2: 20 });
    const lsn = catalogue.snapshot(origin, "kept");
    commit(rig, origin, { 1: 10, 600: 30 });
    const fork = catalogue.fork(origin);
    commit(rig, fork, { 2: 200 });
    commitSpilled(rig, origin, { 2: 21, 3: 22 });
    const orphan = catalogue.fork(parent);
    commit(rig, orphan, { 3: 6 });
    catalogue.drop(parent);
    rig.log.makeDurable();
    const check = (what: string) => {
      const few = (fills: number[]) => fills.filter((fill) => fill > 0);
      expect(few(now(rig, origin)), what).toEqual([10, 21, 22, 30]);
      expect(few(at(rig, origin, lsn)), what).toEqual([1, 20, 3]);
      expect(few(now(rig, fork)), what).toEqual([10, 200, 30]);
      expect(now(rig, orphan), what).toEqual([4, 5, 6]);
    };
    return { rig, origin, check };
  }

  // evidence: G18
  test("at any call of a checkpoint with forks and snapshots leaves every moment as it was", async () => {
    for (const how of ["kill", "power"] as const) {
      for (let call = 1; ; call += 1) {
        const { rig, check } = await busy({ seed: call });
        const done = rig.beginCheckpoint();
        rig.world.disk.crashAt(call, how);
        await rig.world.run(done).catch((error) => {
          if (rig.world.alive) throw error;
        });
        if (rig.world.alive) break; // All calls are through: the crash did not come.
        await rig.start();
        check(`${how}, call ${call}`);
        await rig.checkpoint();
        check(`${how}, call ${call}, folded`);
        await rig.restart("power");
        check(`${how}, call ${call}, folded and opened`);
        expect(await rig.chunkFiles()).toHaveLength(rig.manifest.opened.chunks.length);
      }
    }
  });

  // evidence: G19
  test("at any call of a collection deletes nothing that is needed, and what is left goes later", async () => {
    for (let call = 1; call < 60; call += 1) {
      const { rig, origin, check } = await busy({ seed: call });
      await rig.checkpoint();
      const gone = rig.catalogue.snapshot(origin, "gone");
      commit(rig, origin, { 4: 40 });
      await rig.checkpoint();
      commit(rig, origin, { 4: 0, end: 600 });
      await rig.checkpoint();
      rig.catalogue.dropSnapshot(origin, "gone");
      rig.log.makeDurable();
      await rig.world.run(rig.catalogue.publish(rig.log.durableLsn));
      const collected = rig.store.collect({ dryRun: false });
      rig.world.disk.crashAt(call, "power");
      await rig.world.run(collected).catch((error) => {
        if (rig.world.alive) throw error;
      });
      const isThrough = rig.world.alive;
      if (isThrough) await rig.restart("power");
      else await rig.start();
      check(`call ${call}`);
      await rig.checkpoint();
      await collect(rig);
      expect(() => rig.store.view(origin, gone)).toThrow("not kept");
      expect(await rig.chunkFiles()).toHaveLength(rig.store.stats.chunks);
      if (isThrough) break;
    }
  });
});
