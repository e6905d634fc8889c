import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { lsn, segmentSequence } from "../../base/units.ts";
import { type SimulatedWorld, simulatedWorld } from "../../io/index.ts";
import { SUPERBLOCK, type SuperblockFacts } from "./superblock.ts";
import { SuperblockFile } from "./superblock-file.ts";

const DIRECTORY = "/store";
const PATH = `${DIRECTORY}/superblock`;
/** Among the changes of the first write after opening: sync, two copies, sync, and twice the last three. */
const SYNC_OF_SECOND_HALF = 10;
/** The same where one copy of the second half has decayed: sync, a copy, sync. */
const SYNC_OF_ONE_COPY = 3;

function facts(generation: number): SuperblockFacts {
  return {
    storeId: new Uint8Array(16).fill(7),
    epoch: 0,
    manifestGeneration: generation,
    checkpointLsn: lsn(generation * 10),
    durableLsn: lsn(generation * 20),
    walStart: segmentSequence(1),
    clean: generation % 2 === 0,
  };
}

async function place(world: SimulatedWorld) {
  const { storage } = world.start();
  await storage.mkdir(`${DIRECTORY}/tmp`);
  await storage.syncDirectory(DIRECTORY);
  await storage.syncDirectory("/");
  return { storage, directory: DIRECTORY };
}

/** Generation of the superblock that the next process reads; undefined if there is no file. */
async function generationAfter(world: SimulatedWorld): Promise<number | undefined> {
  return world.run(async () => {
    const opened = await SuperblockFile.open(await place(world));
    return opened?.superblock.manifestGeneration;
  });
}

/** Makes and rewrites a superblock until the world ends it; returns the newest acknowledged. */
async function writeUntilDead(world: SimulatedWorld): Promise<{ acknowledged: number }> {
  let acknowledged = 0;
  const work = async () => {
    const file = await SuperblockFile.create(await place(world), facts(1));
    acknowledged = 1;
    for (let generation = 2; generation <= 4; generation += 1) {
      await file.write(facts(generation));
      acknowledged = generation;
    }
  };
  await world.run(work).catch((error) => {
    if (world.alive) throw error;
  });
  return { acknowledged };
}

/** One process: a few writes, of which any call may fail, until it ends or the world ends it. */
async function liveOnFailingDisk(
  world: SimulatedWorld,
  told: { newest: number; acknowledged: number },
): Promise<void> {
  const { random, disk } = world;
  const how = random.pick(["kill", "power"] as const);
  const work = async () => {
    const file = await SuperblockFile.open(await place(world));
    disk.failSometimes(random.pick([{}, { sync: 0.3 }, { write: 0.3 }, { sync: 0.1, write: 0.1 }]));
    if (random.chance(0.7)) disk.crashAt(1 + random.below(16), how);
    for (let n = 1 + random.below(3); n > 0; n -= 1) {
      told.newest += 1;
      const generation = told.newest;
      const isWritten = await file?.write(facts(generation)).then(
        () => true,
        () => false,
      );
      if (isWritten && world.alive) told.acknowledged = generation;
    }
  };
  await world.run(work).catch((error) => {
    if (world.alive) throw error;
  });
  disk.heal();
  if (!world.alive) return;
  if (how === "kill") world.kill();
  else world.powerCut();
}

