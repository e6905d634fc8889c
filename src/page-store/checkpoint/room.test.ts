import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { GIB, KIB, MIB } from "../../base/units.ts";
import { simulatedEnv } from "../../io/index.ts";
import { bytesNeeded, findRoom, roomLeft } from "./room.ts";

const DIRECTORY = "/";

describe("what a checkpoint may need", () => {
  test("is more than the images: each page has a record and an entry, each row of the map its place", () => {
    const images = 100 * 4 * KIB;
    const needed = bytesNeeded(images, [{ changedPages: 100, pageCount: 100_000 }]);
    expect(needed).toBeGreaterThan(images + 100 * 4 * KIB * 3);
    expect(needed).toBeLessThan(images + 100 * 16 * KIB + 2 * MIB);
  });

  test("counts no more rows than the map has, however many pages changed", () => {
    const few = bytesNeeded(0, [{ changedPages: 500, pageCount: 512 }]);
    const many = bytesNeeded(0, [{ changedPages: 500, pageCount: 512_000 }]);
    expect(few).toBeLessThan(2 * MIB);
    expect(many).toBeGreaterThan(6 * MIB);
  });

  test("grows with every database", () => {
    const one = { changedPages: 1, pageCount: 1 };
    const [alone, fleet] = [bytesNeeded(0, [one]), bytesNeeded(0, Array(10_000).fill(one))];
    expect(fleet - alone).toBeGreaterThan(9999 * 4 * KIB);
  });
});

describe("room", () => {
  test("that is left goes to what can wait, after the reserve", () => {
    const room = { freeBytes: 100 * MIB, neededBytes: 30 * MIB, reserveBytes: 16 * MIB };
    expect(roomLeft(room)).toBe(54 * MIB);
    expect(roomLeft({ ...room, neededBytes: GIB })).toBeLessThan(0);
  });

  test("that is not there is said before anything is written, with what would be needed", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    world.disk.capacityBytes = 20 * MIB;
    const place = { env, directory: DIRECTORY };
    await world.run(async () => {
      expect(await findRoom(place, { neededBytes: 3 * MIB, reserveBytes: 16 * MIB })).toBe(MIB);
      const refused = findRoom(place, { neededBytes: 5 * MIB, reserveBytes: 16 * MIB });
      const error = await refused.catch((thrown: unknown) => thrown);
      if (!isStorageError(error, "BOP_DISK_FULL")) throw error;
      expect(error.details).toEqual({ operation: "checkpoint", file: DIRECTORY });
      expect(error.message).toContain(String(5 * MIB));
      expect(error.message).toContain("limits.reserveBytes");
    });
  });

  test("of which the file system says nothing is tried", async () => {
    const { world, env } = simulatedEnv({ seed: 1 });
    world.disk.failNext({ operation: "freeBytes", error: "EIO" });
    await world.run(async () => {
      const left = findRoom({ env, directory: DIRECTORY }, { neededBytes: GIB, reserveBytes: GIB });
      expect(await left).toBe(Number.POSITIVE_INFINITY);
    });
  });
});
