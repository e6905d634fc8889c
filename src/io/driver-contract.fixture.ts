/**
 * WHAT A DRIVER MUST DO, whoever it is: held against the standard one, the direct one and both kinds
 * of the simulated one (driver.test.ts).
 */
import type { Driver } from "../base/driver.ts";
import type { Env } from "../base/env.ts";
import { systemCode } from "../base/errors.ts";
import { KIB, MIB } from "../base/units.ts";

export interface DriverPlace {
  readonly env: Env;
  readonly driver: Driver;
  /** It exists, and is the driver's own. */
  readonly directory: string;
}

/** A test of the contract: throws if the driver breaks it. */
export interface DriverRule {
  readonly fact: string;
  readonly check: (place: DriverPlace) => Promise<void>;
}

const FILE_BYTES = 4 * MIB;

/** An existing file of zeros, as a segment is before it is used. */
async function preallocated({ env, directory }: DriverPlace, bytes = FILE_BYTES): Promise<string> {
  const path = `${directory}/file`;
  const file = await env.storage.open(path, "create");
  await file.preallocate(bytes);
  await file.sync();
  await file.close();
  return path;
}

async function contents({ env }: DriverPlace, path: string): Promise<Uint8Array> {
  const file = await env.storage.open(path, "read");
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

function same(found: Uint8Array, wanted: Uint8Array, what: string): void {
  if (Buffer.compare(found, wanted) !== 0) throw new Error(`${what}: other bytes than written`);
}

function check(fact: boolean, what: string): void {
  if (!fact) throw new Error(what);
}

async function codeOf(call: () => unknown): Promise<string | undefined> {
  try {
    await call();
    return "done";
  } catch (error) {
    return systemCode(error) ?? (error as Error).name;
  }
}

/** Memory whose every byte follows from the seed. */
function filled(driver: Driver, bytes: number, seed: number): Uint8Array {
  const memory = driver.allocate(bytes);
  for (let i = 0; i < memory.length; i++) memory[i] = (i * 31 + seed * 17 + (i >> 8)) & 255;
  return memory;
}

export const DRIVER_RULES: readonly DriverRule[] = [
  {
    fact: "what was written is read back through the rest of the world, at every size of a batch",
    check: async (place) => {
      const { driver } = place;
      const path = await preallocated(place);
      const file = await driver.open(path);
      const block = driver.blockBytes;
      const expected = new Uint8Array(FILE_BYTES);
      let at = 0;
      for (const blocks of [1, 2, 3, 31, 32, 33, 256]) {
        const memory = filled(driver, blocks * block, blocks);
        await file.write(memory, at);
        expected.set(memory, at);
        at += memory.length;
        const again = filled(driver, block, blocks + 100);
        file.writeSync(again, at);
        expected.set(again, at);
        at += block;
        driver.release(memory);
        driver.release(again);
      }
      await file.sync();
      await file.close();
      same(await contents(place, path), expected, "after batches of all sizes");
    },
  },
  {
    fact: "an offset, a length or memory that is not in whole blocks is refused, and nothing written",
    check: async (place) => {
      const { driver } = place;
      const path = await preallocated(place);
      const file = await driver.open(path);
      const memory = driver.allocate(4 * driver.blockBytes).fill(7);
      const wrong: readonly [Uint8Array, number, string][] = [
        [memory, 1, "offset 1"],
        [memory, 512, "offset 512"],
        [memory, driver.blockBytes - 1, "offset of a block less 1"],
        [memory, -driver.blockBytes, "a negative offset"],
        [memory, Number.NaN, "no offset"],
        [memory.subarray(0, 100), 0, "length 100"],
        [memory.subarray(0, driver.blockBytes + 512), 0, "length of a block and a sector"],
        [memory.subarray(0, 0), 0, "no bytes"],
        [memory.subarray(512, 512 + driver.blockBytes), 0, "memory off by a sector"],
        [memory.subarray(1, 1 + driver.blockBytes), 0, "memory off by one"],
        [new Uint8Array(driver.blockBytes), 0, "memory of somebody else"],
      ];
      for (const [from, at, what] of wrong) {
        const waited = await codeOf(() => file.write(from, at));
        check(waited === "RangeError", `${what}: ${waited}, want a RangeError`);
        const within = await codeOf(() => file.writeSync(from, at));
        check(within === "RangeError", `${what}, within a call: ${within}, want a RangeError`);
      }
      await file.write(memory.subarray(driver.blockBytes, 2 * driver.blockBytes), 0);
      await file.close();
      const expected = new Uint8Array(FILE_BYTES).fill(7, 0, driver.blockBytes);
      same(await contents(place, path), expected, "after refusals");
    },
  },
  {
    fact: "the size of a preallocated file does not change, up to its very last block",
    check: async (place) => {
      const { driver } = place;
      const path = await preallocated(place, 64 * KIB);
      const file = await driver.open(path);
      const memory = filled(driver, driver.blockBytes, 3);
      await file.write(memory, 64 * KIB - driver.blockBytes);
      await file.sync();
      await file.close();
      const found = await contents(place, path);
      check(found.length === 64 * KIB, `the file has ${found.length} bytes`);
      same(found.subarray(-driver.blockBytes), memory, "the last block");
    },
  },
  {
    fact: "a write behind the end grows the file, and what lies between is zeros",
    check: async (place) => {
      const { driver } = place;
      const path = await preallocated(place, driver.blockBytes);
      const file = await driver.open(path);
      const memory = filled(driver, driver.blockBytes, 4);
      await file.write(memory, 3 * driver.blockBytes);
      await file.sync();
      await file.close();
      const expected = new Uint8Array(4 * driver.blockBytes);
      expected.set(memory, 3 * driver.blockBytes);
      same(await contents(place, path), expected, "after growth");
    },
  },
  {
    fact: "a file that others truncate and grow again takes writes where it did before",
    check: async (place) => {
      const { driver, env } = place;
      const path = await preallocated(place, 64 * KIB);
      const file = await driver.open(path);
      const memory = filled(driver, 2 * driver.blockBytes, 5);
      await file.write(memory, 0);
      const other = await env.storage.open(path, "write");
      await other.truncate(driver.blockBytes);
      await other.preallocate(64 * KIB);
      await other.sync();
      await other.close();
      await file.write(memory.subarray(0, driver.blockBytes), 4 * driver.blockBytes);
      await file.sync();
      await file.close();
      const expected = new Uint8Array(64 * KIB);
      expected.set(memory.subarray(0, driver.blockBytes), 0);
      expected.set(memory.subarray(0, driver.blockBytes), 4 * driver.blockBytes);
      same(await contents(place, path), expected, "after truncation");
    },
  },
  {
    fact: "writes to different places under way together all arrive",
    check: async (place) => {
      const { driver } = place;
      const path = await preallocated(place);
      const file = await driver.open(path);
      const expected = new Uint8Array(FILE_BYTES);
      const writes = Array.from({ length: 16 }, (_, n) => {
        const memory = filled(driver, (n % 3 === 0 ? 40 : 1) * driver.blockBytes, n);
        const at = n * 50 * driver.blockBytes;
        expected.set(memory, at);
        return file.write(memory, at).finally(() => driver.release(memory));
      });
      await Promise.all([...writes, file.sync()]);
      await file.sync();
      await file.close();
      same(await contents(place, path), expected, "after concurrent writes");
    },
  },
  {
    fact: "memory is not handed out again before the write that uses it has returned",
    check: async (place) => {
      const { driver } = place;
      const path = await preallocated(place);
      const file = await driver.open(path);
      const wanted = filled(driver, 64 * driver.blockBytes, 9);
      const copy = wanted.slice();
      const writing = file.write(wanted, 0);
      if (driver.kind !== "simulated") driver.release(wanted); // That one spoils what is released.
      for (let n = 0; n < 8; n++) {
        const other = driver.allocate(64 * driver.blockBytes);
        if (other.buffer !== wanted.buffer || other.byteOffset !== wanted.byteOffset) other.fill(n);
        else throw new Error("memory was handed out that a write still uses");
      }
      await writing;
      await file.sync();
      await file.close();
      const found = await contents(place, path);
      same(found.subarray(0, copy.length), copy, "what was written while memory was released");
    },
  },
  {
    fact: "memory is released once, by who was given it, and then written from no more",
    check: async (place) => {
      const { driver } = place;
      const file = await driver.open(await preallocated(place));
      const memory = driver.allocate(driver.blockBytes);
      driver.release(memory);
      check((await codeOf(() => driver.release(memory))) === "RangeError", "released twice");
      const foreign = new Uint8Array(driver.blockBytes);
      check(
        (await codeOf(() => driver.release(foreign))) === "RangeError",
        "released foreign memory",
      );
      check((await codeOf(() => file.write(memory, 0))) === "RangeError", "written after release");
      await file.close();
    },
  },
  {
    fact: "allocations never overlap, whatever is released in between, and begin at a block",
    check: async ({ driver }) => {
      const held = new Map<Uint8Array, number>();
      for (let n = 1; n <= 400; n++) {
        const bytes = ((n * 7919) % 300) * KIB + 1;
        const memory = driver.allocate(bytes);
        check(memory.length >= bytes, "less memory than was asked for");
        check(memory.length % driver.blockBytes === 0, "memory in parts of a block");
        check(memory.byteOffset % driver.blockBytes === 0, "memory that begins within a block");
        memory.fill(n & 255);
        held.set(memory, n & 255);
        for (const [each, value] of held) {
          const isWhole = each[0] === value && each.at(-1) === value;
          check(isWhole, "an allocation lies over another");
          if ((n * 31 + value) % 3 !== 0 || held.size < 20) continue;
          held.delete(each);
          driver.release(each);
        }
      }
      for (const each of held.keys()) driver.release(each);
    },
  },
  {
    fact: "closing waits for what is under way, twice is once, and then every call is refused",
    check: async (place) => {
      const { driver } = place;
      const path = await preallocated(place);
      const file = await driver.open(path);
      const memory = filled(driver, 200 * driver.blockBytes, 2);
      let landed = false;
      const writing = file.write(memory, 0).then(() => {
        landed = true;
      });
      await Promise.all([file.close(), file.close()]);
      await writing;
      check(landed, "closed before the write had returned");
      check((await codeOf(() => file.write(memory, 0))) === "EBADF", "wrote to a closed file");
      check((await codeOf(() => file.writeSync(memory, 0))) === "EBADF", "wrote to a closed file");
      check((await codeOf(() => file.sync())) === "EBADF", "synced a closed file");
      check((await codeOf(() => file.syncSync())) === "EBADF", "synced a closed file");
      same((await contents(place, path)).subarray(0, memory.length), memory, "what was under way");
    },
  },
  {
    fact: "opening what is not there says so, and makes nothing",
    check: async (place) => {
      const { driver, directory, env } = place;
      const code = await codeOf(() => driver.open(`${directory}/nothing`));
      check(code === "ENOENT", `${code}, want ENOENT`);
      check((await env.storage.stat(`${directory}/nothing`)) === undefined, "a file was made");
    },
  },
];