describe("the file of the superblock", () => {
  // evidence: G9
  test("a crash at any call leaves the acknowledged one or the next, never neither", async () => {
    for (const how of ["kill", "power"] as const) {
      for (let seed = 0; seed < 6; seed += 1) {
        for (let call = 1; ; call += 1) {
          const world = simulatedWorld({ seed: seed * 1000 + call });
          world.disk.crashAt(call, how);
          const { acknowledged } = await writeUntilDead(world);
          if (world.alive) break; // All calls are through: the crash did not come.
          const found = (await generationAfter(world)) ?? 0;
          expect([acknowledged, acknowledged + 1], `${how}, seed ${seed}, call ${call}`).toContain(
            found,
          );
        }
      }
    }
  });

  test("copies that a killed process left in the page cache survive a power cut in the next write", async () => {
    for (let call = 1; call <= 7; call += 1) {
      for (let seed = 0; seed < 10; seed += 1) {
        const world = simulatedWorld({ seed: seed * 1000 + call });
        await world.run(async () => SuperblockFile.create(await place(world), facts(1)));
        const cutOff = async (at: number, how: "kill" | "power", generation: number) => {
          await world
            .run(async () => {
              const file = await SuperblockFile.open(await place(world));
              world.disk.crashAt(at, how);
              await file?.write(facts(generation));
            })
            .catch((error) => {
              if (world.alive) throw error;
            });
          if (world.alive) world.powerCut();
        };
        await cutOff(call, "kill", 2);
        expect([1, 2]).toContain(await generationAfter(world));
        world.kill();
        await cutOff(1 + (seed % 4), "power", 3);
        const found = await generationAfter(world);
        expect([1, 2, 3], `seed ${seed}, call ${call}`).toContain(found);
      }
    }
  });

  test("a write that failed is made up for by the next, whichever of its calls it was", async () => {
    for (const operation of ["write", "sync"] as const) {
      for (let skip = 0; skip < (operation === "write" ? 4 : 2); skip += 1) {
        for (let seed = 0; seed < 8; seed += 1) {
          const world = simulatedWorld({ seed });
          let allowed = [1, 2, 3];
          const work = async () => {
            const file = await SuperblockFile.create(await place(world), facts(1));
            world.disk.failNext({ operation, pathPattern: /superblock$/, skip });
            await expect(file.write(facts(2))).rejects.toMatchObject({ code: "BOP_IO" });
            world.disk.crashAt(1 + world.random.below(7), "power");
            await file.write(facts(3));
            allowed = [3];
          };
          await world.run(work).catch((error) => {
            if (world.alive) throw error;
          });
          world.powerCut();
          expect(allowed).toContain(await generationAfter(world));
        }
      }
    }
  });

  // evidence: G9
  test("processes whose calls fail, one after the other, leave one that can be read after any power cut", async () => {
    for (let seed = 0; seed < 400; seed += 1) {
      const world = simulatedWorld({ seed });
      await world.run(async () => SuperblockFile.create(await place(world), facts(1)));
      const told = { newest: 1, acknowledged: 1 };
      for (let life = 1 + world.random.below(5); life > 0; life -= 1) {
        await liveOnFailingDisk(world, told);
        const found = (await generationAfter(world)) ?? 0;
        expect(found, `seed ${seed}`).toBeGreaterThanOrEqual(told.acknowledged);
        expect(found, `seed ${seed}`).toBeLessThanOrEqual(told.newest);
        world.kill();
      }
      world.powerCut();
      const found = (await generationAfter(world)) ?? 0;
      expect(found, `seed ${seed}`).toBeGreaterThanOrEqual(told.acknowledged);
    }
  });

  test("one copy that decays is survived beside what a killed process left in the page cache", async () => {
    for (let seed = 0; seed < 150; seed += 1) {
      const world = simulatedWorld({ seed });
      await world.run(async () => SuperblockFile.create(await place(world), facts(1)));
      const cutOffIn = async (at: number, how: "kill" | "power", generation: number) => {
        const work = async () => {
          const file = await SuperblockFile.open(await place(world));
          world.disk.crashAt(at, how);
          await file?.write(facts(generation));
        };
        await world.run(work).catch((error) => {
          if (world.alive) throw error;
        });
        if (world.alive && how === "kill") world.kill();
        else if (world.alive) world.powerCut();
      };
      await cutOffIn(SYNC_OF_SECOND_HALF, "kill", 2);
      const offset = world.random.below(4) * SUPERBLOCK.sizeBytes;
      world.disk.decay({ path: PATH, kind: "bit", offset });
      // A power cut before its first sync would take three of four.
      await cutOffIn(2 + world.random.below(SYNC_OF_SECOND_HALF - 1), "power", 3);
      expect([1, 2, 3], `seed ${seed}`).toContain(await generationAfter(world));
    }
  });

  test("a copy that decays in the life of a process is made good before half of the others is written over", async () => {
    for (const how of ["kill", "power"] as const) {
      for (let seed = 0; seed < 16; seed += 1) {
        for (let call = 1; ; call += 1) {
          const world = simulatedWorld({ seed: seed * 1000 + call });
          let allowed = [2, 3];
          const work = async () => {
            const file = await SuperblockFile.create(await place(world), facts(1));
            await file.write(facts(2));
            const offset = (seed % 4) * SUPERBLOCK.sizeBytes;
            world.disk.decay({ path: PATH, kind: "bit", offset });
            world.disk.crashAt(call, how);
            await file.write(facts(3));
            allowed = [3];
          };
          await world.run(work).catch((error) => {
            if (world.alive) throw error;
          });
          if (world.alive) break; // All calls are through: the crash did not come.
          expect(allowed, `${how}, seed ${seed}, call ${call}`).toContain(
            await generationAfter(world),
          );
        }
      }
    }
  });

  test("a copy of the older half that decays beside a newer half is made good as the older", async () => {
    for (let seed = 0; seed < 100; seed += 1) {
      const world = simulatedWorld({ seed });
      await world.run(async () => {
        const file = await SuperblockFile.create(await place(world), facts(1));
        // The first half can be read from here on, and no later sync need take it to the device.
        world.disk.failNext({ operation: "sync", pathPattern: /superblock$/ });
        await expect(file.write(facts(2))).rejects.toMatchObject({ code: "BOP_IO" });
      });
      world.kill();
      let allowed = [1, 2, 3];
      const work = async () => {
        const file = await SuperblockFile.open(await place(world));
        expect([1, 2]).toContain(file?.superblock.manifestGeneration);
        const offset = (2 + (seed % 2)) * SUPERBLOCK.sizeBytes;
        world.disk.decay({ path: PATH, kind: "bit", offset });
        // Before it is good again, a failed sync and damage are more than is promised.
        world.disk.crashAt(SYNC_OF_ONE_COPY + 1 + world.random.below(6), "power");
        await file?.write(facts(3));
        if (world.alive) allowed = [3];
      };
      await world.run(work).catch((error) => {
        if (world.alive) throw error;
      });
      if (world.alive) world.powerCut();
      expect(allowed, `seed ${seed}`).toContain(await generationAfter(world));
    }
  });

  test("is not there before it was made, and no error", async () => {
    expect(await generationAfter(simulatedWorld({ seed: 1 }))).toBeUndefined();
  });

  test("is opened with one copy lost and refused with three lost", async () => {
    const world = simulatedWorld({ seed: 1 });
    await writeUntilDead(world);
    const bytes = world.disk.contents(PATH)?.slice() ?? new Uint8Array();
    bytes.fill(0, 0, SUPERBLOCK.sizeBytes);
    world.disk.replace(PATH, bytes);
    expect(await generationAfter(world)).toBe(4);
    bytes.fill(0, 0, 3 * SUPERBLOCK.sizeBytes);
    world.disk.replace(PATH, bytes);
    const error = await generationAfter(world).catch((cause) => cause);
    expect(isStorageError(error, "BOP_CORRUPT") && error.details.file).toBe(PATH);
  });

  test("is opened though the device will not read one copy", async () => {
    const world = simulatedWorld({ seed: 1 });
    await writeUntilDead(world);
    world.disk.failNext({ operation: "read", pathPattern: /superblock$/, skip: 2 });
    expect(await generationAfter(world)).toBe(4);
  });

  test("is not called damaged while the device reads one copy only: it is there once it does", async () => {
    const world = simulatedWorld({ seed: 1 });
    await writeUntilDead(world);
    world.disk.failNext({ operation: "read", pathPattern: /superblock$/, times: 3 });
    await expect(generationAfter(world)).rejects.toMatchObject({ code: "BOP_IO" });
    expect(await generationAfter(world)).toBe(4);
  });
});
