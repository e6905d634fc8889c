/** Files that LMDB made, damaged in many ways: what would end the process is told before. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { seeded } from "../../io/index.ts";
import { checkLmdb, type LmdbVerdict } from "./lmdb-check.ts";
import { openLmdbStore } from "./lmdb-store.ts";

const PAGE_BYTES = 4096;
/** As it was built, which a process reads faster than its source. */
const STORE = new URL("../../../dist/manifest/stores/lmdb-store.js", import.meta.url).href;

/** Opens the store, reads it all and writes to it; prints the code of what refuses. */
const PROGRAM = `
  import { openLmdbStore } from ${JSON.stringify(STORE)};
  try {
    const store = await openLmdbStore(process.argv[1]);
    let rows = 0;
    for (const _ of store.range(Uint8Array.of(0), Uint8Array.of(255))) rows += 1;
    await store.commit([{ key: Uint8Array.of(7), value: new Uint8Array(9000) }]);
    await store.close();
    console.log("rows " + rows);
  } catch (error) {
    console.log(error.code);
  }
`;

let scratch = "";
let sound = new Uint8Array();

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "bop-lmdb-check-"));
  const store = await openLmdbStore(join(scratch, "sound"));
  const random = seeded(1);
  for (let round = 0; round < 30; round++) {
    const batch = Array.from({ length: 25 }, (_, at) => {
      const key = Uint8Array.of(5, round, at);
      const isLarge = random.below(10) === 0;
      return { key, value: random.bytes(isLarge ? 9000 : random.below(900)) };
    });
    await store.commit(batch);
    await store.commit(batch.slice(0, 5).map(({ key }) => ({ key })));
  }
  await store.close();
  sound = Uint8Array.from(readFileSync(join(scratch, "sound", "data.mdb")));
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

function verdictOf(bytes: Uint8Array): LmdbVerdict {
  return checkLmdb({
    bytes: bytes.length,
    read: (into, at) => into.set(bytes.subarray(at, at + into.length)),
  });
}

/** What a process of its own makes of the file. */
async function outcomeOf(name: string, bytes: Uint8Array): Promise<string> {
  const directory = join(scratch, name);
  await cp(join(scratch, "sound"), directory, { recursive: true });
  await writeFile(join(directory, "data.mdb"), bytes);
  await truncate(join(directory, "data.mdb"), bytes.length);
  const args = ["--input-type=module", "-e", PROGRAM, directory];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trim();
}

describe("a file of LMDB", () => {
  test("that is sound is told to be, and one that is not there is empty", () => {
    expect(verdictOf(sound)).toMatchObject({ type: "sound" });
    expect(verdictOf(new Uint8Array())).toEqual({ type: "empty" });
  });

  // evidence: G4
  test("with a page in use zeroed, or moved, is told to be damaged", () => {
    const verdict = verdictOf(sound);
    const inUse = verdict.type === "sound" ? verdict.pages : 0;
    const count = sound.length / PAGE_BYTES;
    let zeroed = 0;
    for (let page = 0; page < count; page++) {
      const copy = sound.slice();
      copy.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      if (verdictOf(copy).type === "damaged") zeroed += 1;
      const other = sound.slice();
      other.copyWithin(page * PAGE_BYTES, ((page + 1) % count) * PAGE_BYTES, 0);
      expect(["sound", "damaged"]).toContain(verdictOf(other).type);
    }
    // The inner pages of a long value have nothing of their own but the value, which has a checksum.
    expect(zeroed).toBeGreaterThan(inUse / 2);
  });

  test("cut off anywhere is told to be damaged as far as it is in use, and never read over its end", () => {
    for (let bytes = 0; bytes < sound.length; bytes += 511) {
      const verdict = verdictOf(sound.slice(0, bytes));
      expect(["empty", "sound", "damaged"]).toContain(verdict.type);
      if (bytes > 0 && bytes < sound.length / 2) expect(verdict.type).toBe("damaged");
    }
  });

  test("with any bytes changed gives an answer", () => {
    const changes = fc.array(fc.tuple(fc.nat({ max: 600_000 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(changes, (all) => {
        const copy = sound.slice();
        for (const [at, value] of all) copy[at % copy.length] = value;
        expect(["sound", "damaged"]).toContain(verdictOf(copy).type);
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), (bytes) => {
        expect(["empty", "damaged"]).toContain(verdictOf(bytes).type);
      }),
    );
  });

  // evidence: G4
  test("that is damaged is refused with an error, and does not end the process", async () => {
    const half = sound.slice(0, Math.floor(sound.length / 2));
    const headless = sound.slice().fill(0, 0, PAGE_BYTES);
    const verdict = verdictOf(sound);
    expect(verdict.type).toBe("sound");
    const holed = sound.slice();
    for (let page = 2; verdictOf(holed).type === "sound"; page++) {
      holed.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    }
    expect(await outcomeOf("as-it-was", sound)).toBe("rows 600");
    expect(await outcomeOf("half", half)).toBe("BOP_CORRUPT");
    expect(await outcomeOf("headless", headless)).toBe("BOP_CORRUPT");
    expect(await outcomeOf("holed", holed)).toBe("BOP_CORRUPT");
    expect(await outcomeOf("text", Buffer.from("no database at all".repeat(2000)))).toBe(
      "BOP_CORRUPT",
    );
  });

  test("that is damaged leaves nothing open in the process that refuses it", async () => {
    const directory = join(scratch, "refused");
    await cp(join(scratch, "sound"), directory, { recursive: true });
    await writeFile(join(directory, "data.mdb"), sound.slice(0, 5000));
    const refused = await openLmdbStore(directory).catch((error: unknown) => error);
    expect(isStorageError(refused, "BOP_CORRUPT")).toBe(true);
    await writeFile(join(directory, "data.mdb"), sound);
    const store = await openLmdbStore(directory);
    expect([...store.range(Uint8Array.of(5), Uint8Array.of(6))]).toHaveLength(600);
    await store.close();
  });
});
