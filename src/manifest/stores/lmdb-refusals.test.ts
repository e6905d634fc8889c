/** What LMDB itself refuses: a real file, and a real process that takes all that can be taken. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { openLmdbStore } from "./lmdb-store.ts";

/** Takes readers' slots until LMDB has none, tells so, and keeps them until its input ends. */
const PROGRAM = `
  import { open } from "lmdb";
  const root = open({ path: process.argv[1], noSubdir: false, maxDbs: 1, maxReaders: 48 });
  const taken = [];
  try {
    while (taken.length < 200) {
      root.putSync("taken", taken.length); // Or the next one would be the same transaction.
      taken.push(root.useReadTransaction());
      root.get("taken", { transaction: taken.at(-1) });
    }
  } catch (error) {
    console.log(error.code);
  }
  process.stdin.resume();
  process.stdin.on("end", () => process.exit(taken.length === 0 ? 1 : 0)); // They stay referenced.
`;

test("a store whose readers' slots are all taken refuses with what is to be done, and goes on when they are free", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bop-lmdb-"));
  const key = Buffer.from("key");
  try {
    const first = await openLmdbStore(directory);
    await first.commit([{ key, value: Buffer.from("value") }]);
    await first.close();
    const args = ["--input-type=module", "-e", PROGRAM, directory];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    const [said] = await once(child.stdout, "data");
    expect(Number(said)).toBe(-30_790);
    const read = async () => {
      const store = await openLmdbStore(directory);
      try {
        return Buffer.from(store.get(key) ?? []).toString();
      } finally {
        await store.close();
      }
    };
    const refused = await read().catch((error: unknown) => error);
    expect(isStorageError(refused, "BOP_IO")).toBe(true);
    expect(String(refused)).toMatch(/MDB_READERS_FULL: too many processes read it/);
    child.stdin.end();
    await once(child, "exit");
    expect(await read()).toBe("value");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
