/** The contract of drivers, and what only one of them can show. */
import { openSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { IoChoice } from "../base/driver.ts";
import { isStorageError } from "../base/errors.ts";
import { KIB, MIB } from "../base/units.ts";
import { AlignedMemory } from "./aligned-memory.ts";
import { CAN_BE_DIRECT, DIRECT_FLAGS } from "./direct-driver.ts";
import { DRIVER_RULES, type DriverPlace } from "./driver-contract.fixture.ts";
import { fileSystemFacts, warningsOf } from "./file-system.ts";
import { seeded, simulatedEnv, systemEnv } from "./index.ts";
import { systemDriver } from "./system-driver.ts";
import { NODE_CALLS, type Piece, SystemFile, type WriteCalls } from "./system-file.ts";

const made: string[] = [];
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

async function realPlace(io: IoChoice): Promise<DriverPlace> {
  const directory = await mkdtemp(join(tmpdir(), "bop-driver-"));
  made.push(directory);
  const env = systemEnv({ scratchDirectory: join(directory, "scratch") });
  return { env, directory, driver: await env.storage.driver({ directory, io }) };
}

/** Direct writes work where the tests run, or they are not run at all: auto says which. */
const canBeDirect =
  CAN_BE_DIRECT &&
  (await realPlace("direct").then(
    () => true,
    () => false,
  ));

describe("the standard driver", () => {
  test.each(DRIVER_RULES)("$fact", async ({ check }) => check(await realPlace("standard")));
});

describe.runIf(canBeDirect)("the direct driver", () => {
  test.each(DRIVER_RULES)("$fact", async ({ check }) => check(await realPlace("direct")));
});

describe.each(["standard", "direct"] as const)("the simulated driver, %s", (io) => {
  test.each(DRIVER_RULES)("$fact", async ({ check }) => {
    const { world, env } = simulatedEnv({ seed: 11 });
    await world.run(async () => {
      await env.storage.mkdir("/here");
      const driver = await env.storage.driver({ directory: "/here", io });
      await check({ env, directory: "/here", driver });
    });
  });
});

describe("the choice of a driver", () => {
  test("standard is standard everywhere, and needs no reason", async () => {
    const { driver } = await realPlace("standard");
    expect(driver).toMatchObject({ kind: "standard", fallback: undefined, blockBytes: 4096 });
  });

  test("auto is direct, or says why not; the probe leaves nothing behind", async () => {
    const { driver, directory } = await realPlace("auto");
    expect(driver.kind === "direct").toBe(driver.fallback === undefined);
    expect(await readdir(directory)).toEqual([]);
  });

  test("what a probe left that was cut off is in nobody's way", async () => {
    const { directory, env } = await realPlace("standard");
    await writeFile(join(directory, "driver-probe"), "left");
    const driver = await env.storage.driver({ directory, io: "auto" });
    expect(["standard", "direct"]).toContain(driver.kind);
    if (CAN_BE_DIRECT) expect(await readdir(directory)).toEqual([]);
  });

  test("direct where it cannot be had is BOP_IO, and says what to do instead", async () => {
    const { env, directory } = await realPlace("standard");
    const whys = [refusedWith("EINVAL"), refusedWith("EOPNOTSUPP"), refusedWith("ENOTSUP")];
    const notReadBack = async () => ({ isReadBack: false }) as const;
    for (const probe of [...whys, notReadBack]) {
      const refused = await systemDriver({ directory, io: "direct" }, probe).catch((e) => e);
      expect(isStorageError(refused, "BOP_IO")).toBe(true);
      expect(refused.message).toMatch(/Use io: "auto"/);
    }
    // The kernel's own file system has no files of anybody's.
    const driver = await env.storage.driver({ directory: "/proc", io: "auto" });
    expect(driver.kind).toBe("standard");
    expect(driver.fallback).not.toBe("");
  });

  // evidence: G5
  test.runIf(CAN_BE_DIRECT).each(["ENOSPC", "EDQUOT"])(
    "direct on a disk that has no room to try it out (%s) is taken untried, and auto says why not",
    async (code) => {
      const directory = (await realPlace("standard")).directory;
      const probe = refusedWith(code);
      expect(await systemDriver({ directory, io: "direct" }, probe)).toMatchObject({
        kind: "direct",
      });
      const auto = await systemDriver({ directory, io: "auto" }, probe);
      expect(auto).toMatchObject({ kind: "standard", fallback: expect.stringContaining(code) });
    },
  );

  test.runIf(CAN_BE_DIRECT)(
    "direct is refused as what the disk refused, if that is another thing",
    async () => {
      const directory = (await realPlace("standard")).directory;
      const refused = await systemDriver({ directory, io: "direct" }, refusedWith("EMFILE")).catch(
        (e) => e,
      );
      expect(isStorageError(refused, "BOP_IO")).toBe(true);
      expect(refused.message).not.toMatch(/cannot be had/);
      expect(refused.cause).toMatchObject({ code: "EMFILE" });
    },
  );

  test.runIf(process.platform === "linux")(
    "memory as a disk is warned of, a disk is not",
    async () => {
      expect(warningsOf("/x", { kind: "ext4", physicalBlockBytes: 4096 })).toEqual([]);
      for (const kind of ["tmpfs", "nfs", "cifs", "fuse", "overlay"]) {
        expect(warningsOf("/x", { kind, physicalBlockBytes: undefined })).toHaveLength(1);
      }
      const shm = await fileSystemFacts("/dev/shm");
      expect(shm.kind).toBe("tmpfs");
    },
  );
});

/** A trial of direct writes that ends with this error of the system. */
function refusedWith(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error(`${code}: said the system`), { code }));
}

