/**
 * npm run torture: real processes, real files, real SIGKILL. `--help` prints USAGE.
 *
 * Each round a process with many callers writes to many databases and is killed at a random moment;
 * another one opens the store and looks: every acknowledged commit must be there, nothing that was
 * never written, money constant, `integrity_check` clean.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildPrograms } from "../support/programs.ts";
import { mainOfDisks } from "./disk-main.ts";
import { logTorture } from "./log-rounds.ts";
import { manifestTorture } from "./manifest-rounds.ts";
import type { MountKind } from "./mounts/mount.ts";
import { mainOfMounts } from "./mounts/mount-main.ts";
import { type MachineLoss, torture } from "./rounds.ts";

const USAGE = `npm run torture -- [options]

what is tortured
  (nothing)            many databases; each round a process is killed under load
  --manifest           the key-value store of the manifest alone
  --logs               record logs: every entry against a model
  --loss local|remote  the disk goes with each process: restored from --sink
  --faults             calls of the process are refused: EIO, ENOSPC, EINTR, short ones, failed syncs
                       that take back what was written; then it is killed (Linux, cc)
  --cuts <n>           what the process asks of its disk is recorded, and n images of power cuts a
                       round are opened; with --faults too, if you like (Linux, cc)
  --mount <kind>       a small file system that is filled, turns read-only and loses its power under
                       the store (Linux, root, cc): tmpfs, ext4, ext4-journal (data=journal), or
                       ext4-device, whose device is cut off (a kernel with device mapper)

how much
  --rounds <n>         default 20
  --callers <n>        default 64; --faults, --cuts and --mount draw their own
  --databases <n>      default 16; the same
  --seed <n>           of what --faults, --cuts and --mount draw; default: another each time
  --directory <path>   where it happens; default: a new folder for temporary files
  --sink <location>    for --loss; default: a folder beside the store

exit code   0 nothing was lost   1 a round found something, and the store is kept   2 wrong usage`;

const LOAD_MS_MAX = 1500;
/** With a sink a commit takes as long as the sink does. */
const SHIPPED_LOAD_MS_MAX = 5000;
const MANIFEST_LOAD_MS_MAX = 200;
const MOUNTS: readonly MountKind[] = ["tmpfs", "ext4", "ext4-journal", "ext4-device"];
/** Their syncs cost nothing: what a real disk may lose is drawn, or is another mount's. */
const MEMORY = "/dev/shm";

function wanted() {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "20" },
      callers: { type: "string", default: "64" },
      databases: { type: "string", default: "16" },
      seed: { type: "string" },
      directory: { type: "string" },
      manifest: { type: "boolean", default: false },
      logs: { type: "boolean", default: false },
      faults: { type: "boolean", default: false },
      cuts: { type: "string" },
      mount: { type: "string" },
      loss: { type: "string" },
      sink: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { seed = String(1 + Math.floor(Math.random() * 1_000_000)), cuts } = values;
  return {
    ...values,
    rounds: countOf(values.rounds),
    callers: countOf(values.callers),
    databases: countOf(values.databases),
    seed: countOf(seed),
    cuts: cuts === undefined ? 0 : countOf(cuts),
    mount: mountOf(values.mount),
    loss: durabilityOf(values.loss),
  };
}

function countOf(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new TypeError("want whole numbers");
  return count;
}

function mountOf(text: string | undefined): MountKind | undefined {
  const kind = MOUNTS.find((each) => each === text);
  if (kind === undefined && text !== undefined)
    throw new TypeError(`--mount is ${MOUNTS.join(", ")}`);
  return kind;
}

/** How commits are acknowledged whose disk will be gone; undefined: it stays. */
function durabilityOf(loss: string | undefined): MachineLoss["durability"] | undefined {
  if (loss === undefined || loss === "local" || loss === "remote") return loss;
  throw new TypeError("--loss is local or remote: how commits are acknowledged");
}

async function main(options: ReturnType<typeof wanted>): Promise<boolean> {
  if (options.help) console.log(USAGE);
  if (options.help) return true;
  if (options.manifest) return mainOfManifest(options);
  if (options.logs) return mainOfLogs(options);
  if (options.faults || options.cuts > 0 || options.mount !== undefined) return mainOfReal(options);
  return mainOfKills(options);
}

/** What the world does to it is drawn by a seed, which is told first. */
async function mainOfReal(options: ReturnType<typeof wanted>): Promise<boolean> {
  const { directory, rounds, seed, faults, cuts: images, mount } = options;
  const memory = existsSync(MEMORY) ? MEMORY : tmpdir();
  const folder = directory ?? (await mkdtemp(join(memory, "bop-torture-")));
  console.log(`seed ${seed}`);
  if (mount !== undefined) return mainOfMounts({ folder, kind: mount, rounds, seed });
  return mainOfDisks({ folder, rounds, seed, faults, images });
}

async function mainOfKills(options: ReturnType<typeof wanted>): Promise<boolean> {
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

let removePrograms = (): void => undefined;
try {
  const options = wanted();
  removePrograms = options.help ? removePrograms : buildPrograms();
  process.exitCode = (await main(options)) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof TypeError ? 2 : 1;
} finally {
  removePrograms();
}
