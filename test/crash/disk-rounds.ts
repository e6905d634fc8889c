/**
 * ROUNDS ON A DISK THAT FAILS: a writer whose calls are refused as a plan says (fault-plans.ts), whose
 * changes are recorded, or both. It is killed, and what is left is opened without any of that, and so
 * are images of power cuts at moments of the recording (cuts/).
 *
 * (1) What was acknowledged is there; what was refused with a code that says that nothing was done is
 *     not. A process that ends by itself, other than by saying that the store cannot be opened, has
 *     broken its promise: but for LMDB that is refused an opening or a write of its own, which may end
 *     the process (manifest/stores/lmdb-store.ts, 10). These ends are told.
 * (2) An image that was cut from a recording has what had been acknowledged until then, and without
 *     faults a beginning of what the killed process left, in its order.
 * (3) A round goes on with the disk that was killed, or with an image: then its recovery is recorded
 *     and cut as well.
 * (4) LMDB takes it for granted that a sector is written whole or not at all, as disks promise. Its
 *     sectors are not torn; those of all other files are.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type SeededRandom, seeded } from "../../src/io/index.ts";
import { copyFolder, type Folder, readFolder, writeFolder } from "./cuts/folder.ts";
import { imagesOf } from "./cuts/images.ts";
import { drawPlan, type FaultPlan } from "./fault-plans.ts";
import { Ledger, type Looked, type Task, type Told } from "./ledger.ts";
import { killedLoad, type LoadEnd, lookInto } from "./processes.ts";
import { type Shim, shimEnvironment } from "./shim/shim.ts";

export interface DiskTorture {
  readonly shim: Shim;
  readonly folder: string;
  readonly rounds: number;
  readonly seed: number;
  /** Calls are refused. */
  readonly faults: boolean;
  /** Images of power cuts a round; 0: nothing is recorded. */
  readonly images: number;
  /** Of a load that is answered slowly; see TOLD_MAX. */
  readonly loadMsMax: number;
  readonly onRound?: (round: DiskRound) => void;
}

