/**
 * ONE SEED: a world, the model of what its store must hold, and lives of the process that owns it.
 *
 * (1) A life ends when its body does, or when the process dies under it. What code of a dead
 *     process still says is heard by nobody.
 * (2) Engines are made between lives, since making one waits for the real world.
 * (3) A life that is not over after twenty simulated minutes, or what the scenario says, hangs:
 *     liveness is a promise too.
 * (4) A crash counts when the next life begins with what it has left: one recovered image each. The
 *     end of a process that had closed its store is none.
 * (5) Before that, further images of the crash are looked at, if the scenario says how: echoes.ts.
 */
import type { Env } from "../src/base/env.ts";
import { type EngineKind, Manager } from "../src/index.ts";
import {
  DeadProcessError,
  type SeededRandom,
  type SimulatedWorld,
  simulatedWorld,
} from "../src/io/index.ts";
import { memoryStores } from "../src/manifest/index.ts";
import { prepareEngines, prepareReusedEngine } from "../src/sqlite/index.ts";
import { CatalogueModel } from "./catalogue-model.ts";
import { Copies } from "./copies.ts";
import { type Echoed, type Echoing, echoesPerCrash, liveEchoes } from "./echoes.ts";
import { assertUnaccused, BrokenPromise } from "./failure.ts";
import { Life } from "./life.ts";
import { type SwarmOptions, storeLimits, swarm } from "./swarm.ts";
import { IMAGES, Tally } from "./tally.ts";
import { Trace, traced } from "./trace.ts";

export const STORE = "/store";
const LIFE_MS_MAX = 20 * 60 * 1000;
/** A world that runs longer than its lives may take has lost its way. */
const RUN_MS_SPARE = 60 * 60 * 1000;

export interface SimulationOptions {
  readonly seed: number;
  /** Told every line of the trace. */
  readonly print?: (line: string) => void;
  /** Also trace the calls of the disk, which takes time. Default: if somebody is told. */
  readonly traceDisk?: boolean;
  /** Told at the beginning, so that a failure can still be asked what it had drawn. */
  readonly begun?: (simulation: Simulation) => void;
  /** What the scenario wants otherwise than the dice. */
  readonly adjust?: (drawn: SwarmOptions, random: SeededRandom) => SwarmOptions;
  /** In place of what was drawn, and of what the scenario wants: see shrink.ts. */
  readonly smaller?: Partial<SwarmOptions>;
  /** See (3). */
  readonly lifeMsMax?: number;
}

interface Echo {
  readonly of: Simulation;
  readonly world: SimulatedWorld;
}

interface Injector {
  readonly prefix?: string;
  /** How often each has hit. */
  readonly injected: ReadonlyMap<string, number>;
}

export class Simulation implements Echoing<Simulation> {
  readonly world: ReturnType<typeof simulatedWorld>;
  readonly random: SeededRandom;
  readonly options: SwarmOptions;
  readonly stores: ReturnType<typeof memoryStores>;
  readonly trace: Trace;
  readonly tally: Tally;
  /** What injects faults, by the prefix of their names. */
  readonly injectors: Injector[] = [];
  readonly catalogue: CatalogueModel;
  /** Of an echo: what it has of the model that it was made from. */
  readonly copies = new Copies();
  /** The disk may fail, and so may calls. */
  faulty = false;
  /** A process was left at work that nobody listens to, since it was last looked at what there is. */
  isUnheard = false;
  /** Errors that mean that nothing was done, beside those that any seed may meet. */
  excuses: (error: unknown) => boolean = () => false;
  /** How further images of a crash are looked at. Unset: they are not drawn. */
  echoed: Echoed<Simulation> | undefined;
  readonly #made: SimulationOptions;
  readonly #traceDisk: boolean;
  readonly #isEcho: boolean;
  readonly #lifeMsMax: number;
  #lives = 0;
  #hasClosed = false;
  #hasCrashed = false;

