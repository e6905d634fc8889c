import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Manager } from "../../src/manager/index.ts";
import { bop } from "./bop.ts";
import { bopHere } from "./bop-here.ts";

// A process is started for each command, on machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder = "";
let store = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-cli-"));
  store = join(folder, "store");
  const created = await bop(["create", "notes", "--directory", store]);
  expect(created).toMatchObject({ exitCode: 0, stdout: "created notes\n", stderr: "" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("wrong usage", () => {
  test("ends the process with 2, and standard output stays empty", async () => {
    const ended = await bop(["lst"]);
    expect(ended).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ended.stderr).toMatch(/^bop: unknown command 'lst'[\s\S]*Did you mean list/);
  });

  test.each([
    [["lst"], /unknown command 'lst'[\s\S]*Did you mean list/],
    [["list", "--jsn"], /unknown option '--jsn'[\s\S]*Did you mean --json/],
    [["import", "a.db"], /required option '--as <name>'/],
    [["export", "notes"], /missing required argument 'file'/],
    [["create", "a", "--engine", "mysql"], /Allowed choices are sqlite, libsql/],
    [["create", "tab\tname"], /cannot be printed/],
    [["list", "surplus"], /too many arguments/],
    [["drop", "notes"], /add --yes/],
    [["restore", "--from", "/backup"], /"\/backup" is no sink: want file:\/\//],
    [["status", "--sink", "ftp://x"], /'--sink <url>' argument 'ftp:\/\/x'/],
    [[], /Usage: bop/],
  ])("%j ends with 2, says what is wrong, and tries nothing", async (argv, message) => {
    const untouched = join(folder, "untouched");
    const ended = await bopHere(argv, { environment: { BOP_DIRECTORY: untouched } });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
    expect(ended.stdout).toBe("");
    expect(existsSync(untouched)).toBe(false);
  });

  test("help is an answer: standard output, examples, exit code 0", async () => {
    for (const argv of [["--help"], ["import", "--help"]]) {
      const { exitCode, stdout } = await bop(argv);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/Usage: bop[\s\S]*Examples?:/);
    }
  });
});

describe("commands on a store", () => {
  test("a database is created, listed, renamed and dropped", async () => {
    const at = { environment: { BOP_DIRECTORY: store } };
    expect((await bopHere(["create", "shop", "--page-bytes", "8192"], at)).exitCode).toBe(0);
    expect((await bopHere(["rename", "shop", "store-2"], at)).stdout).toBe(
      "renamed shop to store-2\n",
    );
    const { stdout } = await bopHere(["--json", "list", "--prefix", "store"], at);
    const { databases } = JSON.parse(stdout);
    expect(databases).toMatchObject([{ name: "store-2", engine: "sqlite", pageBytes: 8192 }]);
    expect((await bopHere(["list"], at)).stdout).toMatch(/name .*size[\s\S]*notes[\s\S]*store-2/);
    expect((await bopHere(["drop", "store-2", "--yes"], at)).stdout).toBe("dropped store-2\n");
    expect(JSON.parse((await bopHere(["list", "--json"], at)).stdout).databases).toHaveLength(1);
  });

  test("record logs are listed with what they hold, indexes being exact", async () => {
    const directory = join(folder, "logs");
    const manager = await Manager.open({ directory });
    const raft = await manager.log("raft-1");
    const payload = new Uint8Array(1000);
    const first = 2n ** 60n;
    await raft.append([first, first + 1n].map((index) => ({ term: 1n, index, payload })));
    await manager.log("empty");
    await manager.close();
    const shown = JSON.parse((await bopHere(["logs", "-d", directory, "--json"])).stdout);
    const indexes = { firstIndex: `${first}`, lastIndex: `${first + 1n}` };
    expect(shown.logs).toEqual([
      { name: "empty", sizeBytes: 0, createdAt: expect.any(String) },
      {
        name: "raft-1",
        ...indexes,
        durableIndex: indexes.lastIndex,
        sizeBytes: expect.any(Number),
        createdAt: expect.any(String),
      },
    ]);
    expect(shown.logs[1].sizeBytes).toBeGreaterThan(2000);
    const { stdout } = await bopHere(["logs", "-d", directory, "--prefix", "raft"]);
    expect(stdout).toMatch(/name .*first .*last .*durable .*size[\s\S]*raft-1/);
    expect(stdout).not.toContain("empty");
    expect((await bopHere(["logs", "-d", store])).stdout).toBe("no record logs\n");
  });

  test("options before the command and behind it are the same, and behind wins", async () => {
    const before = await bopHere(["--directory", store, "list"]);
    const both = await bopHere(["--directory", join(folder, "nowhere"), "list", "-d", store]);
    expect(before).toMatchObject({ exitCode: 0, stderr: "" });
    expect(both.stdout).toBe(before.stdout);
  });

  test("an option before the command wins over the environment, through two levels, too", async () => {
    const other = join(folder, "of-the-environment");
    const at = { environment: { BOP_DIRECTORY: other } };
    await bopHere(["create", "elsewhere"], at);
    await bopHere(["snapshot", "create", "kept-elsewhere"], at);
    const { stdout } = await bopHere(["--directory", store, "list"], at);
    expect(stdout).toContain("notes");
    expect(stdout).not.toContain("elsewhere");
    const kept = await bopHere(["--directory", store, "snapshot", "list"], at);
    expect(kept).toMatchObject({ exitCode: 0, stdout: "no snapshots\n" });
    const behind = await bopHere(["--directory", store, "snapshot", "list", "-d", other], at);
    expect(behind.stdout).toContain("kept-elsewhere");
  });

  test("a taken name and a name that is not there fail with 1 and say what to do", async () => {
    const taken = await bopHere(["create", "notes", "-d", store]);
    expect(taken.exitCode).toBe(1);
    expect(taken.stderr).toMatch(/^bop: there is a database .*\(BOP_EXISTS\)\n +choose another/);
    const missing = await bopHere(["export", "notse", join(folder, "x.db"), "-d", store]);
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr).toMatch(/did you mean "notes"\? \(BOP_NOT_FOUND\)/);
  });

  test("a directory without a store is refused and stays as it was", async () => {
    const nowhere = join(folder, "nowhere");
    const ended = await bopHere(["list", "-d", nowhere]);
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toMatch(/no store in .*nowhere\n.*--directory/);
    expect(existsSync(nowhere)).toBe(false);
  });

  test("status and checkpoint speak to people and to programs", async () => {
    const status = await bopHere(["status", "-d", store]);
    expect(status.stdout).toMatch(/state +open\n[\s\S]*databases +1\n[\s\S]*last fault +none/);
    const json = JSON.parse((await bopHere(["status", "-d", store, "--json"])).stdout);
    expect(json).toMatchObject({ directory: store, state: "open", databases: { known: 1 } });
    const checkpoint = await bopHere(["checkpoint", "-d", store, "--json"]);
    expect(JSON.parse(checkpoint.stdout).checkpoint.lsn).toBeGreaterThan(0);
  });

  test("a store owned by another process is refused with 3, to people and to programs", async () => {
    const manager = await Manager.open({ directory: store });
    try {
      const ended = await bop(["list", "-d", store]);
      expect(ended.exitCode).toBe(3);
      expect(ended.stderr).toMatch(/\(BOP_LOCKED\)\n +stop that process/);
      expect(ended.stderr).toContain(String(process.pid));
      const { stderr } = await bop(["list", "-d", store, "--json"]);
      expect(JSON.parse(stderr).error).toMatchObject({ code: "BOP_LOCKED", exitCode: 3 });
    } finally {
      await manager.close();
    }
  });
});

