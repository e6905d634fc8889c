/** A few rounds on a disk that fails, and the library that makes it. More: npm run torture -- --help. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { seeded } from "../../src/io/index.ts";
import { readFolder } from "./cuts/folder.ts";
import { RecordedDisk } from "./cuts/recorded-disk.ts";
import { readRecording } from "./cuts/recording.ts";
import { diskTorture } from "./disk-rounds.ts";
import { buildShim, type Shim, type ShimOptions, shimEnvironment } from "./shim/shim.ts";

const canBuild = process.platform === "linux" && spawnSync("cc", ["--version"]).status === 0;

const built = mkdtempSync(join(tmpdir(), "bop-shim-"));
let shim: Shim;

beforeAll(() => {
  if (!canBuild) return;
  const made = buildShim(built);
  if (typeof made === "string") throw new Error(made);
  shim = made;
});
afterAll(() => rmSync(built, { recursive: true, force: true }));

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "bop-shim-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file, renames it and says what came of each call. */
const PROGRAM = `
const fs = require("node:fs");
const place = process.argv[1] + "/disk";
const told = [];
const attempt = (call) => { try { told.push(call() ?? "done"); } catch (error) { told.push(error.code); } };
fs.mkdirSync(place);
let fd;
attempt(() => { fd = fs.openSync(place + "/one", "wx+"); });
attempt(() => fs.writeSync(fd, Buffer.alloc(8192, 1), 0, 8192, 0));
attempt(() => fs.fdatasyncSync(fd));
attempt(() => fs.writeSync(fd, Buffer.alloc(4096, 2), 0, 4096, 0));
attempt(() => fs.fdatasyncSync(fd));
attempt(() => { const into = Buffer.alloc(1); fs.readSync(fd, into, 0, 1, 0); return into[0]; });
attempt(() => fs.ftruncateSync(fd, 5000));
attempt(() => fs.renameSync(place + "/one", place + "/two"));
attempt(() => fs.linkSync(place + "/two", place + "/three"));
attempt(() => fs.unlinkSync(place + "/two"));
console.log(JSON.stringify(told));
`;

function told(steer: (folder: string) => Omit<ShimOptions, "prefix">) {
  const folder = emptyFolder();
  const environment = shimEnvironment(shim, { prefix: join(folder, "disk"), ...steer(folder) });
  const env = { ...process.env, ...environment };
  const args = ["-e", PROGRAM, folder];
  const lines = execFileSync(process.execPath, args, { env, encoding: "utf8" });
  return { folder, told: JSON.parse(lines) as unknown[] };
}

const whole = ["done", 8192, "done", 4096, "done", 2, "done", "done", "done", "done"];
const except = (at: number, value: string | number) => whole.with(at, value);

describe.skipIf(!canBuild)("a library between a process and its files", () => {
  test.each([
    ["open * EIO @1", 0, "EIO"],
    ["sync one ENOSPC @2", 4, "ENOSPC"],
    ["truncate * EROFS @1", 6, "EROFS"],
    ["rename,link * EIO @1", 7, "EIO"],
    ["unlink two EACCES @1", 9, "EACCES"],
    ["write * short @1", 1, 8192], // Node goes on with the rest.
  ])("with the rule “%s” refuses that call and no other", (rule, at, value) => {
    const found = told(() => ({ rules: [rule] })).told;
    if (at > 0 && at !== 7) expect(found).toEqual(except(at, value));
    else expect(found[at]).toBe(value);
  });

  test("takes back what a failed sync should have made durable, where the rule says so", () => {
    const dropped = told(() => ({ rules: ["sync * EIO+drop @2"] })).told;
    expect(dropped).toEqual(except(4, "EIO").with(5, 1));
    expect(told(() => ({ rules: ["sync * EIO @2"] })).told).toEqual(except(4, "EIO"));
  });

  test("writes down all that is needed to make the same files again", () => {
    const { folder } = told((where) => ({ recording: join(where, "recording") }));
    const disk = new RecordedDisk();
    for (const entry of readRecording(readFileSync(join(folder, "recording")))) disk.take(entry);
    const image = disk.image({ chance: seeded(1), keeps: "all", tears: () => false });
    expect([...image.keys()]).toEqual(["three"]);
    const real = readFolder(join(folder, "disk"));
    expect(Buffer.from(image.get("three") as Uint8Array).equals(real.get("three") as Buffer)).toBe(
      true,
    );
  });
});

// evidence: G1, G10
test.skipIf(!canBuild)(
  "a store whose calls fail and whose power goes has what it acknowledged, and nothing that it refused",
  async () => {
    const options = { shim, folder: emptyFolder(), seed: 7, loadMsMax: 2000 };
    const cut = await diskTorture({ ...options, rounds: 1, faults: false, images: 4 });
    const failed = await diskTorture({ ...options, rounds: 2, faults: true, images: 2 });
    expect([...cut, ...failed].flatMap(({ problems }) => problems)).toEqual([]);
    expect(cut.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(0);
  },
  180_000,
);
