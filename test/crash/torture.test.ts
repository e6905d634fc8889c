/** A handful of real kills. More of them: npm run torture. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { torture } from "./rounds.ts";

// evidence: G1
// evidence: G3
test("a writer killed under load has lost nothing that it acknowledged, again and again", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bop-torture-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const options = { directory, rounds: 6, callers: 64, databases: 16, loadMsMax: 700 };
  const rounds = await torture(options);
  expect(rounds.flatMap(({ problems }) => problems)).toEqual([]);
  expect(rounds.length).toBe(6);
  expect(rounds.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBeGreaterThan(0);
}, 180_000);