describe("a switch in the environment", () => {
  // No address of this machine: a server that tries to listen there ends, too, with 1.
  const argv = ["serve", "--host", "192.0.2.1", "--port", "0", "-d"];

  test.each(["false", "0", ""])(
    "is off at %j: nothing listens, no store is made",
    async (value) => {
      const untouched = join(folder, "untouched");
      const environment = { BOP_ALLOW_INSECURE: value };
      const ended = await bopHere([...argv, untouched], { environment });
      expect(ended).toMatchObject({ exitCode: 2, stdout: "" });
      expect(existsSync(untouched)).toBe(false);
    },
  );

  test("that is neither on nor off is wrong usage, and says what was expected", async () => {
    const untouched = join(folder, "untouched");
    const environment = { BOP_AUTO_CREATE: "yes" };
    const ended = await bopHere([...argv, untouched, "--allow-insecure"], { environment });
    expect(ended).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ended.stderr).toMatch(/BOP_AUTO_CREATE is "yes"; want 1 or true, 0 or false/);
    expect(existsSync(untouched)).toBe(false);
  });
});

describe("a moment that is still to come", () => {
  test.each([
    ["fork", "later"],
    ["export", "later.db"],
  ])("is wrong usage: %s", async (command, target) => {
    const argv = [command, "notes", join(folder, target), "--at", "2999-01-01", "-d", store];
    if (command === "fork") argv[2] = target;
    const refused = await bopHere(argv);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("at is 2999-01-01T00:00:00.000Z, and it is");
  });
});

