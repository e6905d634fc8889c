/**
 * npm run torture: real processes, real files, real SIGKILL.
 *
 *   npm run torture -- --rounds 200 [--callers 64] [--databases 16] [--directory path]
 *   npm run torture -- --manifest --rounds 200      the key-value store of the manifest alone
 *   npm run torture -- --logs --rounds 200          record logs: every entry against a model
 *   npm run torture -- --loss remote --sink s3://…  the disk goes with each process: restored from there
 *
 * Each round a process with many callers writes to many databases and is killed at a random moment;
 * another one opens the store and looks: every acknowledged commit must be there, nothing that was
 * never written, money constant, `integrity_check` clean. Exit code 0: nothing was lost. 1: a round
 * found something, and the store is kept for inspection. 2: wrong usage.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { logTorture } from "./log-rounds.ts";
import { manifestTorture } from "./manifest-rounds.ts";
import { type MachineLoss, torture } from "./rounds.ts";

const LOAD_MS_MAX = 1500;
/** With a sink a commit takes as long as the sink does. */
const SHIPPED_LOAD_MS_MAX = 5000;
const MANIFEST_LOAD_MS_MAX = 200;

function wanted() {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "20" },
      callers: { type: "string", default: "64" },
      databases: { type: "string", default: "16" },
      directory: { type: "string" },
      manifest: { type: "boolean", default: false },
      logs: { type: "boolean", default: false },
      loss: { type: "string" },
      sink: { type: "string" },
    },
  });
  const [rounds, callers, databases] = [values.rounds, values.callers, values.databases].map(
    Number,
  );
  for (const count of [rounds, callers, databases]) {
    if (!Number.isSafeInteger(count) || (count ?? 0) < 1) throw new TypeError("want whole numbers");
  }
  return {
    rounds: rounds ?? 1,
    callers: callers ?? 1,
    databases: databases ?? 1,
    directory: values.directory,
    manifest: values.manifest,
    logs: values.logs,
    loss: durabilityOf(values.loss),
    sink: values.sink,
  };
}

/** How commits are acknowledged whose disk will be gone; undefined: it stays. */
function durabilityOf(loss: string | undefined): MachineLoss["durability"] | undefined {
  if (loss === undefined || loss === "local" || loss === "remote") return loss;
  throw new TypeError("--loss is local or remote: how commits are acknowledged");
}

async function main(options: ReturnType<typeof wanted>): Promise<boolean> {
  if (options.manifest) return mainOfManifest(options);
  if (options.logs) return mainOfLogs(options);
  const { directory: given, rounds: count, callers, databases } = options;
  const folder = given ?? (await mkdtemp(join(tmpdir(), "bop-torture-")));
  const directory = join(folder, "store");
  const { loss, sink = `file://${join(folder, "sink")}` } = options;
  const startedMs = Date.now();
  const rounds = await torture({
    directory,
    rounds: count,
    callers,
    databases,
    loadMsMax: loss === undefined ? LOAD_MS_MAX : SHIPPED_LOAD_MS_MAX,
    ...(loss !== undefined && { loss: { durability: loss, sink } }),
    onRound: ({ number, acknowledged, lost, lostMs, unacknowledged, rows, problems }) => {
      const gone = lost === 0 ? "" : `${lost} of them gone, of the last ${lostMs.toFixed(0)} ms, `;
      console.log(
        `round ${number}: ${acknowledged} acknowledged, ${gone}${unacknowledged} more found, ` +
          `${rows} rows in all, ${problems.length} problems`,
      );
      for (const problem of problems) console.log(`  ${problem}`);
    },
  });
  const seconds = (Date.now() - startedMs) / 1000;
  const acknowledged = rounds.reduce((sum, round) => sum + round.acknowledged, 0);
  const lost = rounds.flatMap(({ problems }) => problems);
  if (loss !== undefined) {
    const gone = rounds.reduce((sum, round) => sum + round.lost, 0);
    const longestMs = Math.max(...rounds.map(({ lostMs }) => lostMs));
    console.log(`${gone} gone with the disks, of the last ${longestMs.toFixed(0)} ms at most`);
  }
  console.log(
    `${rounds.length} kills in ${seconds.toFixed(0)} s (${(rounds.length / seconds).toFixed(2)}/s), ` +
      `${acknowledged} acknowledged commits, ${lost.length === 0 ? "nothing lost" : "LOST"}`,
  );
  if (lost.length > 0) console.log(`the store is in ${directory}`);
  else if (given === undefined) await rm(folder, { recursive: true });
  return lost.length === 0;
}

async function mainOfManifest(options: ReturnType<typeof wanted>): Promise<boolean> {
  const { directory: given, rounds: count } = options;
  const directory = given ?? (await mkdtemp(join(tmpdir(), "bop-torture-")));
  const rounds = await manifestTorture({
    directory,
    rounds: count,
    loadMsMax: MANIFEST_LOAD_MS_MAX,
    onRound: ({ number, acknowledged, newest, problems }) => {
      console.log(`round ${number}: ${acknowledged} acknowledged, ${newest} found`);
      for (const problem of problems) console.log(`  ${problem}`);
    },
  });
  const isSound = rounds.every(({ problems }) => problems.length === 0);
  console.log(
    `${rounds.length} kills, ${rounds.at(-1)?.newest ?? 0} batches, nothing lost: ${isSound}`,
  );
  if (isSound && given === undefined) await rm(directory, { recursive: true });
  return isSound;
}

async function mainOfLogs(options: ReturnType<typeof wanted>): Promise<boolean> {
  const { directory: given, rounds: count } = options;
  const directory = given ?? (await mkdtemp(join(tmpdir(), "bop-torture-")));
  const rounds = await logTorture({
    directory,
    rounds: count,
    loadMsMax: LOAD_MS_MAX,
    onRound: ({ number, acknowledged, unacknowledged, entries, problems }) => {
      console.log(
        `round ${number}: ${acknowledged} acknowledged, ${unacknowledged} more found, ` +
          `${entries} entries compared, ${problems.length} problems`,
      );
      for (const problem of problems) console.log(`  ${problem}`);
    },
  });
  const lost = rounds.flatMap(({ problems }) => problems);
  const acknowledged = rounds.reduce((sum, round) => sum + round.acknowledged, 0);
  const outcome = lost.length === 0 ? "nothing lost" : `LOST; the store is in ${directory}`;
  console.log(`${rounds.length} kills, ${acknowledged} acknowledged changes, ${outcome}`);
  if (lost.length === 0 && given === undefined) await rm(directory, { recursive: true });
  return lost.length === 0;
}

try {
  process.exitCode = (await main(wanted())) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
