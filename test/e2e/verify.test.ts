import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Manager } from "../../src/manager/index.ts";
import { bop } from "./bop.ts";
import { bopHere } from "./bop-here.ts";

// On machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let folder = "";
let store = "";
let chunk = "";
let segment = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bop-verify-"));
  store = join(folder, "store");
  const manager = await Manager.open({ directory: store, segmentBytes: 1024 * 1024 });
  const shop = await manager.database("shop");
  await shop.exec("create table t (x); insert into t values (1)");
  await manager.checkpoint();
  await shop.exec("insert into t values (2)");
  await manager.close();
  const find = (ending: string) =>
    readdirSync(store, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(ending))
      .sort()[0] ?? "";
  chunk = find(".chunk");
  segment = find(".wal");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function damaged(file: string, at: number): string {
  const directory = mkdtempSync(join(folder, "damaged-"));
  cpSync(store, directory, { recursive: true });
  const bytes = readFileSync(join(directory, file));
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(join(directory, file), bytes);
  return directory;
}

describe("bop verify", () => {
  test("a sound store ends with 0, by argument and by --directory", async () => {
    const byArgument = await bopHere(["verify", store]);
    expect(byArgument).toMatchObject({ exitCode: 0, stderr: "" });
    expect(byArgument.stdout).toMatch(/pages\nsound: no damage was found\n$/);
    const { stdout } = await bopHere(["verify", "--json", "-d", store]);
    expect(JSON.parse(stdout).verified).toMatchObject({ isSound: true, findings: [] });
  });

  test("damage ends with 1, and says the file, the byte, the page and the database", async () => {
    const ended = await bopHere(["verify", damaged(chunk, 300)]);
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(
      /damage +chunks\/.*\.chunk, byte 128: .*page 1 of database "shop"/,
    );
    expect(ended.stdout).toMatch(/DAMAGED: \d+ findings\n$/);
  });

  test("a store that is open is refused with 3; a directory without one with 1", async () => {
    const open = join(folder, "open");
    const manager = await Manager.open({ directory: open });
    try {
      const refused = await bop(["verify", open]);
      expect(refused).toMatchObject({ exitCode: 3, stdout: "" });
      expect(refused.stderr).toMatch(`process ${process.pid}`);
    } finally {
      await manager.close();
    }
    const none = await bopHere(["verify", folder]);
    expect(none).toMatchObject({ exitCode: 1, stdout: "" });
    expect(none.stderr).toMatch(/there is no store/);
  });
});

describe("bop verify --repair", () => {
  test("a log that is whole is left as it is", async () => {
    const whole = await bopHere(["verify", store, "--repair"]);
    expect(whole).toMatchObject({ exitCode: 0, stdout: "nothing to repair: the log is whole\n" });
  });

  test("a damaged log is cut where a script says --yes, is told what is lost, and opens again", async () => {
    const directory = damaged(segment, 4096 + 60);
    const asked = await bopHere(["verify", directory, "--repair"]);
    expect(asked).toMatchObject({ exitCode: 1, stdout: "nothing was changed\n" });
    expect(asked.stderr).toMatch(/ bytes of log are lost:[\s\S]*no terminal to ask at: .*--yes\n$/);
    const ended = await bopHere(["verify", directory, "--repair", "--yes"]);
    expect(ended.exitCode).toBe(0);
    expect(ended.stderr).toMatch(/the log is damaged in .*\.wal, byte 4096: [\s\S]* is kept; /);
    expect(ended.stdout).toMatch(/^repaired: .*damaged-\d+\n$/);
    expect((await bopHere(["verify", directory])).exitCode).toBe(0);
    const listed = await bopHere(["list", "--json", "-d", directory]);
    expect(JSON.parse(listed.stdout).databases).toMatchObject([{ name: "shop" }]);
  });
});

describe("bop inspect", () => {
  test("tells each kind of file by its bytes, and lists what is in it", async () => {
    const seen = async (...argv: string[]) =>
      JSON.parse((await bopHere(["inspect", "--json", ...argv])).stdout);
    expect(await seen(join(store, "superblock"))).toMatchObject({
      kind: "superblock",
      parts: [0, 4096, 8192, 12_288].map((offset) => ({ offset, what: "copy" })),
      problems: [],
    });
    const pages = await seen(join(store, chunk), "--limit", "1");
    expect(pages).toMatchObject({ kind: "page chunk", parts: [{ what: "page" }], problems: [] });
    expect(pages.partsOmitted).toBe(pages.facts.pageCount - 1);
    const log = await seen(join(store, segment), "--frames");
    expect(log).toMatchObject({ kind: "segment", problems: [] });
    expect(log.parts[0].parts.length).toBeGreaterThan(0);
  });

  test("a damaged file ends with 1 and says where, in words and in JSON", async () => {
    const directory = damaged(segment, 4096 + 10);
    const ended = await bopHere(["inspect", join(directory, segment)]);
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(/PROBLEM at byte 4096: \d+ bytes are damaged/);
    const headless = join(damaged(segment, 20), segment);
    const { exitCode, stdout } = await bopHere(["inspect", headless, "--json"]);
    expect(exitCode).toBe(1);
    const { kind, facts, problems } = JSON.parse(stdout);
    expect({ kind, problems }).toMatchObject({ kind: "segment", problems: [{ offset: 0 }] });
    expect(facts.batches).toBeGreaterThan(0);
  });

  test("any other file is an answer, and a missing one an error", async () => {
    const text = join(folder, "notes.txt");
    writeFileSync(text, "no file of a store");
    expect(await bopHere(["inspect", text])).toMatchObject({ exitCode: 1, stderr: "" });
    const missing = await bopHere(["inspect", join(folder, "nowhere")]);
    expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
    expect(missing.stderr).toMatch(/there is no file/);
  });
});
