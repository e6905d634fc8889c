/** What LMDB does when the device refuses a commit: a real process whose files may not grow. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { openLmdbStore } from "./lmdb-store.ts";

const LIMIT_BLOCKS = 600;

/** Commits ever more until the system refuses; then prints what it finds. */
const PROGRAM = `
  import { openLmdbStore } from ${JSON.stringify(new URL("lmdb-store.ts", import.meta.url).href)};
  const unhandled = [];
  process.on("unhandledRejection", (error) => unhandled.push(String(error)));
  const directory = process.argv[1];
  const key = (text) => Buffer.from(text);
  const first = await openLmdbStore(directory);
  let committed = 0;
  let error;
  while (error === undefined && committed < 100) {
    const value = Buffer.alloc(60000, committed + 1);
    const batch = [{ key: key("newest"), value }, { key: key("row" + committed), value }];
    error = await first.commit(batch).catch((caught) => caught);
    if (error === undefined) committed += 1;
  }
  const later = await first.commit([]).catch((caught) => caught);
  const second = await openLmdbStore(directory);
  const found = {
    code: error?.code, later: later?.code, committed, unhandled,
    seenByOldHandle: first.get(key("newest"))[0], seen: second.get(key("newest"))[0],
  };
  await second.commit([{ key: key("row0") }]);
  await first.close();
  await second.close();
  console.log(JSON.stringify(found));
`;

describe.skipIf(process.platform === "win32")("the lmdb store on a device that refuses", () => {
  // evidence: G10
  test("a refused commit leaves nothing, and the store goes on once it is opened again", async () => {
    const directory = await mkdtemp(join(tmpdir(), "bop-lmdb-"));
    try {
      const script = `ulimit -f ${LIMIT_BLOCKS} && exec "$0" --import tsx --input-type=module -e "$1" "$2"`;
      const args = ["-c", script, process.execPath, PROGRAM, directory];
      const { stdout } = await promisify(execFile)("bash", args);
      const found = JSON.parse(stdout);
      expect(found).toEqual({
        code: "BOP_IO",
        later: "BOP_IO",
        committed: found.committed,
        unhandled: [],
        seenByOldHandle: found.committed,
        seen: found.committed,
      });
      expect(found.committed).toBeGreaterThan(0);
      const store = await openLmdbStore(directory);
      expect(store.get(Buffer.from("newest"))?.[0]).toBe(found.committed);
      expect(store.get(Buffer.from("row0"))).toBeUndefined();
      expect(store.get(Buffer.from(`row${found.committed}`))).toBeUndefined();
      await store.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
