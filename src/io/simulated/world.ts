/**
 * A SIMULATED WORLD: one disk, one clock, one seed, and processes that come and go on it.
 *
 *     const world = simulatedWorld({ seed });
 *     const env = world.start();                       // the first process
 *     await world.run(() => workload(env));            // until it is done…
 *     world.powerCut();                                // …or disk.crashAt(17, "power") before
 *     const next = world.start();                      // what the next boot finds
 *
 * (1) Everything that happens follows from the seed and from what the program does: the same
 *     program with the same seed meets the same world.
 * (2) Time passes only within `run`.
 * (3) Nothing of an old process reaches the disk once it is dead.
 */
import type { Env } from "../../base/env.ts";
import { type Crash, Disk, type Image, type SimulatedDisk } from "./disk.ts";
import { SimulatedProcess } from "./process.ts";
import { Scheduler } from "./scheduler.ts";
import { type SeededRandom, seeded } from "./seeded.ts";
import { DeadProcessError } from "./system-error.ts";

export interface WorldOptions {
  readonly seed: number;
  /**
   * How long `run` waits for something real, such as a WebAssembly module being compiled, when
   * nothing simulated can happen. Do such work before `run`: its end is not a matter of the seed.
   *
   * Milliseconds of real time. Default 5000.
   */
  readonly realWaitMs?: number;
  /**
   * Longest simulated time that one `run` may take: beyond it something has lost its way.
   *
   * Milliseconds of simulated time. Default an hour.
   */
  readonly runMsMax?: number;
  /**
   * Turns of a dead process's event loop never come, so that nothing of it runs on but promises that have
   * settled. By default they come, and its code finds out at its next call: its end can be waited for.
   */
  readonly endsTurns?: boolean;
}

export interface SimulatedWorld {
  readonly seed: number;
  readonly disk: SimulatedDisk;
  /** Dice for the scenario itself. */
  readonly random: SeededRandom;
  /** Simulated milliseconds since the world began. */
  readonly nowMs: number;
  /**
   * How many further images are drawn of the crashes to come: what each of them could have left as
   * well, as ALICE and CrashMonkey look at it. May be changed at any time. Default 0.
   */
  echoesPerCrash: number;
  /** True while a process that was started has not been ended. */
  readonly alive: boolean;
  /** Starts a process. Its env works until the next `kill` or `powerCut`. */
  start(): Env;
  /**
   * Lets the world go on until the promise settles; returns or throws what it settled with. Throws
   * if it never will: DeadProcessError when its process died, else an Error that says "deadlock".
   */
  run<T>(until: Promise<T> | (() => Promise<T>)): Promise<T>;
  /** Lets this much simulated time pass. */
  pass(ms: number): Promise<void>;
  /** Ends every process as SIGKILL does: the page cache stays. */
  kill(): void;
  /** Ends every process, and takes from the disk what was not synced. The machine boots again. */
  powerCut(): void;
  /**
   * Worlds of their own, at the same moment, that go on from the further images of the last crash
   * that had anybody to end. Each is handed out once; this one does not change by them.
   */
  takeEchoes(): SimulatedWorld[];
  /** Moves the wall clock, not time. */
  jumpWall(ms: number): void;
  /** Time passes, and no process gets a turn: its event loop is held, or it was stopped for a while. */
  stall(ms: number): void;
}

/** 2026-01-01T00:00:00Z: where wall clocks begin. */
const WALL_START_MS = 1_767_225_600_000;
const FIRST_PID = 1000;
const REAL_WAIT_MS = 5000;
const RUN_MS_MAX = 60 * 60 * 1000;
/** Their images differ by what was under way only. */
const ECHOED_KILLS = 0.15;

export function simulatedWorld(options: WorldOptions): SimulatedWorld {
  return new World(options);
}

/** One process in a world of its own, for tests that need no more. */
export function simulatedEnv(options: WorldOptions): { world: SimulatedWorld; env: Env } {
  const world = simulatedWorld(options);
  return { world, env: world.start() };
}

/** What a world has behind it that is not the first of its kind. */
interface Past {
  readonly image: Image;
  readonly nowMs: number;
  readonly nextPid: number;
  readonly boots: number;
  readonly wallOffsetMs: number;
  readonly dice: SeededRandom;
}

