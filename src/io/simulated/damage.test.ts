import { describe, expect, test } from "vitest";
import type { Env, File } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";
import type { DamageKind } from "./damage.ts";
import { filled, madeFile, sameBytes } from "./world.fixture.ts";
import { type SimulatedWorld, simulatedEnv } from "./world.ts";

const BYTES = 8192;

/** A file of two blocks, of ones and of twos, all synced. */
async function twoBlocks(seed: number, keepsOlder = false) {
  const { world, env } = simulatedEnv({ seed });
  world.disk.keepsOlder = keepsOlder;
  const file = await world.run(async () => {
    const made = await madeFile(env);
    await made.write(filled(4096, 1), 0);
    await made.write(filled(4096, 2), 4096);
    await made.sync();
    return made;
  });
  return { world, env, file };
}

const readAll = async (world: SimulatedWorld, file: File) => {
  const into = filled(BYTES, 9);
  const count = await world.run(() => file.read(into, 0));
  return into.subarray(0, count);
};

const reopened = (world: SimulatedWorld, env: Env) =>
  world.run(() => env.storage.open("/a", "write"));

const truth = () => {
  const bytes = filled(BYTES, 1);
  bytes.fill(2, 4096);
  return bytes;
};

describe("damage at rest", () => {
  test("a flipped bit is read as often as it is asked for, survives a power cut, and is the only one", async () => {
    const { world } = await twoBlocks(1);
    expect(world.disk.decay({ path: "/a", kind: "bit", offset: 5000 })).toEqual({
      path: "/a",
      offset: 4608,
    });
    world.powerCut();
    const env = world.start();
    const file = await reopened(world, env);
    for (let n = 0; n < 2; n++) {
      const read = await readAll(world, file);
      const changed = [...read.keys()].filter((at) => read[at] !== truth()[at]);
      expect(changed).toHaveLength(1);
      expect(Math.floor((changed[0] ?? 0) / 512)).toBe(9);
    }
    expect(world.disk.injected.get("damage met: bit")).toBe(2);
    expect(world.disk.hurtFiles).toEqual(["/a"]);
  });

  test("a latent sector error is EIO until the sector is written, and costs no other sector", async () => {
    const { world, file } = await twoBlocks(2);
    world.disk.decay({ path: "/a", kind: "unreadable", offset: 512 });
    const read = (at: number) =>
      world.run(() => file.read(filled(512, 0), at)).then(() => "ok", systemCode);
    expect([await read(0), await read(512), await read(1024), await read(700)]).toEqual([
      "ok",
      "EIO",
      "ok",
      "EIO",
    ]);
    await world.run(() => file.write(filled(512, 1), 512));
    expect(await read(512)).toBe("ok");
    expect(world.disk.hurtFiles).toEqual([]);
  });

  test("a stale sector shows what it was before, or the zeros from before the first write", async () => {
    for (const keepsOlder of [true, false]) {
      const { world, file } = await twoBlocks(3, keepsOlder);
      await world.run(() => file.write(filled(512, 7), 1024));
      world.disk.decay({ path: "/a", kind: "stale", offset: 1024 });
      const read = await readAll(world, file);
      expect(sameBytes(read.subarray(1024, 1536), filled(512, keepsOlder ? 1 : 0))).toBe(true);
      expect(world.disk.contents("/a")?.[1024]).toBe(7);
    }
  });

  test("a block that landed elsewhere is shown in another's place", async () => {
    const { world, file } = await twoBlocks(4);
    world.disk.decay({ path: "/a", kind: "misdirected", offset: 0 });
    const read = await readAll(world, file);
    expect(new Set(read)).toEqual(new Set([2]));
  });

  test("a short read ends before the sector, though the file goes on", async () => {
    const { world, file } = await twoBlocks(5);
    world.disk.decay({ path: "/a", kind: "short", offset: 4096, once: true });
    expect(await readAll(world, file)).toHaveLength(4096);
    expect(await readAll(world, file)).toHaveLength(BYTES);
  });

  test("damage that is met once is over then, and mending takes back all of it", async () => {
    const { world, file } = await twoBlocks(6);
    for (const kind of ["bit", "stale", "misdirected"] as const satisfies DamageKind[]) {
      world.disk.decay({ path: "/a", kind, offset: 0, bytes: 512, once: true });
      expect(sameBytes(await readAll(world, file), truth())).toBe(false);
      expect(sameBytes(await readAll(world, file), truth())).toBe(true);
      world.disk.decay({ path: "/a", kind, offset: 4096 });
      world.disk.mend();
      expect(sameBytes(await readAll(world, file), truth())).toBe(true);
    }
  });

  test("a write of a part of a sector is seen, and leaves the rest damaged until it is mended", async () => {
    const { world, file } = await twoBlocks(7);
    world.disk.decay({ path: "/a", kind: "stale", offset: 0 });
    await world.run(() => file.write(filled(100, 5), 0));
    const read = await readAll(world, file);
    expect([read[0], read[99], read[100], read[511], read[512]]).toEqual([5, 5, 0, 0, 1]);
    world.disk.mend();
    expect((await readAll(world, file)).subarray(98, 102)).toEqual(Uint8Array.of(5, 5, 1, 1));
  });

  test("where there is nothing to be hurt nothing is", async () => {
    const { world, env } = simulatedEnv({ seed: 8 });
    await world.run(() => env.storage.open("/empty", "create"));
    expect(world.disk.decay({ path: "/empty", kind: "bit" })).toBeUndefined();
    await world.run(async () => (await madeFile(env)).preallocate(BYTES));
    // Zeros in the place of zeros.
    expect(world.disk.decay({ path: "/a", kind: "stale", offset: 4096 })).toBeUndefined();
    expect(world.disk.injected.size).toBe(0);
  });
});

describe("a zone", () => {
  test("fails, and what lies outside of it does not", async () => {
    const { world, env } = simulatedEnv({ seed: 9 });
    const codes = await world.run(async () => {
      const [a, b] = [await madeFile(env, "/a"), await madeFile(env, "/b")];
      world.disk.failSometimes({ write: 1 }, /b$/);
      const write = (file: File) => file.write(filled(1, 1), 0).then(() => "ok", systemCode);
      return [await write(a), (await write(b)) === "ok"];
    });
    expect(codes).toEqual(["ok", false]);
    expect(world.disk.files(/^\/[ab]$/)).toEqual(["/a", "/b"]);
  });
});

test("a stall lets time pass and nobody run: what was due meanwhile is late, and in order", async () => {
  const { world, env } = simulatedEnv({ seed: 10 });
  const { clock } = env;
  const fired: number[] = [];
  await world.run(async () => {
    clock.after(10, () => fired.push(clock.monotonicMs()));
    clock.after(5, () => fired.push(clock.monotonicMs()));
    world.stall(60_000);
    await clock.sleep(1);
  });
  expect(fired).toHaveLength(2);
  expect(Math.min(...fired)).toBeGreaterThanOrEqual(60_000);
  expect(world.disk.injected.get("stall of the event loop")).toBe(1);
});
