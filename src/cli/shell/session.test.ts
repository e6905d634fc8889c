import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Connection, Manager } from "../../manager/index.ts";
import { ShellSession } from "./session.ts";
import type { ShellSettings } from "./shell.ts";

let folder = "";
let manager: Manager;
let connection: Connection;
let settings: ShellSettings;
let session: ShellSession;
let output = "";
let errors = "";
let isClosed = false;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-shell-"));
  manager = await Manager.open({ directory: join(folder, "store") });
  const notes = await manager.database("notes");
  await notes.exec(`
    create table note (id integer primary key, body text);
    create table other (a);
    create view note_view as select body from note;
    insert into note values (1, 'one'), (2, null);`);
});
afterAll(async () => {
  await manager.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  connection = await (await manager.database("notes")).connect();
  settings = { mode: "table", showTime: false, width: undefined };
  output = errors = "";
  isClosed = false;
  session = new ShellSession({
    manager,
    databaseName: "notes",
    connection,
    settings,
    write: (text) => {
      output += text;
    },
    writeError: (text) => {
      errors += text;
    },
    terminalWidth: () => undefined,
    isClosed: () => isClosed,
    isChatty: true,
  });
});
afterEach(() => connection.close());

describe("a shell session", () => {
  test("a statement over several lines runs when its semicolon comes", async () => {
    await type("select id, body", "from note");
    expect(output).toBe("");
    await type("order by id;");
    expect(output).toBe("id │ body\n───┼─────\n 1 │ one\n 2 │ NULL\n");
  });

  test("the prompt says what is awaited and whether a transaction is open", async () => {
    expect(session.prompt).toBe("notes> ");
    await type("select 'a");
    expect(session.prompt).toBe("    '> ");
    await type("';", "begin;");
    expect(session.prompt).toBe("notes*> ");
    await type("rollback;");
    expect(session.prompt).toBe("notes> ");
  });

  test("a transaction holds from line to line and its rows are seen within it", async () => {
    await type("begin;", "insert into note values (3, 'x');", ".mode list");
    await type("select count(*) from note;", "rollback;", "select count(*) from note;");
    expect(output).toBe("1 row changed\n3\n2\n");
  });

  test("temporary tables last as long as the session", async () => {
    await type(".mode list", "create temp table t (a);", "insert into t values (1), (2);");
    await type("select sum(a) from t;");
    expect(output).toBe("2 rows changed\n3\n");
  });

  test("RETURNING gives rows", async () => {
    await type("begin;", "insert into note values (9, 'new') returning id, body;", "rollback;");
    expect(output).toContain(" 9 │ new\n");
  });

  test("an error names SQLite's code and points at the place", async () => {
    expect(await session.line("select id, boddy from note;")).toBe("failed");
    expect(errors).toBe(
      "error: no such column: boddy (SQLITE_ERROR)\n" +
        "  select id, boddy from note;\n" +
        "             ^\n",
    );
  });

  test("an error on a later line of a statement shows that line alone", async () => {
    await type("select id,", "  boddy", "from note;");
    expect(errors).toContain("\n    boddy\n    ^\n");
  });

  test("an error ends its line, and the session goes on with the next", async () => {
    expect(await session.line("nonsense; select 1;")).toBe("failed");
    expect(output).toBe("");
    expect(await session.line("select 1 as one;")).toBe("ok");
    expect(output).toBe("one\n───\n  1\n");
  });

  test("a read stops when its reader has left, which it hears between two turns", async () => {
    const rowCount = 100_000;
    await type(".mode list");
    setImmediate(() => {
      isClosed = true;
    });
    await type(
      `with recursive c(x) as (select 1 union all select x + 1 from c limit ${rowCount})
       select x from c;`,
    );
    expect(errors).toBe("");
    expect(output.split("\n").length).toBeLessThan(rowCount);
  });

  test("a read that fails behind its first row shows what came before, and ends it", async () => {
    await type(".mode json", "select json(column1) as x from (values ('{}'), ('{'));");
    await type("select json('{') as x;");
    expect(output).toBe('[{"x":"{}"}]\n');
    expect(errors.match(/malformed JSON/g)).toHaveLength(2);
  });

  test("a semicolon alone and comments are nothing", async () => {
    await type(";", "-- a comment", "/* another */ ;");
    expect([output, errors]).toEqual(["", ""]);
  });

  test("cancelling forgets an open statement", async () => {
    await type("select 'half");
    session.cancel();
    await type("select 2 as two;");
    expect(output).toContain("  2\n");
  });
});

describe("commands of the shell", () => {
  test(".tables lists tables and views, those that a pattern fits if one is given", async () => {
    await type(".tables");
    expect(output).toBe("note\nnote_view\nother\n");
    output = "";
    await type(".tables note*");
    expect(output).toBe("note\nnote_view\n");
  });

  test(".schema prints statements that would make it again", async () => {
    await type(".schema note");
    expect(output).toBe("CREATE TABLE note (id integer primary key, body text);\n");
  });

  test(".list shows the databases of the store and marks this one", async () => {
    await type(".databases");
    expect(output).toMatch(/database │ +size │ here\n.*\nnotes +│ .*KiB │ \*\n/);
  });

  test(".mode, .width and .timer change how results are shown", async () => {
    await type(".mode csv", "select 1 as a;", ".timer on", ".mode list", "select 2;");
    expect(output).toMatch(/^a\r\n1\r\n2\ntime: \d+\.\d ms\n$/);
    await type(".timer off", ".mode table", ".width 20");
    output = "";
    await type("select printf('%050d', 7) as wide;");
    expect(output.split("\n").every((line) => line.length <= 20)).toBe(true);
  });

  test(".help lists every command", async () => {
    await type(".help");
    for (const name of ["help", "tables", "schema", "list", "mode", "width", "timer", "quit"]) {
      expect(output).toContain(`.${name}`);
    }
  });

  test("an unknown command suggests what may have been meant", async () => {
    expect(await session.line(".tabels")).toBe("failed");
    expect(await session.line(".mode xml")).toBe("failed");
    expect(errors).toMatch(
      /did you mean \.tables\?\n.*\.mode takes table, line, list, csv, json\n/,
    );
  });

  test(".quit and .exit leave", async () => {
    expect(await session.line(".quit")).toBe("quit");
    expect(await session.line(".exit")).toBe("quit");
  });

  test("a dot within a statement is no command", async () => {
    await type(".mode list", "select", ".5;");
    expect(output).toBe("0.5\n");
  });
});

async function type(...lines: string[]): Promise<void> {
  for (const line of lines) await session.line(line);
}