class World implements SimulatedWorld {
  readonly seed: number;
  readonly disk: Disk;
  readonly random: SeededRandom;
  echoesPerCrash = 0;
  readonly #scheduler: Scheduler;
  readonly #options: WorldOptions;
  readonly #echoDice: SeededRandom;
  #echoes: Past[] = [];
  readonly #processDice: SeededRandom;
  readonly #realWaitMs: number;
  readonly #runMsMax: number;
  #processes: SimulatedProcess[] = [];
  #nextPid = FIRST_PID;
  #boots = 1;
  #deaths = 0;
  #wallOffsetMs = WALL_START_MS;

  constructor(options: WorldOptions, past?: Past) {
    const { seed, realWaitMs = REAL_WAIT_MS, runMsMax = RUN_MS_MAX } = options;
    const dice = past?.dice ?? seeded(seed);
    this.seed = seed;
    this.#options = options;
    this.#scheduler = new Scheduler(past?.nowMs);
    if (past !== undefined) {
      this.#nextPid = past.nextPid;
      this.#boots = past.boots;
      this.#wallOffsetMs = past.wallOffsetMs;
    }
    this.random = dice.fork();
    this.#processDice = dice.fork();
    this.#realWaitMs = realWaitMs;
    this.#runMsMax = runMsMax;
    this.disk = new Disk({
      scheduler: this.#scheduler,
      random: dice.fork(),
      ...(past && { image: past.image }),
      crash: (how) => this.#crash(how),
    });
    this.#echoDice = dice.fork();
  }

  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  get alive(): boolean {
    return this.#processes.length > 0;
  }

  start(): Env {
    const pid = this.#nextPid++;
    const bootId = `boot-${this.#boots}`;
    const startedAt = `start-${pid}`;
    const process = new SimulatedProcess({
      endsTurns: this.#options.endsTurns ?? false,
      scheduler: this.#scheduler,
      disk: this.disk,
      random: this.#processDice.fork(),
      wallOffsetMs: () => this.#wallOffsetMs,
      identity: {
        pid,
        bootId,
        startedAt,
        isAlive: (owner) =>
          owner.bootId === `boot-${this.#boots}` &&
          this.#processes.some(
            ({ env }) => env.process.pid === owner.pid && env.process.startedAt === owner.startedAt,
          ),
      },
    });
    this.#processes.push(process);
    return process.env;
  }

  run<T>(until: Promise<T> | (() => Promise<T>)): Promise<T> {
    const deathsBefore = this.#deaths;
    return this.#scheduler.run(typeof until === "function" ? until() : until, {
      realWaitMs: this.#realWaitMs,
      runMsMax: this.#runMsMax,
      whyIdle: () => (this.#deaths > deathsBefore ? new DeadProcessError() : undefined),
    });
  }

  pass(ms: number): Promise<void> {
    return this.run(
      new Promise((resolve) => {
        this.#scheduler.schedule(ms, resolve);
      }),
    );
  }

  kill(): void {
    this.#crash("kill");
  }

  powerCut(): void {
    this.#crash("power");
  }

  takeEchoes(): SimulatedWorld[] {
    return this.#echoes.splice(0).map((past) => {
      const echo = new World(this.#options, past);
      echo.disk.autoIsDirect = this.disk.autoIsDirect;
      return echo;
    });
  }

  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  stall(ms: number): void {
    this.disk.noteInjected("stall of the event loop");
    this.#scheduler.spend(ms);
  }

  #crash(how: Crash): void {
    const dying = this.#processes;
    // The disk first: buffers of writes under way are read before anybody can change them.
    if (dying.length > 0) this.#echoes = this.#drawEchoes();
    this.#processes = [];
    this.#deaths += 1;
    if (how === "power") this.#boots += 1;
    this.disk.crash(how);
    for (const process of dying) process.die();
  }

  /** A power cut could have come at any moment at which a process dies. */
  #drawEchoes(): Past[] {
    const drawn = Array.from({ length: this.echoesPerCrash }, () => {
      const dice = this.#echoDice.fork();
      const how: Crash = dice.chance(ECHOED_KILLS) ? "kill" : "power";
      return { dice, how, random: dice.fork() };
    });
    const images = this.disk.images(drawn);
    return drawn.map(({ dice, how }, at) => ({
      ...{ dice, image: images[at] as Image, nowMs: this.nowMs, nextPid: this.#nextPid },
      boots: this.#boots + (how === "power" ? 1 : 0),
      wallOffsetMs: this.#wallOffsetMs,
    }));
  }
}
