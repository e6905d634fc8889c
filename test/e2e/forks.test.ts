/** Forks and snapshots from the command line, and over HTTP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Manager } from "../../src/manager/index.ts";
import { bopHere } from "./bop-here.ts";
import { CLIENTS, openTestStore } from "./harness.ts";

// On machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const SUM = "select sum(a) from t";
let folder = "";
let at: { environment: { BOP_DIRECTORY: string } };

async function within<T>(work: (manager: Manager) => Promise<T>): Promise<T> {
  const manager = await Manager.open({ directory: at.environment.BOP_DIRECTORY });
  try {
    return await work(manager);
  } finally {
    await manager.close();
  }
}

const sumOf = async (manager: Manager, name: string) =>
  (await manager.database(name, { create: false })).prepare(SUM).pluck().get();

const json = async (argv: readonly string[]) => {
  const { stdout, stderr, exitCode } = await bopHere([...argv, "--json"], at);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return JSON.parse(stdout);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-forks-"));
  at = { environment: { BOP_DIRECTORY: join(folder, "store") } };
  await within(async (manager) => {
    const shop = await manager.database("shop");
    await shop.exec("create table t (a); insert into t values (1);");
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("forks and snapshots from the command line", () => {
  test("a fork is made, listed and drawn; the dropped in between stands in brackets", async () => {
    const forked = await bopHere(["fork", "shop", "branch"], at);
    expect(forked).toMatchObject({ exitCode: 0, stderr: "" });
    expect(forked.stdout).toMatch(/^forked shop as branch, at \d+\n$/);
    const { forked: leaf } = await json(["fork", "branch", "leaf"]);
    expect(leaf).toEqual({ name: "leaf", from: "branch", atLsn: expect.any(Number) });
    expect((await bopHere(["list"], at)).stdout).toMatch(
      /forked from │ snapshots[\s\S]*leaf .*branch/,
    );
    await within(async (manager) => {
      await (await manager.database("leaf")).exec("insert into t values (2)");
      await manager.drop("branch");
      expect(await Promise.all(["shop", "leaf"].map((name) => sumOf(manager, name)))).toEqual([
        1, 3,
      ]);
    });
    expect((await bopHere(["tree"], at)).stdout).toMatch(
      /^shop .*\n└─ \[(branch|gone)\].*\n {3}└─ leaf .* from \d+\n$/,
    );
    expect((await json(["tree", "leaf"])).families).toMatchObject([
      { name: "shop", state: "live", forks: [{ state: "dropped", forks: [{ name: "leaf" }] }] },
    ]);
  });

  test("a snapshot is kept, listed, read, exported, forked and dropped", async () => {
    const kept = await json(["snapshot", "create", "early", "--database", "shop"]);
    const snapshot = { name: "early", scope: "database", database: "shop" };
    expect(kept.snapshot).toMatchObject(snapshot);
    const all = await bopHere(["snapshot", "create", "all"], at);
    expect(all.stdout).toMatch(/^kept all databases as all/);
    const input = `delete from t;\n${SUM};`;
    const shell = ["shell", "shop", "--snapshot", "early", "--continue"];
    const read = await bopHere(shell, { ...at, input });
    expect(read).toMatchObject({ exitCode: 1, stdout: "1\n" });
    expect(read.stderr).toMatch(/snapshot "early" .*\(BOP_READ_ONLY\)/);
    const listed = (await bopHere(["snapshot", "list", "--database", "shop"], at)).stdout;
    expect(listed).toMatch(/name .*of .*lsn[\s\S]*early .*database[\s\S]*all .*store/);
    const file = join(folder, "early.db");
    await within(async (manager) => {
      await (await manager.database("shop")).exec("insert into t values (10)");
    });
    const written = await bopHere(["snapshot", "export", "early", file, "--database", "shop"], at);
    expect(written.stdout).toMatch(/^exported shop at early to .*early\.db: /);
    await bopHere(["fork", "shop", "again", "--snapshot", "all"], at);
    const dropped = await bopHere(["snapshot", "drop", "early", "--database", "shop", "--yes"], at);
    expect(dropped.stdout).toBe("dropped snapshot early\n");
    await within(async (manager) => {
      await manager.import(file, "copy");
      expect(await sumOf(manager, "copy")).toBe(1);
      expect(await sumOf(manager, "again")).toBe(1);
      expect((await manager.list({ prefix: "shop" }))[0]?.snapshots).toBe(0);
    });
  });

  test("what is kept, and what could go, is told before anything goes", async () => {
    const looked = await json(["collect", "--dry-run"]);
    expect(looked.collected).toMatchObject({ dryRun: true, chunks: expect.any(Number) });
    expect((await bopHere(["collect"], at)).stdout).toMatch(
      /^removed \d+ chunks[\s\S]*per byte in use/,
    );
  });

  test.each([
    [["fork", "shop", "x", "--at", "noonish"], /neither an LSN nor a time/],
    [["snapshot", "drop", "early"], /add --yes/],
    [["snapshot", "export", "early", "x.db"], /required option '--database <name>'/],
  ])("%j is wrong usage, and nothing is tried", async (argv, message) => {
    const ended = await bopHere(argv, at);
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(message);
  });

  test("options before a group, and before its command, hold for the command", async () => {
    const where = at.environment.BOP_DIRECTORY;
    const ended = await bopHere(["-d", where, "snapshot", "--json", "list"]);
    expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(ended.stdout).snapshots).toMatchObject([{ name: "all", database: null }]);
  });
});

describe("forks over a server", () => {
  test.each(CLIENTS)("$name: a fork is a database like any other", async ({ create }) => {
    const store = await openTestStore({ autoCreate: false });
    try {
      const shop = await store.manager.database("shop");
      await shop.exec("create table t (a); insert into t values (1)");
      await (await shop.fork("branch")).close();
      const client = create(store, "branch");
      await client.batch(["insert into t values (2)", "insert into t values (3)"], "write");
      const { rows } = await client.execute("select sum(a) as total from t");
      expect(rows[0]?.total).toBe(6);
      client.close();
      expect(await shop.prepare(SUM).pluck().get()).toBe(1);
    } finally {
      await store.close();
    }
  });
});
