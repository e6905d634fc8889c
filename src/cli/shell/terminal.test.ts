import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Manager } from "../../manager/index.ts";
import { ShellSession } from "./session.ts";
import { runTerminal } from "./terminal.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: where readline has put the cursor
const PROMPT = /> (?:\u001b\[\d+G)?$/;

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const UP = "\u001b[A";

let folder = "";
let manager: Manager;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-terminal-"));
  manager = await Manager.open({ directory: join(folder, "store") });
});
afterAll(async () => {
  await manager.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the shell at a terminal", () => {
  test("a statement is answered, and Ctrl-D leaves", async () => {
    const { text } = await converse(["select 6 * 7 as answer;\r", CTRL_D]);
    expect(text).toMatch(/here> select 6 \* 7 as answer;[\s\S]*answer\n──────\n +42\n/);
  });

  test("pasted lines are answered in order, and none after .quit", async () => {
    const { text } = await converse([
      "create table t (a);\rinsert into t values (1);\rselect count(*) as n from t;\r",
      "drop table t;\r.quit\rselect 'too late' as late;\r",
    ]);
    expect(text).toMatch(/1 row changed[\s\S]*n\n─\n1\n/);
    expect(text).not.toContain("too late\n");
  });

  test("Ctrl-C drops what is being typed, of this line and of those before", async () => {
    const { text } = await converse([
      "select 'half\r",
      `more${CTRL_C}`,
      "select 5 as five;\r",
      CTRL_D,
    ]);
    expect(text).toMatch(/five\n────\n +5\n/);
    expect(text).not.toContain("half\nmore");
  });

  test("the line before comes back with the arrow key, from this session or an earlier one", async () => {
    const { text, history } = await converse([`${UP}\r`, CTRL_D], ["select 'again' as word;"]);
    expect(text).toMatch(/word\n─+\nagain\n/);
    expect(history).toEqual(["select 'again' as word;"]);
  });

  test("what was typed is handed back for the next session, oldest first", async () => {
    const { history } = await converse([".mode list\r", "select 1;\r", CTRL_D], [".help"]);
    expect(history).toEqual([".help", ".mode list", "select 1;"]);
  });
});

/** Types into a session of its own; each piece when the prompt is there again. */
async function converse(pieces: readonly string[], before: readonly string[] = []) {
  const connection = await (await manager.database("here")).connect();
  const input = new PassThrough();
  const output = new PassThrough({ encoding: "utf8" });
  let raw = "";
  const session = new ShellSession({
    manager,
    databaseName: "here",
    connection,
    settings: { mode: "table", showTime: false, width: undefined },
    write: (text) => output.write(text),
    writeError: (text) => output.write(text),
    isClosed: () => false,
    terminalWidth: () => 80,
    isChatty: true,
  });
  const waiting = [...pieces];
  output.on("data", (text: string) => {
    raw += text;
    const isPrompt = PROMPT.test(text);
    const piece = isPrompt ? waiting.shift() : undefined;
    if (piece !== undefined) setImmediate(() => input.write(piece));
  });
  const history = await runTerminal(session, { input, output, history: before });
  await connection.close();
  return { text: stripVTControlCharacters(raw).replaceAll("\r", ""), history };
}
