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
  const dead = new DeadFiles({ storage, directory: DIRECTORY, mayForget }, commons as never);
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
  return { dead, remove, left: () => world.run(left) };
}

describe("files of dead chunks", () => {
  test("go behind the next commit where nobody ships", async () => {
    const { dead, remove, left } = await filesOf();
    dead.add(CHUNKS.slice(0, 2), lsn(100));
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
