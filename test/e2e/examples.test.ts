/** The examples as a reader runs them: each a process of its own, over a store of its own. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { programCommand } from "../support/programs.ts";
import { temporaryDirectory } from "../support/store.ts";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "examples");
const OVER_HTTP = "06-libsql-http.ts";
/** It drops what it made before. */
const RUN_TWICE = "04-import-export.ts";
const LINES_MAX = 60;
const run = promisify(execFile);

const sourceOf = (name: string) => readFileSync(join(EXAMPLES, name), "utf8");

/** What the comments behind its calls of console.log say that it prints. */
function promisedBy(name: string): string {
  const lines = [...sourceOf(name).matchAll(/\bconsole\.log\(.*\/\/ (.+)$/gm)];
  return `${lines.map(([, line]) => line).join("\n")}\n`;
}

async function printedBy(name: string, argument: string): Promise<string> {
  const argv = [...programCommand(`examples/${name}`), argument];
  const { stdout, stderr } = await run(process.execPath, argv, { cwd: ROOT });
  expect(stderr).toBe("");
  return stdout;
}

/** URL of a server in a process of its own, which ends with the test. */
async function serve(): Promise<string> {
  const argv = [join(ROOT, "dist/cli/main.js"), "serve", "--port", "0"];
  const child = spawn(process.execPath, [...argv, "--directory", await temporaryDirectory()], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  });
  const [url] = await once(createInterface({ input: child.stdout }), "line");
  return String(url);
}

const names = readdirSync(EXAMPLES).filter((name) => /^\d\d-.+\.ts$/.test(name));

describe("the examples", () => {
  test.each(names.filter((name) => name !== RUN_TWICE))(
    "%s prints what its comments say",
    async (name) => {
      const argument = name === OVER_HTTP ? await serve() : await temporaryDirectory();
      expect(await printedBy(name, argument)).toBe(promisedBy(name));
    },
  );

  test(`${RUN_TWICE} prints what its comments say, and again: what it made, it makes anew`, async () => {
    const directory = await temporaryDirectory();
    const promised = promisedBy(RUN_TWICE);
    expect(promised).not.toBe("\n");
    expect(await printedBy(RUN_TWICE, directory)).toBe(promised);
    expect(await printedBy(RUN_TWICE, directory)).toBe(promised);
  });

  test.each(names)("%s is short enough to be read at a glance", (name) => {
    expect(sourceOf(name).trimEnd().split("\n").length).toBeLessThanOrEqual(LINES_MAX);
  });

  test("every example is listed where a reader looks for it", () => {
    const listed = sourceOf("README.md");
    expect(names.filter((name) => !listed.includes(`(${name})`))).toEqual([]);
  });
});
