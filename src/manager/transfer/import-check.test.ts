import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clock } from "../../base/env.ts";
import { systemEnv } from "../../io/index.ts";
import { Manager } from "../manager.ts";

const PAGE_BYTES = 1024;
/** What SQLite itself checks of a table goes up to 256 KiB: this one is beyond it. */
const ROWS = 3000;

let folder = "";
let manager: Manager;
let large = "";
const turns = { count: 0, stepMs: 0 };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-import-check-"));
  const env = systemEnv({ scratchDirectory: join(folder, "store", "tmp") });
  const clock = slowClock(env.clock);
  manager = await Manager.open({ directory: join(folder, "store"), env: { ...env, clock } });
  large = await made("large", [
    "create table big (id integer primary key, body text)",
    "create index big_body on big (body)",
    "create table small (id integer primary key, body text)",
    "create index small_body on small (body)",
    "create index small_some on small (body) where id > 1",
    `with recursive n (i) as (select 1 union all select i + 1 from n where i < ${ROWS})
     insert into big select i, printf('row %0200d', i) from n`,
    "insert into small values (1, 'one'), (2, 'two')",
  ]);
});
afterAll(async () => {
  await manager.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the check of what was imported", () => {
  test("lets others run every few pages, however large the file is", async () => {
    const pages = readFileSync(large).length / PAGE_BYTES;
    let before = 0;
    await manager.import(large, "slow", {
      onProgress(done, total) {
        if (done < total) return;
        turns.stepMs = 1; // From here on, each look at the clock finds it a millisecond later.
        before = turns.count;
      },
    });
    turns.stepMs = 0;
    expect(turns.count - before).toBeGreaterThan(pages / 4);
    const rows = (await manager.database("slow")).prepare("select count(*) from big").pluck();
    expect(await rows.get()).toBe(ROWS);
  });

  test("tells the page that is damaged, and nothing of the database is left", async () => {
    const bytes = readFileSync(large);
    const page = bytes.length / PAGE_BYTES - 3;
    bytes.fill(0, (page - 1) * PAGE_BYTES, page * PAGE_BYTES);
    await expect(manager.import(written("hurt", bytes), "refused")).rejects.toMatchObject({
      code: "BOP_IMPORT",
      details: { page, why: expect.stringMatching(`damaged: page ${page}: `) },
    });
    expect(await manager.list({ prefix: "refused" })).toEqual([]);
  });

  test("refuses a large table whose index is another's, since their entries differ", async () => {
    const swapped = written(
      "swapped",
      withRootsSwapped(readFileSync(large), "big_body", "small_body"),
    );
    await expect(manager.import(swapped, "refused")).rejects.toMatchObject({
      code: "BOP_IMPORT",
      details: { why: expect.stringContaining(`index big_body has 2 entries for ${ROWS} rows`) },
    });
    expect(await manager.list({ prefix: "refused" })).toEqual([]);
  });

  test("that is aborted leaves nothing of the database, and its name is free", async () => {
    const controller = new AbortController();
    const aborted = manager.import(large, "aborted", {
      signal: controller.signal,
      onProgress: (done, total) => done === total && controller.abort(new Error("enough")),
    });
    await expect(aborted).rejects.toThrow("enough");
    expect(await manager.list({ prefix: "aborted" })).toEqual([]);
    await manager.import(large, "aborted");
  });

  test("that a closing store cuts off ends, and leaves nothing of the database", async () => {
    const directory = join(folder, "closing");
    const closing = await Manager.open({ directory });
    let closed: Promise<void> | undefined;
    const imported = closing.import(large, "cut-off", {
      onProgress: (done, total) => {
        if (done === total) closed = closing.close();
      },
    });
    await expect(imported).rejects.toMatchObject({ code: "BOP_CLOSED" });
    await closed;
    const again = await Manager.open({ directory });
    expect(await again.list()).toEqual([]);
    await again.close();
  });
});

async function made(name: string, statements: readonly string[]): Promise<string> {
  const database = await manager.database(name, { pageBytes: PAGE_BYTES });
  for (const sql of statements) await database.exec(sql);
  const path = join(folder, `${name}.sqlite`);
  await database.export(path);
  await database.close();
  return path;
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, `${name}.sqlite`);
  writeFileSync(path, bytes);
  return path;
}

/** In the row of the schema the root is a byte, and the SQL follows it. */
function withRootsSwapped(bytes: Buffer, one: string, other: string): Buffer {
  const [a, b] = [one, other].map((name) => bytes.indexOf(`CREATE INDEX ${name}`) - 1);
  if (a === undefined || b === undefined || a < 0 || b < 0) throw new Error("no such indexes");
  const [rootOfA = 0, rootOfB = 0] = [bytes[a], bytes[b]];
  bytes[a] = rootOfB;
  bytes[b] = rootOfA;
  return bytes;
}

function slowClock(clock: Clock): Clock {
  let behindMs = 0;
  return {
    monotonicMs() {
      behindMs += turns.stepMs;
      return clock.monotonicMs() + behindMs;
    },
    wallMs: () => clock.wallMs(),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
    every: (periodMs, fn) => clock.every(periodMs, fn),
    after: (delayMs, fn) => clock.after(delayMs, fn),
    deadline: (delayMs, fn) => clock.deadline(delayMs, fn),
    turn(fn) {
      turns.count += 1;
      clock.turn(fn);
    },
  };
}