describe("a reader that goes away", () => {
  test.each([[["--help"]], [["list", "-d", ""]]])("ends nothing: %j", async (argv) => {
    const here = argv.map((word) => word || store);
    const ended = await bop(here, { leavesEarly: true });
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});

describe("a reader of the shell that goes away", () => {
  test("ends no script: what stands behind the lost rows is run, without writing", async () => {
    const input = "select 1;\ncreate table a(x);\nselect 2;\ncreate table b(x);";
    const ended = await bop(["shell", "notes", "-d", store], { input, leavesEarly: true });
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    const { stdout } = await bopHere(["shell", "notes", "-d", store], {
      input: ".tables a\n.tables b",
    });
    expect(stdout).toBe("a\nb\n");
  });

  test("ends a statement whose rows never end", async () => {
    const input =
      "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c;\n" +
      "create table behind(x);";
    const ended = await bop(["shell", "notes", "-d", store], { input, leavesEarly: true });
    expect(ended).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    const { stdout } = await bopHere(["shell", "notes", "-d", store], { input: ".tables behind" });
    expect(stdout).toBe("behind\n");
  });
});

describe("the shell in a pipe", () => {
  test("statements run in order, the last without a semicolon, and what they wrote stays", async () => {
    const input =
      "create table t (a, b);\ninsert into t values (1, 'x'),\n(2, null);\nselect * from t";
    const first = await bop(["shell", "notes", "-d", store], { input });
    expect(first).toEqual({ exitCode: 0, stdout: "1|x\n2|\n", stderr: "" });
    const again = await bop(["shell", "notes", "-d", store], { input: "select count(*) from t" });
    expect(again.stdout).toBe("2\n");
  });

  test("the first error ends it with 1; --continue runs the rest and ends with 1 all the same", async () => {
    const input = "select 1;\nselct 2;\nselect 3;\n";
    const stopped = await bop(["shell", "notes", "-d", store], { input });
    expect([stopped.exitCode, stopped.stdout]).toEqual([1, "1\n"]);
    expect(stopped.stderr).toMatch(/error: near "selct": syntax error \(SQLITE_ERROR\)/);
    const continued = await bopHere(["shell", "notes", "-d", store, "--continue"], { input });
    expect([continued.exitCode, continued.stdout]).toEqual([1, "1\n3\n"]);
  });

  test("a transaction over several lines is one, and is rolled back if it is left open", async () => {
    const begin = "create table if not exists u (a);\nbegin;\ninsert into u values (1);\n";
    await bopHere(["shell", "notes", "-d", store], {
      input: `${begin}commit;\nbegin;\ndelete from u;`,
    });
    const { stdout } = await bopHere(["shell", "notes", "-d", store], {
      input: "select count(*) from u",
    });
    expect(stdout).toBe("1\n");
  });

  test("--json gives an array for each result", async () => {
    const input = "select 1 as a, x'ff' as b; select 2 as c where false;";
    const { stdout } = await bopHere(["shell", "notes", "-d", store, "--json"], { input });
    expect(stdout).toBe('[{"a":1,"b":{"base64":"/w=="}}]\n[]\n');
  });

  test("a carriage return in a literal is stored as it is, alone or before a line feed", async () => {
    const input = "select hex('a\rb');\r\nselect hex('a\r\nb'); -- twice\r\n.quit\r\n";
    const { exitCode, stdout } = await bopHere(["shell", "notes", "-d", store], { input });
    expect([exitCode, stdout]).toEqual([0, "610D62\n610D0A62\n"]);
  });

  test("--json closes the array of a read that fails behind its first row", async () => {
    const input =
      "create table j (x);\ninsert into j values ('{}'), ('{');\n" +
      "select json(x) as x from j;\nselect 2 as two;";
    const argv = ["shell", "notes", "-d", store, "--json", "--continue"];
    const { exitCode, stdout } = await bopHere(argv, { input });
    expect(exitCode).toBe(1);
    const arrays = stdout.trim().split("\n");
    expect(arrays.map((text) => JSON.parse(text))).toEqual([[{ x: "{}" }], [{ two: 2 }]]);
  });

  test("an unknown database is refused unless it may be created", async () => {
    const input = "select 1";
    const refused = await bopHere(["shell", "fresh", "-d", store], { input });
    expect([refused.exitCode, refused.stdout]).toEqual([1, ""]);
    const created = await bopHere(["shell", "fresh", "-d", store, "--create"], { input });
    expect([created.exitCode, created.stdout]).toEqual([0, "1\n"]);
    await bopHere(["drop", "fresh", "--yes", "-d", store]);
  });
});