/** The system's own calls, which take no more than so many bytes at a time. */
const takingAtMost = (bytes: number): WriteCalls => {
  const shorter = (piece: Piece) => ({ ...piece, length: Math.min(bytes, piece.length) });
  return {
    write: (fd, piece, done) => NODE_CALLS.write(fd, shorter(piece), done),
    writeSync: (fd, piece) => NODE_CALLS.writeSync(fd, shorter(piece)),
  };
};

describe("a device that takes less than it was given", () => {
  test("is given the rest, until all of it has arrived", async () => {
    const { directory } = await realPlace("standard");
    const path = join(directory, "short");
    const file = new SystemFile(openSync(path, "w+"), { calls: takingAtMost(1000) });
    const data = seeded(1).bytes(12_345);
    await file.write(data, 7);
    file.writeSync(data, 20_000);
    const found = new Uint8Array(data.length);
    for (const at of [7, 20_000]) {
      expect(await file.read(found, at)).toBe(data.length);
      expect(Buffer.compare(found, data)).toBe(0);
    }
    await file.close();
  });

  test.runIf(canBeDirect)("directly, is given it from the last whole block on", async () => {
    const { directory } = await realPlace("standard");
    const path = join(directory, "short");
    await writeFile(path, new Uint8Array(MIB));
    const asked: number[] = [];
    const calls: WriteCalls = {
      ...NODE_CALLS,
      write: (fd, piece, done) => {
        asked.push(piece.offset);
        // As the kernel answers when the device ends a write within a block of the log.
        NODE_CALLS.write(fd, piece, (error, count = 0) => {
          done(error, Math.min(10_240, count));
        });
      },
    };
    const file = new SystemFile(openSync(path, DIRECT_FLAGS), { stepBytes: 4096, calls });
    const memory = new AlignedMemory(4096).allocate(64 * KIB);
    memory.set(seeded(2).bytes(memory.length));
    await file.write(memory, 0);
    expect(asked.slice(0, 3)).toEqual([0, 8192, 16_384]);
    const found = new Uint8Array(memory.length);
    const plain = new SystemFile(openSync(path, "r"));
    await plain.read(found, 0);
    expect(Buffer.compare(found, memory)).toBe(0);
    await Promise.all([file.close(), plain.close()]);
  });

  test("taking nothing at all is an error, not an endless loop", async () => {
    const { directory } = await realPlace("standard");
    const calls: WriteCalls = {
      write: (_fd, _piece, done) => done(null, 100),
      writeSync: () => 100,
    };
    const fd = openSync(join(directory, "none"), "w");
    const file = new SystemFile(fd, { stepBytes: 4096, calls });
    await expect(file.write(new Uint8Array(8192), 0)).rejects.toThrow(/took no byte/);
    expect(() => file.writeSync(new Uint8Array(8192), 0)).toThrow(/took no byte/);
    await file.close();
  });
});

describe("aligned memory", () => {
  test("released while it is used, it is kept until the use has ended", () => {
    const pool = new AlignedMemory(4096);
    const memory = pool.allocate(3 * MIB);
    const used = pool.assertWritable(memory, 0);
    pool.use(used);
    pool.release(memory);
    expect(pool.allocate(3 * MIB).byteOffset === 0 && pool.reservedBytes === 4 * MIB).toBe(false);
    pool.unuse(used);
    expect(pool.allocate(3 * MIB).byteOffset).toBe(0);
  });

  test("what a large commit took beside the first slab is let go, and never detached", () => {
    const pool = new AlignedMemory(4096);
    const kept = pool.allocate(MIB).fill(1);
    const many = Array.from({ length: 40 }, () => pool.allocate(MIB).fill(2));
    expect(pool.reservedBytes).toBeGreaterThan(40 * MIB);
    for (const memory of many) pool.release(memory);
    expect(pool.reservedBytes).toBe(4 * MIB);
    expect(kept.length).toBe(MIB);
    expect(kept.every((byte) => byte === 1)).toBe(true);
  });

  test("room comes back whole, in whatever order it is released", () => {
    const random = seeded(3);
    const pool = new AlignedMemory(4096);
    for (let round = 0; round < 20; round++) {
      const held = Array.from({ length: 50 }, () => pool.allocate((1 + random.below(20)) * 4096));
      while (held.length > 0) {
        const [gone] = held.splice(random.below(held.length), 1);
        if (gone !== undefined) pool.release(gone);
      }
      const whole = pool.allocate(4 * MIB);
      expect(pool.reservedBytes).toBe(4 * MIB);
      pool.release(whole);
    }
  });
});
