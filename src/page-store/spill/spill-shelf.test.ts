import { describe, expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { chunkId, LSN_ZERO, streamId } from "../../base/units.ts";
import { DIRECTORY, type Rig, STORE_ID } from "../rig.fixture.ts";
import { fills, rigOf, spill, upTo } from "./spill.fixture.ts";
import { SpillShelf } from "./spill-shelf.ts";

// evidence: G4
describe("a spilled commit whose chunk", () => {
  async function durable(): Promise<{ rig: Rig; path: string }> {
    const rig = await rigOf();
    spill(rig.space(1), { spilled: [upTo(10)] });
    rig.log.makeDurable();
    const [path = ""] = await rig.chunkFiles();
    return { rig, path };
  }

  test("is missing is corruption, and the store does not open without it", async () => {
    const { rig, path } = await durable();
    await rig.world.run(async () => rig.world.start().storage.unlink(path));
    await expect(rig.restart("kill")).rejects.toMatchObject({ code: "BOP_CORRUPT" });
  });

  test("was changed anywhere is corruption, and stays where it is", async () => {
    const { rig, path } = await durable();
    const bytes = present(rig.world.disk.contents(path), "the chunk is there");
    for (let at = 0; at < bytes.length; at += 97) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      rig.world.disk.replace(path, damaged);
      await expect(rig.restart("kill"), `byte ${at}`).rejects.toMatchObject({
        code: "BOP_CORRUPT",
      });
      expect(rig.world.disk.contents(path), `byte ${at}`).toEqual(damaged);
    }
    rig.world.disk.replace(path, bytes);
    await rig.restart("kill");
    expect(fills(rig.space(1))).toEqual(Object.values(upTo(10)));
  });

  test("was damaged when it was looked at, and is whole again, is claimed then", async () => {
    const { rig, path } = await durable();
    const bytes = present(rig.world.disk.contents(path), "the chunk is there");
    rig.world.disk.replace(path, bytes.slice(0, -1));
    const place = { directory: DIRECTORY, storeId: STORE_ID };
    const shelf = await rig.world.run(() => {
      return SpillShelf.open({ ...place, storage: rig.world.start().storage }, [1, 2].map(chunkId));
    });
    const commit = rig.log.restart(LSN_ZERO).find(({ stream }) => stream === 1);
    const claim = () => shelf.claim(present(commit, "it is durable"), streamId(1));
    expect(claim).toThrow(expect.objectContaining({ code: "BOP_CORRUPT" }));
    rig.world.disk.replace(path, bytes);
    await rig.world.run(() => shelf.lookAgain());
    expect(claim()?.chunks).toHaveLength(2);
  });

  test("is one of two, and cannot be read for now, leaves the other to be claimed with it", async () => {
    const rig = await rigOf();
    spill(rig.space(1), { spilled: [upTo(10)] });
    rig.log.makeDurable();
    const [, second = ""] = await rig.chunkFiles();
    const { disk } = rig.world;
    const shelf = await rig.world.run(async () => {
      disk.failNext({ operation: "read", pathPattern: new RegExp(second) });
      const { storage } = rig.world.start();
      const place = { storage, directory: DIRECTORY, storeId: STORE_ID };
      return SpillShelf.open(place, [chunkId(1), chunkId(2)]);
    });
    const commit = rig.log.restart(LSN_ZERO).find(({ stream }) => stream === 1);
    const claim = () => shelf.claim(present(commit, "it is durable"), streamId(1));
    expect(claim).toThrow(expect.objectContaining({ code: "BOP_IO" }));
    await rig.world.run(() => shelf.lookAgain());
    expect(claim()?.chunks).toHaveLength(2);
    expect(shelf.takeUnclaimed()).toEqual([]);
  });

  test("cannot be read for now is an I/O error, and a later open has it", async () => {
    const { rig } = await durable();
    rig.world.disk.failNext({ operation: "read", pathPattern: /chunk$/, skip: 2 });
    await expect(rig.restart("kill")).rejects.toMatchObject({ code: "BOP_IO" });
    await rig.restart("kill");
    expect(fills(rig.space(1))).toEqual(Object.values(upTo(10)));
  });
});
