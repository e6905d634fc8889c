/** The manifest from the command line: lost, old, and what it keeps of jobs. */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Manager } from "../../src/manager/index.ts";
import { bop } from "./bop.ts";
import { bopHere } from "./bop-here.ts";

// Some commands are processes, on machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder = "";
let store = "";
/** Its manifest as it was one checkpoint before the last. */
let oldManifest = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-manifest-"));
  store = join(folder, "store");
  oldManifest = join(folder, "old-manifest");
  const first = await Manager.open({ directory: store });
  await (await first.database("shop")).exec("create table t (x); insert into t values (1)");
  await first.close();
  cpSync(join(store, "manifest"), oldManifest, { recursive: true });
  const second = await Manager.open({ directory: store });
  await (await second.database("shop")).exec("insert into t values (2)");
  await (await second.database("café")).exec("create table u (y)");
  await second.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function copyOfStore(): string {
  const directory = mkdtempSync(join(folder, "copy-"));
  cpSync(store, directory, { recursive: true });
  return directory;
}

async function expectWhole(directory: string): Promise<void> {
  const manager = await Manager.open({ directory });
  expect((await manager.list()).map(({ name }) => name)).toEqual(["café", "shop"]);
  const shop = await manager.database("shop", { create: false });
  expect(await shop.prepare("select sum(x) from t").pluck().get()).toBe(3);
  await manager.close();
  expect(await bopHere(["verify", directory])).toMatchObject({ exitCode: 0 });
}

describe("bop rebuild", () => {
  // evidence: G12
  test("a manifest that was deleted comes back, with every database and all that is in them", async () => {
    const directory = copyOfStore();
    rmSync(join(directory, "manifest"), { recursive: true });
    const refused = await bopHere(["list", "-d", directory]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toMatch(/the manifest is missing[\s\S]*bop rebuild/);
    const rebuilt = await bopHere(["rebuild", "-d", directory]);
    expect(rebuilt).toMatchObject({ exitCode: 0, stderr: "" });
    expect(rebuilt.stdout).toMatch(/^rebuilt the manifest as of LSN \d+: \d+ rows, \d+ chunks/);
    await expectWhole(directory);
  });

  // evidence: G4
  test("an older copy of the manifest is refused, and the newer one made again beside it", async () => {
    const directory = copyOfStore();
    rmSync(join(directory, "manifest"), { recursive: true });
    cpSync(oldManifest, join(directory, "manifest"), { recursive: true });
    const refused = await bopHere(["list", "-d", directory]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toMatch(/the manifest is an old copy[\s\S]*bop rebuild --replace/);
    const unasked = await bopHere(["rebuild", "-d", directory]);
    expect(unasked).toMatchObject({ exitCode: 1, stdout: "" });
    const { stdout } = await bopHere(["rebuild", "--replace", "--json", "-d", directory]);
    expect(existsSync(JSON.parse(stdout).rebuilt.movedTo)).toBe(true);
    await expectWhole(directory);
  });

  test("a directory without a store is refused, and a store in use with 3", async () => {
    const none = await bopHere(["rebuild", "-d", join(folder, "nowhere")]);
    expect(none).toMatchObject({ exitCode: 1, stdout: "" });
    const directory = copyOfStore();
    const manager = await Manager.open({ directory });
    try {
      const refused = await bop(["rebuild", "--replace", "-d", directory]);
      expect(refused).toMatchObject({ exitCode: 3, stdout: "" });
      expect(refused.stderr).toMatch(`process ${process.pid}`);
    } finally {
      await manager.close();
    }
  });
});

describe("bop jobs", () => {
  test("a job of an earlier process is shown with what came out of it", async () => {
    const directory = copyOfStore();
    expect((await bopHere(["jobs", "-d", directory])).stdout).toBe("no jobs\n");
    const manager = await Manager.open({ directory });
    const { id } = await manager.verifyDatabase("shop");
    await manager.job(id).finished();
    await manager.close();
    const { stdout } = await bop(["jobs", "-d", directory]);
    expect(stdout).toMatch(
      /id .*kind .*database[\s\S]*integrity-check .* shop .* done .* 1\/5 .* ok\n/,
    );
    const json = await bopHere(["jobs", "--json", "-d", directory]);
    expect(JSON.parse(json.stdout).jobs).toMatchObject([
      { id, kind: "integrity-check", database: "shop", state: "done", result: "ok" },
    ]);
  });
});

describe("--io", () => {
  test("chooses how the log is written, by option before or behind, or by variable", async () => {
    const at = ["--json", "-d", store];
    const kindOf = async (argv: readonly string[], environment = {}) => {
      const { stdout } = await bopHere(argv, { environment });
      return JSON.parse(stdout).io.kind;
    };
    expect(await kindOf(["status", ...at, "--io", "standard"])).toBe("standard");
    expect(await kindOf(["--io", "standard", "status", ...at])).toBe("standard");
    expect(await kindOf(["status", ...at], { BOP_IO: "standard" })).toBe("standard");
    const wrong = await bopHere(["list", "--io", "fast", "-d", store]);
    expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
    expect(wrong.stderr).toMatch(/auto, direct, standard/);
  });
});
