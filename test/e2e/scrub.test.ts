/** `bop scrub` on a store in a folder that ships to another: damage at rest, in either. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Manager } from "../../src/manager/index.ts";
import { bopHere } from "./bop-here.ts";

// On machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder = "";
let store = "";
let sink = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-scrub-"));
  store = join(folder, "store");
  sink = `file://${join(folder, "bucket")}`;
  const manager = await Manager.open({ directory: store, segmentBytes: 1024 * 1024, sink });
  const shop = await manager.database("shop");
  await shop.exec("create table t (x); insert into t values (1), (zeroblob(20000))");
  await manager.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(place: string, of: RegExp): string {
  const names = readdirSync(join(folder, place), { recursive: true, encoding: "utf8" });
  return join(folder, place, names.find((name) => of.test(name)) ?? "");
}

function damage(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

describe("bop scrub", () => {
  // evidence: G44
  test("says what it has read of a store that is whole, and when that was", async () => {
    const ended = await bopHere(["scrub", "-d", store, "--sink", sink]);
    expect(ended.exitCode).toBe(0);
    expect(ended.stdout).toMatch(/^read \d+ chunks, \d+ segments, \d+ objects of the sink: /);
    expect(ended.stdout).toContain("restored to try it: shop\neverything is as it was written\n");
    const { stdout } = await bopHere(["scrub", "--status", "--json", "-d", store, "--sink", sink]);
    const { scrub } = JSON.parse(stdout);
    expect(scrub.samples).toMatchObject({ goodDatabases: 1 });
    expect(Date.parse(scrub.local.lastGoodAt)).toBeGreaterThan(0);
    expect(Date.parse(scrub.remote.lastGoodAt)).toBeGreaterThan(0);
    const status = await bopHere(["status", "-d", store]);
    expect(status.stdout).toMatch(/scrub +this disk: whole at /);
  });

  // evidence: G44
  test("heals a chunk from the sink, and an object of the sink from the chunk, and ends with 0", async () => {
    const [chunk, object] = [fileOf("store/chunks", /\.chunk$/), fileOf("bucket/chunks", /-0*1$/)];
    for (const file of [chunk, object]) {
      const whole = readFileSync(file);
      damage(file, 300);
      const ended = await bopHere(["scrub", "--json", "-d", store, "--sink", sink]);
      expect(ended.exitCode).toBe(0);
      const { scrubbed } = JSON.parse(ended.stdout);
      expect(scrubbed).toMatchObject({ isSound: true, findings: [{ outcome: "healed" }] });
      const body = readFileSync(chunk);
      expect(readFileSync(file).subarray(0, body.length)).toEqual(whole.subarray(0, body.length));
    }
  });

  // evidence: G44
  test("ends with 1 where nothing is there to heal it from, and names file and database", async () => {
    const chunk = fileOf("store/chunks", /\.chunk$/);
    const whole = readFileSync(chunk);
    damage(chunk, 300);
    const ended = await bopHere(["scrub", "-d", store]);
    writeFileSync(chunk, whole);
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(/reported +chunks\/.*\.chunk: .*there is no sink.*\(shop\)\n/);
    expect(ended.stdout).toMatch(/DAMAGED: 1 stay\n$/);
  });

  test("with parts that need a sink, and without one, is wrong usage", async () => {
    const ended = await bopHere(["scrub", "--only", "remote", "-d", store]);
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toContain("needs --sink");
  });
});
