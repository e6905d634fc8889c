/** `bop serve` as a process of its own: killed, stopped, refused. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { createClient } from "@libsql/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Manager } from "../../src/manager/index.ts";
import { bopHere } from "./bop-here.ts";
import { temporaryDirectory } from "./harness.ts";

type Process = ChildProcessByStdio<null, Readable, Readable>;

interface Served {
  readonly process: Process;
  readonly url: string;
}

let directory: string;
const running = new Set<Process>();

beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
  await rm(directory, { recursive: true });
});

function bop(...args: string[]): Process {
  const command = ["dist/cli/main.js", ...args];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  return child;
}

/** Resolves once the URL is printed, which is the first line and means that requests are served. */
async function serve(...args: string[]): Promise<Served> {
  const child = bop("serve", "--directory", directory, "--port", "0", ...args);
  const errors: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  for await (const line of createInterface({ input: child.stdout })) {
    return { process: child, url: line };
  }
  throw new Error(`the server printed no URL: ${Buffer.concat(errors)}`);
}

async function exitOf(child: Process): Promise<number | string | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? child.signalCode;
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("the server as a process", () => {
  // evidence: G1
  test("killed under load and started again, it has every row that was acknowledged", async () => {
    const first = await serve();
    const client = createClient({ url: first.url });
    await client.execute("create table n (i integer primary key)");
    const acknowledged: number[] = [];
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = writer; ; i += 8) {
        await client.execute("insert into n values (?)", [i]);
        acknowledged.push(i);
        if (acknowledged.length === 200) first.process.kill("SIGKILL");
      }
    });
    await Promise.allSettled(writers);
    expect(await exitOf(first.process)).toBe("SIGKILL");
    const second = await serve();
    const reader = createClient({ url: second.url });
    const rows = new Set((await reader.execute("select i from n")).rows.map(({ i }) => i));
    expect(acknowledged.filter((i) => !rows.has(i))).toEqual([]);
    expect((await reader.execute("pragma integrity_check")).rows).toEqual([
      { integrity_check: "ok" },
    ]);
  });

  test("SIGTERM ends it with 0 and leaves a clean store, without what was not committed", async () => {
    const served = await serve();
    const client = createClient({ url: served.url });
    await client.execute("create table n (i integer)");
    await client.execute("insert into n values (1)");
    const tx = await client.transaction("write");
    await tx.execute("insert into n values (2)");
    served.process.kill("SIGTERM");
    expect(await exitOf(served.process)).toBe(0);
    const manager = await Manager.open({ directory });
    expect(manager.diagnostics().recoveredFromCrash).toBe(false);
    const database = await manager.database("default", { create: false });
    expect(await database.prepare("select i from n").pluck().all()).toEqual([1]);
    await manager.close();
  });

  // evidence: G8
  test("a second server on the same directory is refused with 3, and says who owns it", async () => {
    const first = await serve();
    const second = bop("serve", "--directory", directory, "--port", "0");
    const [code, text] = await Promise.all([exitOf(second), textOf(second.stderr)]);
    expect(code).toBe(3);
    expect(text).toContain(String(first.process.pid));
  });

  test("a port that is taken is said to be, with what to do", async () => {
    const { port } = new URL((await serve()).url);
    const elsewhere = ["--directory", join(directory, "second"), "--port", port];
    const refused = await bopHere(["serve", ...elsewhere, "--log-level", "silent"]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain(`127.0.0.1:${port} is taken`);
    expect(refused.stderr).toContain("--port");
  });

  test("an address that others can reach is wrong usage, unless it is allowed", async () => {
    const untouched = join(directory, "untouched");
    const elsewhere = ["--directory", untouched, "--port", "0", "--host", "0.0.0.0"];
    const quietly = ["--log-level", "silent"];
    const refused = await bopHere(["serve", ...elsewhere, ...quietly]);
    expect([refused.exitCode, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain("--allow-insecure");
    expect(existsSync(untouched)).toBe(false);
    const served = await serve("--host", "0.0.0.0", "--allow-insecure");
    expect((await fetch(`${served.url}/health`)).status).toBe(200);
  });

  test.each([
    ["--port", "x"],
    ["--engine", "oracle"],
    ["--no-such-option", ""],
  ])("%s %s is wrong usage", async (...args) => {
    const given = args.filter((arg) => arg !== "");
    const refused = await bopHere(["serve", "--directory", directory, ...given]);
    expect([refused.exitCode, refused.stdout]).toEqual([2, ""]);
  });
});
