/**
 * PAGES: the page store alone, cut off at any change of its disk: in a checkpoint, while its manifest is
 * published, in a collection, while chunks of large transactions are written or removed, and in
 * recovery; on disks that fail, too. All databases, forks, snapshots and versions within the history are
 * as they were; and when everything is let go, so are the files.
 */
import type { Lsn } from "../../src/base/units.ts";
import { isStorageError } from "../../src/index.ts";
import { type FaultChances, type SeededRandom, seeded } from "../../src/io/index.ts";
import { Rig } from "../../src/page-store/rig.fixture.ts";
import { withEchoes } from "../echoes.ts";
import { promise } from "../failure.ts";
import { PageEcho } from "../pages/page-echo.ts";
import { PageLife, RECOVERY_CHANGES_MAX } from "../pages/page-life.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import { ECHO_IMAGES, IMAGES } from "../tally.ts";

const LIVES_MAX = 4;
const STEPS_MAX = 60;
const CHANGES_MAX = [8, 25, 25, 60] as const;
const CHECKPOINTS_TO_NOTHING = 4;
const EXCUSED_BY_FAULTS = ["BOP_IO", "BOP_DISK_FULL", "BOP_READ_ONLY"] as const;
const OPENS_MAX = 40;
/** Of folds on disks that fail: the manifest takes the catalogue's rows, and refuses the fold's own. */
const REFUSALS = 0.15;
/** What calls a crash off that the store has opened before. */
const NEVER = 1_000_000_000;
const LIMITS = { cacheBytes: 16 * 1024, openChunks: 2, mapBytes: 16 * 1024, reserveBytes: 0 };

type Step = "commit" | "fork" | "snapshot" | "dropSnapshot" | "drop" | "create" | "read" | "unread";
const STEPS: readonly (readonly [
  share: number,
  step: Step | "flush" | "pass" | "fold" | "check",
])[] = [
  [34, "commit"],
  [6, "fork"],
  [6, "snapshot"],
  [3, "dropSnapshot"],
  [3, "drop"],
  [2, "create"],
  [4, "read"],
  [3, "unread"],
  [8, "flush"],
  [20, "pass"],
  [10, "fold"],
  [1, "check"],
];
const SHARES = STEPS.reduce((sum, [share]) => sum + share, 0);

/** One seed: its rig, and the work that runs beside the steps. */
class Run {
  readonly simulation: Simulation;
  readonly rig: Rig;
  readonly life: PageLife;
  readonly isFaulty: boolean;
  /** For refusals, so that the steps are those that they would be without them. */
  readonly #dice: SeededRandom;
  #running: Promise<unknown> = Promise.resolve();
  #failure: unknown;
  /** Counts. */
  #process = 1;

  constructor(simulation: Simulation, rig: Rig) {
    this.simulation = simulation;
    this.rig = rig;
    this.life = new PageLife(rig, simulation.random.fork());
    this.isFaulty = simulation.random.chance(0.3);
    this.#dice = seeded(rig.world.seed).fork();
  }

