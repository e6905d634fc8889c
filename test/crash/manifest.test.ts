/** Real kills of a process that commits to LMDB. More of them: npm run torture -- --manifest. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { manifestTorture } from "./manifest-rounds.ts";

// evidence: G9
test("a manifest whose writer is killed has every acknowledged batch, and no half of another", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bop-manifest-torture-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const rounds = await manifestTorture({ directory, rounds: 8, loadMsMax: 150 });
  expect(rounds.flatMap(({ problems }) => problems)).toEqual([]);
  expect(rounds).toHaveLength(8);
  expect(rounds.some(({ acknowledged }) => acknowledged > 0)).toBe(true);
}, 180_000);