export interface DiskRound {
  readonly number: number;
  readonly plan: FaultPlan | undefined;
  readonly end: LoadEnd;
  /** Calls that were refused, by call, error and file. */
  readonly hits: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  /** By code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly images: number;
  readonly recordedBytes: number;
  readonly problems: readonly string[];
}

/** From a seed to a round; small stores, so that everything happens often. */
function drawTask(random: SeededRandom, directory: string): Omit<Task, "round"> {
  const KIB = 1024;
  const options = {
    segmentBytes: 1024 * KIB,
    checkpointLogBytes: random.pick([512, 2048, 6144]) * KIB,
    historyMs: random.pick([0, 60_000]),
    io: random.pick(["direct", "standard"] as const),
    transactionMemoryBytes: random.pick([1024, 65_536]) * KIB,
    limits: { admissionTimeoutMs: 300 },
  };
  const [callers, databases] = [1 + random.below(32), 1 + random.below(8)];
  return { directory, callers, databases, options, goesOn: true };
}

interface Life {
  /** The disk as it was before, and what must be on it. */
  disk: Folder;
  ledger: Ledger;
}

/** Ends at the first round that finds a problem, and leaves its folder. */
export async function diskTorture(options: DiskTorture): Promise<DiskRound[]> {
  const rounds: DiskRound[] = [];
  let life: Life = { disk: new Map(), ledger: new Ledger() };
  for (let number = 1; number <= options.rounds; number++) {
    const random = seeded(options.seed * 100_000 + number);
    const { round, next } = await diskRound(options, { number, random, life });
    rounds.push(round);
    options.onRound?.(round);
    if (round.problems.length > 0) break;
    life = next;
  }
  return rounds;
}

interface Turn {
  readonly number: number;
  readonly random: SeededRandom;
  readonly life: Life;
}

async function diskRound(
  options: DiskTorture,
  turn: Turn,
): Promise<{ round: DiskRound; next: Life }> {
  const { folder, images } = options;
  const { number, random, life } = turn;
  const disk = join(folder, "disk");
  const paths = { disk, recording: join(folder, "recording"), hits: join(folder, "hits") };
  for (const path of Object.values(paths)) await rm(path, { recursive: true, force: true });
  await rm(join(folder, "images"), { recursive: true, force: true });
  writeFolder(disk, life.disk);
  const plan = options.faults ? drawPlan(random) : undefined;
  const ledger = life.ledger.copy();
  const heard: Told[] = [];
  const hear = (told: Told) => {
    heard.push(told);
    ledger.hear(told);
  };
  const problems: string[] = [];
  const end = await recordedLoad(options, { ...turn, plan, hear, paths }).catch((error) => {
    problems.push(String(error));
    return "killed" as const;
  });
  const hits = countLines(paths.hits);
  const isLmdb = [...hits.keys()].some((hit) => REFUSED_TO_LMDB.test(hit));
  if (end === "crashed" && !isLmdb) problems.push("the writer crashed");
  const killed = copyFolder(readFolder(disk));
  const recording = existsSync(paths.recording) ? readFileSync(paths.recording) : Buffer.alloc(0);
  const cuts = imagesOf(recording, { before: copyFolder(life.disk), random, count: images });
  const directories = [join(disk, "store")];
  for (const [at, { image }] of cuts.entries()) {
    const place = join(folder, "images", String(at));
    await mkdir(join(folder, "images"), { recursive: true });
    writeFolder(place, image);
    directories.push(join(place, "store"));
  }
  const [left, ...looked] = await lookInto(directories);
  problems.push(...problemsOf(ledger, left, number).map((each) => `killed: ${each}`));
  const lives: Life[] = [{ disk: killed, ledger }];
  for (const [at, cut] of cuts.entries()) {
    const own = life.ledger.copy();
    for (const each of cut.told) own.hear(each);
    const found = problemsOf(own, looked[at], number);
    if (plan === undefined) found.push(...beginnings(looked[at], left));
    problems.push(...found.map((each) => `image ${at} (${cut.name}): ${each}`));
    lives.push({ disk: cut.image, ledger: own });
  }
  const round = {
    number,
    plan,
    end,
    hits,
    acknowledged: heard.filter(({ kind }) => kind === "acknowledged").length,
    refused: count(heard.flatMap((told) => ("code" in told ? [told.code] : []))),
    images: cuts.length,
    recordedBytes: recording.length,
    problems,
  };
  return { round, next: random.pick(lives) };
}

interface Load extends Turn {
  readonly plan: FaultPlan | undefined;
  readonly hear: (told: Told) => void;
  readonly paths: { readonly disk: string; readonly recording: string; readonly hits: string };
}

async function recordedLoad(options: DiskTorture, load: Load): Promise<LoadEnd> {
  const { shim, folder, images, loadMsMax } = options;
  const { number, random, plan, hear, paths } = load;
  const arm = join(folder, "armed");
  rmSync(arm, { force: true });
  if (plan?.from === "start") writeFileSync(arm, "");
  const environment = shimEnvironment(shim, {
    prefix: paths.disk,
    ...(plan !== undefined && { rules: plan.rules, arm, hits: paths.hits, seed: number }),
    ...(images > 0 && { recording: paths.recording }),
  });
  const task = { ...drawTask(random, join(paths.disk, "store")), round: number };
  const isBrief = images > 0 && random.chance(0.2);
  const afterMs = isBrief ? random.below(loadMsMax) : loadMsMax;
  const afterTold = 10 + random.below(TOLD_MAX);
  let toldCount = 0;
  return killedLoad(task, {
    environment,
    killing: { from: isBrief ? "start" : "ready", afterMs, afterTold },
    patienceMs: PATIENCE_MS,
    onTold(each) {
      hear(each);
      toldCount += 1;
      if (plan?.from === "ready" && each.kind === "ready") writeFileSync(arm, "");
      if (plan?.ends === true && toldCount > afterTold / 2) rmSync(arm, { force: true });
    },
  });
}

/** See (1). */
const REFUSED_TO_LMDB = /^(?:open|read|write|truncate) \S+ (?:manifest|owner)$/;
/** Longer than an opening takes that is refused calls by chance. */
const PATIENCE_MS = 20_000;
/** Answers after which a writer is killed. */
const TOLD_MAX = 600;

function problemsOf(ledger: Ledger, looked: Looked | undefined, round: number): string[] {
  if (looked === undefined) return ["nobody looked"];
  return "problem" in looked ? [looked.problem] : ledger.problems(looked.found, round);
}

/** See (2). */
function beginnings(cut: Looked | undefined, whole: Looked | undefined): string[] {
  if (cut === undefined || whole === undefined) return [];
  if ("problem" in cut || "problem" in whole) return [];
  return cut.found.flatMap(({ name, ids }) => {
    const all = whole.found.find((each) => each.name === name)?.ids ?? [];
    const strange = ids.findIndex((id, at) => all[at] !== id);
    return strange < 0 ? [] : [`${name} has ${ids[strange]} where ${all[strange]} was committed`];
  });
}

function countLines(path: string): Map<string, number> {
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  return count(lines.map((line) => line.replace(/ store\/([^/]*).*/, " $1")));
}

function count(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
