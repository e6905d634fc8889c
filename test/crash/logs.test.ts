/** Real kills of a process that changes record logs. More of them: npm run torture -- --logs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { logTorture } from "./log-rounds.ts";

const ROUNDS = 5;

// evidence: G16
test("record logs whose writer is killed have every acknowledged change, each wholly or not at all", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bop-log-torture-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const rounds = await logTorture({ directory, rounds: ROUNDS, loadMsMax: 600 });
  expect(rounds.flatMap(({ problems }) => problems)).toEqual([]);
  expect(rounds).toHaveLength(ROUNDS);
  expect(rounds.some(({ acknowledged }) => acknowledged > 0)).toBe(true);
}, 180_000);
