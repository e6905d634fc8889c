import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { bop } from "./bop.ts";
import { bopHere } from "./bop-here.ts";

// Some commands are processes, on machines that may be busy.
vi.setConfig({ testTimeout: 240_000 });

const folder = mkdtempSync(join(tmpdir(), "bop-sink-"));
const directory = join(folder, "store");
const environment = {
  BOP_DIRECTORY: directory,
  BOP_SINK: pathToFileURL(join(folder, "bucket")).href,
};
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a command that changes a store ships what it did, and status says how far", async () => {
  const remote = { environment: { ...environment, BOP_DURABILITY: "remote" } };
  expect(await bop(["create", "notes"], remote)).toMatchObject({ exitCode: 0, stderr: "" });
  const status = await bopHere(["status", "--json"], { environment });
  expect(JSON.parse(status.stdout).sink).toMatchObject({ epoch: 2, state: "shipping" });
  const letters = await bopHere(["dead-letters", "list"], { environment });
  expect(letters).toMatchObject({ exitCode: 0, stdout: "no dead letters\n" });
  const again = { ...environment, BOP_DIRECTORY: join(folder, "empty") };
  const second = await bopHere(["create", "notes"], { environment: again });
  expect(second.exitCode).toBe(3);
  expect(second.stderr).toMatch(/\(BOP_SINK_AHEAD\)\n +`bop restore/);
});

test("doctor judges disk and bucket, and a place that cannot be one is wrong usage", async () => {
  const { exitCode, stdout } = await bopHere(["doctor", "--json"], { environment });
  expect(exitCode).toBe(0);
  const { fit, disk, bucket } = JSON.parse(stdout);
  expect(fit).toBe(true);
  expect(disk.findings).toContainEqual(expect.objectContaining({ name: "flushed", passed: true }));
  const created = { name: "create-if-absent", required: true, passed: true };
  expect(bucket.findings).toContainEqual(expect.objectContaining(created));
  expect(bucket.findings).toContainEqual(expect.objectContaining({ name: "read", passed: true }));
  const wrong = await bopHere(["create", "x", "--sink", "ftp://x"], { environment });
  expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
});

// evidence: G42
test("a folder that refuses makes a dead letter that outlives its process, and discarding it tells what was lost", async () => {
  const place = mkdtempSync(join(tmpdir(), "bop-letters-"));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const bucket = join(place, "bucket");
  const BOP_SINK = pathToFileURL(bucket).href;
  const at = { environment: { BOP_DIRECTORY: join(place, "store"), BOP_SINK } };
  const letters = async () => {
    const { exitCode, stdout, stderr } = await bopHere(["dead-letters", "list", "--json"], at);
    expect(exitCode, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  await bopHere(["create", "notes"], at);
  // A file in the place of a folder: nobody's permissions help against that.
  const block = join(bucket, "wal", "2".padStart(20, "0"));
  writeFileSync(block, "");
  expect(await bopHere(["create", "more"], at)).toMatchObject({ exitCode: 0 });
  const [{ id, kind, reason }] = (await letters()).deadLetters;
  expect([kind, reason]).toEqual(["log", expect.stringContaining("file already exists")]);
  expect(readdirSync(join(bucket, "epoch"))).toHaveLength(2); // It asked for nothing more.
  const status = await bopHere(["status", "--json"], at);
  expect(JSON.parse(status.stdout).sink).toMatchObject({ state: "halted", deadLetters: 1 });
  rmSync(block);
  const discarded = await bopHere(["dead-letters", "discard", String(id), "--yes"], at);
  expect(discarded).toMatchObject({ exitCode: 0, stdout: `discarded ${id}\n` });
  const { deadLetters, lostWindows } = await letters();
  expect(deadLetters).toEqual([]);
  expect(lostWindows).toMatchObject([{ letter: id, epochBefore: 2, epoch: 3 }]);
  // The base behind the window has what was lost of the log.
  const restored = { environment: { BOP_DIRECTORY: join(place, "restored") } };
  expect(await bopHere(["restore", "--from", BOP_SINK], restored)).toMatchObject({ exitCode: 0 });
  const list = await bopHere(["list", "--json"], restored);
  expect(list.stdout).toContain("more");
  const goesOn = { environment: { ...restored.environment, BOP_SINK, BOP_DURABILITY: "remote" } };
  expect(await bopHere(["create", "third"], goesOn)).toMatchObject({ exitCode: 0, stderr: "" });
});