  constructor(options: SimulationOptions, echo?: Echo) {
    const { seed, print, begun } = options;
    this.#made = options;
    this.#lifeMsMax = options.lifeMsMax ?? LIFE_MS_MAX;
    this.world = echo?.world ?? worldOf(seed, this.#lifeMsMax);
    this.injectors.push(this.world.disk);
    this.random = this.world.random.fork();
    const dice = this.world.random.fork();
    this.options = echo?.of.options ?? drawn(options, dice);
    const ofStores = this.world.random.fork();
    this.stores = echo?.of.stores.copy(ofStores) ?? memoryStores(ofStores);
    this.tally = echo?.of.tally ?? new Tally();
    this.catalogue = echo?.of.catalogue.echo(this.copies) ?? new CatalogueModel();
    this.#hasCrashed = this.#isEcho = echo !== undefined;
    this.faulty = echo?.of.faulty ?? false;
    this.isUnheard = echo?.of.isUnheard ?? false;
    if (echo !== undefined) this.excuses = echo.of.excuses;
    this.trace = new Trace(() => this.world.nowMs, print);
    this.#traceDisk = options.traceDisk ?? print !== undefined;
    begun?.(this);
  }

  /** What it is now, in a world that the crash could have led to as well. Nobody is told its trace. */
  echo(world: SimulatedWorld): Simulation {
    const { begun: _, print, ...made } = this.#made;
    const told = print && { print: (line: string) => print(`  echo ${line}`) };
    return new Simulation({ ...made, ...told }, { of: this, world });
  }

  /** True if the process survived its life. It is then still running. */
  async live(body: (life: Life) => Promise<void>): Promise<boolean> {
    const { echoed } = this;
    if (echoed !== undefined && this.#hasCrashed) await liveEchoes<Simulation>(this, echoed);
    this.world.echoesPerCrash = this.echoed === undefined ? 0 : (this.options.echoes ?? 0);
    await this.#prepareEngine("sqlite");
    if (this.options.engine === "libsql") await this.#prepareEngine("libsql");
    const started = this.world.start();
    const env = this.#traceDisk ? traced(started, this.trace) : started;
    this.#lives += 1;
    this.tally.add("lives");
    if (this.#hasCrashed) this.tally.add(IMAGES);
    this.#hasClosed = this.#hasCrashed = false;
    this.trace.note(`life ${this.#lives} begins`);
    const number = this.#lives;
    const isAlive = () => this.world.alive && this.#lives === number;
    const life = new Life({ simulation: this, env, isAlive });
    const ended = new AbortController();
    try {
      const overdue = this.#overdue(env, ended.signal);
      await this.world.run(() => Promise.race([body(life), overdue]));
      assertUnaccused();
      this.#hasClosed ||= life.manager?.diagnostics().state === "closed";
      return true;
    } catch (error) {
      if (error instanceof BrokenPromise || isAlive()) throw error;
      this.trace.note("died");
      this.#hasCrashed = true;
      return false;
    } finally {
      ended.abort();
    }
  }

  /** How a life ends that its crash has not ended yet. */
  end(how: "kill" | "power"): void {
    if (this.#hasClosed) this.world.echoesPerCrash = 0;
    if (how === "kill") this.world.kill();
    else this.world.powerCut();
    this.#hasCrashed = !this.#hasClosed;
    this.trace.note(how);
    this.tally.add(how === "kill" ? "crashes: kill" : "crashes: power cut");
  }

  /** At the end: which faults were injected. */
  tallyFaults(): void {
    for (const { prefix = "", injected } of this.injectors) {
      for (const [name, count] of injected) this.tally.add(`injected: ${prefix}${name}`, count);
    }
  }

  /** This life has closed what it had opened, and that is no manager: see (4). */
  closed(): void {
    this.#hasClosed = true;
  }

  openManager(env: Env): Promise<Manager> {
    const openKeyValueStore = this.stores.openerFor(env);
    const limits = storeLimits(this.options);
    return Manager.open({ directory: STORE, env, openKeyValueStore, ...limits });
  }

  /** Where there are echoes there is one process at a time: what the last one had nobody uses. */
  async #prepareEngine(kind: EngineKind): Promise<void> {
    if (this.echoed === undefined && !this.#isEcho) return prepareEngines(kind, 1);
    // No time passes, and promise callbacks of the dead run to their end.
    await this.world.run(Promise.resolve());
    await prepareReusedEngine(kind);
  }

  /** Rejects when the process dies, or when the life takes too long. */
  async #overdue(env: Env, signal: AbortSignal): Promise<never> {
    try {
      await env.clock.sleep(this.#lifeMsMax, signal);
    } catch {
      throw new DeadProcessError();
    }
    throw new BrokenPromise("a life has not ended within the time that it may take");
  }
}

/** Its engines are used again: nobody of the dead may have them. */
function worldOf(seed: number, lifeMsMax: number): SimulatedWorld {
  return simulatedWorld({ seed, runMsMax: lifeMsMax + RUN_MS_SPARE, endsTurns: true });
}

function drawn({ seed, adjust, smaller }: SimulationOptions, dice: SeededRandom): SwarmOptions {
  const options = { ...swarm(dice), echoes: echoesPerCrash(seed) };
  return { ...(adjust?.(options, dice) ?? options), ...smaller };
}
