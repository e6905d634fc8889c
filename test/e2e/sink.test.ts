import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { bop } from "./bop.ts";

// A process is started for each command, on machines that may be busy.
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
  const status = await bop(["status", "--json"], { environment });
  expect(JSON.parse(status.stdout).sink).toMatchObject({ epoch: 2, state: "shipping" });
  const letters = await bop(["dead-letters", "list"], { environment });
  expect(letters).toMatchObject({ exitCode: 0, stdout: "no dead letters\n" });
  const again = { ...environment, BOP_DIRECTORY: join(folder, "empty") };
  const second = await bop(["create", "notes"], { environment: again });
  expect(second.exitCode).toBe(3);
  expect(second.stderr).toMatch(/\(BOP_SINK_AHEAD\)\n +`bop restore/);
});

test("doctor judges disk and bucket, and a place that cannot be one is wrong usage", async () => {
  const { exitCode, stdout } = await bop(["doctor", "--json"], { environment });
  expect(exitCode).toBe(0);
  const { fit, disk, bucket } = JSON.parse(stdout);
  expect(fit).toBe(true);
  expect(disk.findings).toContainEqual(expect.objectContaining({ name: "flushed", passed: true }));
  const created = { name: "create-if-absent", required: true, passed: true };
  expect(bucket.findings).toContainEqual(expect.objectContaining(created));
  const wrong = await bop(["create", "x", "--sink", "ftp://x"], { environment });
  expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
});
