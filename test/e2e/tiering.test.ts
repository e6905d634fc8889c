/** `bop` over stores whose pages are in a sink: brought back lazily, started from there, watched. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Manager } from "../../src/index.ts";
import { bopHere } from "./bop-here.ts";

// On machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = mkdtempSync(join(tmpdir(), "bop-tiering-"));
const sink = pathToFileURL(join(folder, "bucket")).href;
const at = (name: string) => join(folder, name);
const ROWS = 300;
let early = 0;

beforeAll(async () => {
  const manager = await Manager.open({ directory: at("store"), sink, segmentBytes: 2 ** 20 });
  const notes = await manager.database("notes");
  await notes.exec("create table note (id integer primary key, body text)");
  const insert = notes.prepare("insert into note (body) values (?)");
  early = (await insert.run("early")).lsn;
  await Promise.all(Array.from({ length: ROWS - 1 }, () => insert.run("x".repeat(1000))));
  await manager.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Rows of the database, as a program sees them. */
async function count(directory: string, given?: string): Promise<unknown> {
  const options = { directory, segmentBytes: 2 ** 20, ...(given && { sink: given }) };
  const manager = await Manager.open(options);
  try {
    const notes = await manager.database("notes");
    return await notes.prepare("select count(*) from note").pluck().get();
  } finally {
    await manager.close();
  }
}

const filesIn = (directory: string) =>
  readdirSync(join(directory, "chunks"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".chunk"),
  );

/** Resolves once requests are served. */
async function serve(directory: string, given: readonly string[]) {
  const command = ["dist/cli/main.js", "serve", "--port", "0", "--directory", directory, ...given];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "ignore"] });
  const stop = async () => {
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  for await (const url of createInterface({ input: child.stdout })) return { url, stop };
  throw new Error("the server printed no URL");
}

test("a restore tells in JSON what it read, and nothing of its progress where nobody watches", async () => {
  const whole = ["restore", "--from", sink, "--directory", at("whole"), "--json"];
  const planned = await bopHere([...whole, "--dry-run"]);
  expect(planned).toMatchObject({ exitCode: 0, stderr: "" });
  expect(JSON.parse(planned.stdout).restored).toMatchObject({ dryRun: true, remoteChunks: 0 });
  const ended = await bopHere(whole);
  expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
  const { restored } = JSON.parse(ended.stdout);
  expect(restored).toMatchObject({ isNewest: true, dryRun: false, directory: at("whole") });
  expect(restored.chunks).toBe(filesIn(at("whole")).length);
  expect(restored.reads.bytes).toBeGreaterThan(restored.chunkBytes);
  expect(await count(at("whole"))).toBe(ROWS);
  const again = await bopHere(whole);
  expect(again.exitCode).toBe(1);
  expect(JSON.parse(again.stderr).error).toMatchObject({ code: "BOP_EXISTS" });
});

test("a lazy restore leaves pages where they are, and they are read from there", async () => {
  const directory = at("lazy");
  const lazy = ["restore", "--from", sink, "--directory", directory, "--lazy"];
  const refused = await bopHere([...lazy, "--at", "2026-11-22T12:00:00Z"]);
  expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
  const ended = await bopHere(lazy);
  expect(ended).toMatchObject({ exitCode: 0 });
  expect(ended.stdout).toMatch(/^restored the newest moment.* stay in the bucket\n$/);
  expect(filesIn(directory)).toEqual([]);
  const blind = await bopHere(["verify", directory]);
  expect(blind.stdout).toMatch(/away .*only in the sink; not read/);
  const seeing = await bopHere(["verify", directory, "--sink", sink, "--json"]);
  expect(JSON.parse(seeing.stdout).verified).toMatchObject({ isSound: true, findings: [] });
  await expect(count(directory)).rejects.toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
  expect(await count(directory, sink)).toBe(ROWS);
  const status = await bopHere(["status", "--directory", directory, "--sink", sink]);
  expect(status.stdout).toMatch(/residency .*on this disk/);
});

test("a server starts in an empty directory from its sink, and top watches it", async () => {
  const server = await serve(at("served"), ["--sink", sink, "--start-from-sink"]);
  try {
    const once = await bopHere(["top", server.url, "--once", "--interval", "0.2"]);
    expect(once).toMatchObject({ exitCode: 0 });
    expect(once.stdout).toMatch(/commits .*\/s/);
    expect(once.stdout).toMatch(/sink .*shipping/);
    const json = await bopHere(["top", server.url, "--json", "--interval", "0.2"]);
    const { perSecond, diagnostics } = JSON.parse(json.stdout);
    expect(perSecond.commits).toBe(0);
    expect(diagnostics.residency.startedFrom.objects).toBeGreaterThan(0);
    const owned = await bopHere(["top", at("served"), "--once"]);
    expect(owned.exitCode).toBe(3);
  } finally {
    await server.stop();
  }
  const nobody = await bopHere(["top", server.url, "--once"]);
  expect(nobody.exitCode).toBe(1);
  expect(nobody.stderr).toMatch(/does not answer/);
});

test("an export is of the moment that is asked for", async () => {
  const file = at("early.sqlite");
  const exported = ["export", "notes", file, "--directory", at("store"), "--json"];
  const ended = await bopHere([...exported, "--at", String(early)]);
  expect(ended).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(ended.stdout).exported.sizeBytes).toBeLessThan(20_000);
  const manager = await Manager.open({ directory: at("early") });
  await manager.import(file, "notes");
  await manager.close();
  expect(await count(at("early"))).toBe(1);
});