  /** False once the process has died. */
  async step(): Promise<boolean> {
    const { rig, life, simulation } = this;
    const { random, tally } = simulation;
    const step = drawn(random.below(SHARES));
    tally.add(`steps: ${step}`);
    try {
      if (step === "pass") await rig.world.pass(random.below(5));
      else if (step === "fold") this.#fold();
      else if (step === "check") this.check();
      else life[step]();
    } catch (error) {
      if (rig.world.alive && !this.#isExcused(error)) throw error;
    }
    return rig.world.alive;
  }

  /** A checkpoint, or a collection, beside all that follows. */
  #fold(): void {
    const { rig, simulation } = this;
    const { random, tally } = simulation;
    const isCollection = random.chance(0.25);
    if (this.isFaulty && random.chance(0.5)) this.#harm();
    if (this.isFaulty && this.#dice.chance(REFUSALS)) this.#refuse();
    const dryRun = random.chance(0.2);
    const process = this.#process;
    const begin = async () => {
      if (process !== this.#process) return;
      try {
        await (isCollection ? rig.store.collect({ dryRun }) : rig.beginCheckpoint());
        tally.add(isCollection ? "collections" : "checkpoints");
      } catch (error) {
        const isOurs = rig.world.alive && process === this.#process;
        if (isOurs && !this.#isExcused(error)) this.#failure ??= error;
        tally.add("work that failed");
      }
    };
    this.#running = this.#running.then(begin);
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.rig.world.disk.heal();
    this.life.check();
    this.simulation.tally.add("checks");
  }

  /** The world is well from now on. */
  async settle(): Promise<void> {
    const { rig } = this;
    rig.world.disk.heal();
    rig.log.makeDurable();
    await rig.world.run(this.#running);
    this.life.create();
    try {
      await rig.checkpoint();
    } catch (error) {
      if (!this.#isExcused(error)) throw error;
      await this.recover(); // A failure of the manifest was still due.
    }
  }

  /** Opens again and again until no crash comes between; then everything is there. */
  async recover(): Promise<void> {
    const { rig, life, simulation } = this;
    const { random, tally } = simulation;
    rig.world.disk.heal();
    const echoes: PageEcho[] = [];
    let moments = [rig.log.durableLsn, ...rig.log.undurable];
    life.died();
    this.#running = Promise.resolve();
    this.#process += 1;
    let tries = 0;
    for (let isOpen = false; !isOpen; tries++) {
      promise(tries < OPENS_MAX, "a store does not open on a disk that is well");
      const how = random.pick(["kill", "power"] as const);
      const isCutOff = random.chance(0.25);
      const opening = rig.restart(how);
      // Before it has got anywhere: what is undecided still is.
      for (const world of rig.world.takeEchoes()) echoes.push(new PageEcho(life, world, moments));
      tally.add(IMAGES);
      if (isCutOff) rig.world.disk.crashAt(1 + random.below(RECOVERY_CHANGES_MAX), how);
      try {
        await opening;
        isOpen = rig.world.alive;
      } catch (error) {
        // A failure of the manifest may still be due.
        if (rig.world.alive && !this.#isExcused(error)) throw error;
        tally.add("crashes: in recovery");
      }
      moments = [rig.log.durableLsn, ...rig.log.undurable];
    }
    await this.#liveEchoes(echoes);
    rig.world.disk.crashAt(NEVER, "kill");
    life.reopened();
    this.check();
  }

  async #liveEchoes(echoes: readonly PageEcho[]): Promise<void> {
    const { tally, trace } = this.simulation;
    for (const echo of echoes) {
      const images = await echo.live();
      tally.add(IMAGES, images);
      tally.add(ECHO_IMAGES, images);
      trace.note(`echo ${echo.rig.world.disk.changeCount} ${echo.rig.world.nowMs}`);
    }
  }

  #harm(): void {
    const { rig, simulation } = this;
    const { random } = simulation;
    const chance = random.pick([0.02, 0.1, 0.4]);
    const chances = random.pick<FaultChances>([
      { write: chance },
      { sync: chance, syncDirectory: chance },
      { rename: chance, unlink: chance, create: chance, mkdir: chance },
      { read: chance / 4, open: chance / 4 },
    ]);
    rig.world.disk.failSometimes(chances);
    if (random.chance(0.1)) {
      const error = random.pick(["EIO", "ENOSPC"] as const);
      rig.stores.failNextCommit({ applied: random.chance(0.5), error });
    }
  }

  #refuse(): void {
    const error = this.#dice.pick(["EIO", "ENOSPC"] as const);
    this.rig.stores.failNextCommit({ applied: this.#dice.chance(0.5), error, after: 1 });
  }

  #isExcused(error: unknown): boolean {
    return this.isFaulty && EXCUSED_BY_FAULTS.some((code) => isStorageError(error, code));
  }
}

export async function pages(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: withEchoes });
  const { random, tally, trace } = simulation;
  const chunkBytes = random.pick([64, 128, 512]) * 1024;
  const compression = random.pick(["none", "none", "deflate"] as const);
  const limits = { ...LIMITS, chunkBytes, compression };
  const rig = await Rig.open({ seed: options.seed, limits });
  rig.world.echoesPerCrash = simulation.options.echoes ?? 0;
  simulation.injectors.push(rig.world.disk);
  const run = new Run(simulation, rig);
  let horizonLsn = 0;
  if (random.chance(0.4)) rig.historyLsn = () => horizonLsn as Lsn;
  for (let n = 1 + random.below(2); n > 0; n--) run.life.create();
  for (let n = 1 + random.below(LIVES_MAX); n > 0; n--) {
    const how = random.pick(["kill", "power"] as const);
    const at = 1 + random.below(random.pick(CHANGES_MAX));
    rig.world.disk.crashAt(at, how);
    let isAlive = true;
    for (let left = STEPS_MAX; isAlive && left > 0; left--) {
      isAlive = await run.step();
      if (isAlive && random.chance(0.05)) horizonLsn = rig.store.checkpointLsn;
    }
    tally.add(isAlive ? "crashes: between calls" : `crashes: ${how} at a change`);
    await run.recover();
    trace.note(`${rig.log.durableLsn} ${rig.world.disk.changeCount}`);
  }
  await end(run);
}

/** Without snapshots, forks and readers only the newest states are left, and nothing else. */
async function end(run: Run): Promise<void> {
  const { rig, simulation } = run;
  const { random } = simulation;
  const { catalogue } = rig;
  await run.settle();
  await rig.checkpoint();
  run.check();
  rig.historyLsn = undefined;
  for (const { stream, name } of [...catalogue.snapshots.values()]) {
    catalogue.dropSnapshot(stream, name);
  }
  for (const stream of catalogue.live) if (random.chance(0.5)) catalogue.drop(stream);
  for (let n = 0; n < CHECKPOINTS_TO_NOTHING; n++) await rig.checkpoint();
  await rig.world.run(rig.store.collect({ dryRun: false }));
  run.check();
  await rig.restart("close");
  run.check();
  const { opened } = rig.manifest;
  const files = await rig.chunkFiles();
  promise(
    files.length === opened.chunks.length,
    () => `${files.length} files of chunks, ${opened.chunks.length} are named`,
  );
  promise(
    opened.databases.every(({ state }) => state === "live"),
    "a database that nobody needs is left",
  );
}

function drawn(dice: number): (typeof STEPS)[number][1] {
  let left = dice;
  for (const [share, step] of STEPS) {
    left -= share;
    if (left < 0) return step;
  }
  return "commit";
}
