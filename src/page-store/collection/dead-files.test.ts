import { describe, expect, test } from "vitest";
import { chunkId, type Lsn, lsn } from "../../base/units.ts";
import { simulatedEnv } from "../../io/index.ts";
import { chunkFolder, chunkPath } from "../chunks/chunk-files.ts";
import { DeadFiles } from "./dead-files.ts";

const DIRECTORY = "/store";
const CHUNKS = [1, 2, 3].map(chunkId);

async function filesOf(mayForget?: (diedAtLsn: Lsn) => boolean) {
  const { world, env } = simulatedEnv({ seed: 1 });
  const { storage } = env;
  const residency = { forget: async () => undefined };
  const commons = { files: { closeFile: async () => undefined }, spillers: new Set(), residency };
  const manifest = { generation: 7 };
  const generation = () => manifest.generation;
  const place = { storage, directory: DIRECTORY, mayForget, generation };
  const dead = new DeadFiles(place, commons as never);
  await world.run(async () => {
    for (const chunk of CHUNKS) {
      await storage.mkdir(chunkFolder(DIRECTORY, chunk));
      await (await storage.open(chunkPath(DIRECTORY, chunk), "create")).close();
    }
  });
  const left = async () => {
    const there: number[] = [];
    for (const chunk of CHUNKS) {
      if ((await storage.stat(chunkPath(DIRECTORY, chunk))) !== undefined) there.push(chunk);
    }
    return there;
  };
  const remove = () => world.run(() => dead.remove());
  return { dead, manifest, remove, left: () => world.run(left) };
}

describe("files of dead chunks", () => {
  test("go behind the next commit where nobody ships", async () => {
    const { dead, remove, left } = await filesOf();
    dead.add(CHUNKS.slice(0, 2), lsn(100));
    await remove();
    expect(await left()).toEqual([3]);
  });

  // evidence: G21
  test("of a commit that was refused stay until a later one is settled, as it may have been made", async () => {
    const { dead, manifest, remove, left } = await filesOf();
    dead.settled(7);
    dead.doubt(CHUNKS.slice(0, 1), lsn(100));
    dead.add(CHUNKS.slice(1, 2), lsn(100));
    await remove();
    expect(await left()).toEqual([1, 3]);
    manifest.generation = 8;
    await remove();
    expect(await left()).toEqual([1, 3]);
    dead.settled(8);
    dead.doubt(CHUNKS.slice(2), lsn(100));
    await remove();
    expect(await left()).toEqual([3]);
  });

  // evidence: G33
  test("stay until whoever ships lets them go, those that died first before the others", async () => {
    let shippedLsn = 0;
    const { dead, remove, left } = await filesOf((diedAtLsn) => diedAtLsn <= shippedLsn);
    dead.add(CHUNKS.slice(0, 1), lsn(100));
    dead.add(CHUNKS.slice(1, 2), lsn(200));
    await remove();
    expect(await left()).toEqual([1, 2, 3]);
    shippedLsn = 150;
    await remove();
    expect(await left()).toEqual([2, 3]);
    shippedLsn = 200;
    await remove();
    expect(await left()).toEqual([3]);
  });
});
