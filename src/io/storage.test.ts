/** What storage must do, held against the real one and the simulated one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Env } from "../base/env.ts";
import { systemCode } from "../base/errors.ts";
import { MIB } from "../base/units.ts";
import { seeded, simulatedEnv, systemEnv } from "./index.ts";

interface Place {
  readonly env: Env;
  readonly directory: string;
  readonly run: <T>(program: () => Promise<T>) => Promise<T>;
}

const made: string[] = [];
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

async function realPlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), "bop-io-"));
  made.push(directory);
  const env = systemEnv({ scratchDirectory: join(directory, "scratch") });
  return { env, directory, run: (program) => program() };
}

async function simulatedPlace(): Promise<Place> {
  const { world, env } = simulatedEnv({ seed: 1 });
  await world.run(() => env.storage.mkdir("/here"));
  return { env, directory: "/here", run: (program) => world.run(program) };
}

const bytes = (...values: number[]) => Uint8Array.from(values);
const codeOf = (promise: Promise<unknown>) => promise.then(() => "done", systemCode);

describe.each([
  ["real", realPlace],
  ["simulated", simulatedPlace],
])("%s storage", (_name, makePlace) => {
  const inPlace = async (program: (place: Place) => Promise<void>) => {
    const place = await makePlace();
    await place.run(() => program(place));
  };

  test("what was written is read back, up to the end of the file", () =>
    inPlace(async ({ env, directory }) => {
      const file = await env.storage.open(`${directory}/a`, "create");
      await file.write(bytes(1, 2, 3), 0);
      await file.write(bytes(9), 5);
      const into = new Uint8Array(10).fill(7);
      expect(await file.read(into, 0)).toBe(6);
      expect([...into]).toEqual([1, 2, 3, 0, 0, 9, 7, 7, 7, 7]);
      expect(await file.read(into, 6)).toBe(0);
      expect(await file.size()).toBe(6);
      await file.sync();
      await file.close();
    }));

  test("synchronous calls see what asynchronous ones wrote, and the other way round", () =>
    inPlace(async ({ env, directory }) => {
      const file = await env.storage.open(`${directory}/a`, "create");
      await file.write(bytes(1, 2), 0);
      file.writeSync(bytes(3), 2);
      file.syncSync();
      const into = bytes(0, 0, 0, 0);
      expect(file.readSync(into, 0)).toBe(3);
      expect([...into]).toEqual([1, 2, 3, 0]);
      const other = env.storage.openSync(`${directory}/a`);
      expect(other.readSync(into, 1)).toBe(2);
      await Promise.all([file.close(), other.close()]);
    }));

  test("what was created, named and made synchronously is there, as the asynchronous calls see it", () =>
    inPlace(async ({ env, directory }) => {
      const { storage } = env;
      storage.mkdirSync(`${directory}/d/e`);
      storage.mkdirSync(`${directory}/d/e`);
      const file = storage.createSync(`${directory}/a`);
      file.writeSync(bytes(1, 2, 3), 0);
      file.syncSync();
      expect(() => storage.createSync(`${directory}/a`)).toThrow("EEXIST");
      storage.renameSync(`${directory}/a`, `${directory}/d/e/b`);
      storage.syncDirectorySync(`${directory}/d/e`);
      expect(await storage.stat(`${directory}/a`)).toBeUndefined();
      expect(await storage.stat(`${directory}/d/e/b`)).toEqual({ bytes: 3, kind: "file" });
      expect(() => storage.renameSync(`${directory}/a`, `${directory}/c`)).toThrow("ENOENT");
      expect(() => storage.syncDirectorySync(`${directory}/none`)).toThrow("ENOENT");
      await file.close();
    }));

  test("a large write at an odd offset arrives whole", () =>
    inPlace(async ({ env, directory }) => {
      const file = await env.storage.open(`${directory}/a`, "create");
      const data = seeded(3).bytes(3 * MIB + 17);
      await file.write(data, 4095);
      const into = new Uint8Array(data.length);
      expect(await file.read(into, 4095)).toBe(data.length);
      expect(Buffer.compare(into, data)).toBe(0);
      await file.close();
    }));

  test("preallocating adds zeros behind what is there, and never shortens", () =>
    inPlace(async ({ env, directory }) => {
      const file = await env.storage.open(`${directory}/a`, "create");
      await file.write(bytes(5, 5, 5), 0);
      await file.preallocate(2 * MIB + 1);
      await file.preallocate(100);
      expect(await file.size()).toBe(2 * MIB + 1);
      const into = new Uint8Array(2 * MIB + 1);
      await file.read(into, 0);
      expect([...into.subarray(0, 4)]).toEqual([5, 5, 5, 0]);
      expect(into.subarray(3).every((byte) => byte === 0)).toBe(true);
      await file.close();
    }));

  test("what was truncated away is zero when the file grows again", () =>
    inPlace(async ({ env, directory }) => {
      const file = await env.storage.open(`${directory}/a`, "create");
      await file.write(new Uint8Array(2000).fill(8), 0);
      await file.truncate(700);
      await file.truncate(1500);
      const into = new Uint8Array(2000);
      expect(await file.read(into, 0)).toBe(1500);
      expect(into.subarray(0, 700).every((byte) => byte === 8)).toBe(true);
      expect(into.subarray(700).every((byte) => byte === 0)).toBe(true);
      await file.close();
    }));

  test("creating refuses a path that is taken, and opening one that is not", () =>
    inPlace(async ({ env, directory }) => {
      const { storage } = env;
      await (await storage.open(`${directory}/a`, "create")).close();
      expect(await codeOf(storage.open(`${directory}/a`, "create"))).toBe("EEXIST");
      expect(await codeOf(storage.open(`${directory}/b`, "read"))).toBe("ENOENT");
      expect(await codeOf(storage.open(`${directory}/b`, "write"))).toBe("ENOENT");
      expect(await codeOf(storage.open(`${directory}/none/b`, "create"))).toBe("ENOENT");
      expect(() => storage.openSync(`${directory}/b`)).toThrow("ENOENT");
    }));

  test("a file that was opened for reading takes no write", () =>
    inPlace(async ({ env, directory }) => {
      await (await env.storage.open(`${directory}/a`, "create")).close();
      const file = await env.storage.open(`${directory}/a`, "read");
      expect(await codeOf(file.write(bytes(1), 0))).toBe("EBADF");
      expect(() => file.writeSync(bytes(1), 0)).toThrow("EBADF");
      await file.close();
    }));

  test("a closed file refuses every call, and closing twice is closing once", () =>
    inPlace(async ({ env, directory }) => {
      const file = await env.storage.open(`${directory}/a`, "create");
      const writing = file.write(bytes(1), 0);
      await Promise.all([file.close(), file.close(), writing]);
      expect(await codeOf(file.read(bytes(1), 0))).toBe("EBADF");
      expect(await codeOf(file.sync())).toBe("EBADF");
      expect(() => file.readSync(bytes(1), 0)).toThrow("EBADF");
    }));

  test("renaming replaces what was there; the open file keeps its content", () =>
    inPlace(async ({ env, directory }) => {
      const { storage } = env;
      const a = await storage.open(`${directory}/a`, "create");
      await a.write(bytes(1), 0);
      const b = await storage.open(`${directory}/b`, "create");
      await b.write(bytes(2, 2), 0);
      await storage.rename(`${directory}/a`, `${directory}/b`);
      await storage.syncDirectory(directory);
      expect(await storage.list(directory)).toEqual(["b"]);
      expect(await storage.stat(`${directory}/b`)).toEqual({ bytes: 1, kind: "file" });
      expect(await b.size()).toBe(2);
      expect(await codeOf(storage.rename(`${directory}/a`, `${directory}/c`))).toBe("ENOENT");
      await Promise.all([a.close(), b.close()]);
    }));

  test("a second name leads to the same file, and a name that is taken is refused", () =>
    inPlace(async ({ env, directory }) => {
      const { storage } = env;
      const a = await storage.open(`${directory}/a`, "create");
      await a.write(bytes(1, 2), 0);
      await storage.link(`${directory}/a`, `${directory}/b`);
      expect(await codeOf(storage.link(`${directory}/a`, `${directory}/b`))).toBe("EEXIST");
      expect(await codeOf(storage.link(`${directory}/none`, `${directory}/c`))).toBe("ENOENT");
      await storage.unlink(`${directory}/a`);
      expect(await storage.list(directory)).toEqual(["b"]);
      expect(await storage.stat(`${directory}/b`)).toEqual({ bytes: 2, kind: "file" });
      await a.close();
    }));

  test("directories are made with their parents, listed in order, and told from files", () =>
    inPlace(async ({ env, directory }) => {
      const { storage } = env;
      await storage.mkdir(`${directory}/x/y`);
      await storage.mkdir(`${directory}/x/y`);
      for (const name of ["b", "a", "B"]) {
        await (await storage.open(`${directory}/x/${name}`, "create")).close();
      }
      await storage.unlink(`${directory}/x/a`);
      expect(await storage.list(`${directory}/x`)).toEqual(["B", "b", "y"]);
      expect((await storage.stat(`${directory}/x/y`))?.kind).toBe("directory");
      expect(await storage.stat(`${directory}/x/a`)).toBeUndefined();
      expect(await storage.stat(`${directory}/x/b/c`)).toBeUndefined();
      expect(await codeOf(storage.unlink(`${directory}/x/a`))).toBe("ENOENT");
      expect(await codeOf(storage.list(`${directory}/z`))).toBe("ENOENT");
      expect(await storage.freeBytes(directory)).toBeGreaterThan(0);
    }));

  test("a scratch file keeps what is written to it, through every size", () =>
    inPlace(async ({ env }) => {
      const random = seeded(4);
      const scratch = env.storage.scratch();
      let model = new Uint8Array(0);
      for (let step = 0; step < 300; step++) {
        if (random.chance(0.1)) {
          const length = random.chance(0.5) ? 0 : random.below(3 * MIB);
          scratch.truncate(length);
          const next = new Uint8Array(length);
          next.set(model.subarray(0, length));
          model = next;
        } else {
          const at = random.below(random.chance(0.9) ? 10_000 : 2 * MIB);
          const data = random.bytes(1 + random.below(5000));
          scratch.write(data, at);
          const next = new Uint8Array(Math.max(model.length, at + data.length));
          next.set(model);
          next.set(data, at);
          model = next;
        }
        expect(scratch.sizeBytes).toBe(model.length);
        const [at, into] = [random.below(model.length + 100), new Uint8Array(8192)];
        const expected = model.subarray(at, at + into.length);
        expect(scratch.read(into, at)).toBe(expected.length);
        expect(Buffer.compare(into.subarray(0, expected.length), expected)).toBe(0);
      }
      scratch.close();
    }));
});
