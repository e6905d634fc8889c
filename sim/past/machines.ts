/**
 * MACHINES OF ONE STORE, one after the other, over one bucket: each has a directory of its own, and those
 * that were lost keep theirs. What was seen of the store at some moments is remembered, as marks.
 *
 * (1) A mark is taken when nobody works and all is in the bucket, so that it says exactly what every
 *     database held at its LSN and at its time.
 * (2) Its LSN is the end of the bucket's log, as whoever lists moments is told it. The log here may end
 *     above it, in a batch without commits: that is shipped with the next one, and until then a start
 *     may use its LSNs anew, so it is no moment to come back to.
 */
import { Manager } from "../../src/index.ts";
import { type SimulatedService, SimulatedStore } from "../../src/sink/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";
import { work } from "../clients.ts";
import type { DatabaseModel } from "../database-model.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { opsOf, verify, verifyMoment } from "../oracle.ts";
import type { Simulation } from "../simulation.ts";
import { storeLimits } from "../swarm.ts";

/** Engines that one life needs: its own, and one for each moment that it looks at. See Simulation (2). */
const ENGINES = 5;

const LATENCY_MS_MAX = 5;
/** Between a mark and what comes before and behind it. */
const APART_MS = 20;

export interface Mark {
  readonly lsn: number;
  readonly wallMs: number;
  readonly held: ReadonlyMap<string, DatabaseModel>;
}

export class Machines {
  readonly simulation: Simulation;
  readonly service: SimulatedService;
  readonly keepForMs: number;
  readonly marks: Mark[] = [];
  #directories = 1;
  #copies = 0;

  constructor(of: {
    readonly simulation: Simulation;
    readonly service: SimulatedService;
    readonly keepForMs: number;
  }) {
    this.simulation = of.simulation;
    this.service = of.service;
    this.keepForMs = of.keepForMs;
  }

  /** Of the machine that is there now. */
  get directory(): string {
    return `/store-${this.#directories}`;
  }

  /** True if the process survived its life. */
  async live(body: (life: Life) => Promise<void>): Promise<boolean> {
    await prepareEngines("sqlite", ENGINES);
    return this.simulation.live(body);
  }

  bucket({ env }: Life): SimulatedStore {
    const { service } = this;
    return new SimulatedStore({ service, clock: env.clock, latencyMsMax: LATENCY_MS_MAX });
  }

  async open(life: Life, directory = this.directory): Promise<Manager> {
    const { simulation, keepForMs } = this;
    const { env } = life;
    const manager = await Manager.open({
      ...storeLimits(simulation.options),
      ...{ directory, env, openKeyValueStore: simulation.stores.openerFor(env) },
      ...{ sink: this.bucket(life), durability: "remote", flushIntervalMs: 50 },
      retention: { keepForMs },
    });
    life.manager = manager;
    return manager;
  }

  /** The machine burns; another one is made of what the bucket has. A lazy one fetches pages when asked. */
  async replace(life: Life, { lazy = false } = {}): Promise<void> {
    this.#directories += 1;
    const { env } = life;
    const openKeyValueStore = this.simulation.stores.openerFor(env);
    const { directory } = this;
    await Manager.restore({ from: this.bucket(life), directory, lazy, env, openKeyValueStore });
    this.simulation.tally.add(lazy ? "machines replaced lazily" : "machines replaced");
  }

  /** Nobody has looked at anything before. */
  async workAtOnce(life: Life, manager: Manager): Promise<void> {
    life.queuesInOrder = false;
    await work({ life, manager }, []);
    life.queuesInOrder = true;
  }

  async work(life: Life, manager: Manager): Promise<void> {
    await work({ life, manager }, await verify(life, manager));
  }

  /** All that was done is in the bucket. */
  async settle(manager: Manager): Promise<void> {
    const { durableLsn } = manager.diagnostics().log;
    await manager.durable(durableLsn, { level: "remote" });
  }

  /** See (1) and (2). */
  async mark(life: Life, manager: Manager): Promise<void> {
    const { clock } = life.env;
    const found = await verify(life, manager);
    await this.settle(manager);
    const lsn = await this.#newest(life);
    await clock.sleep(APART_MS);
    const wallMs = Math.floor(clock.wallMs());
    await clock.sleep(APART_MS);
    const held = new Map<string, DatabaseModel>();
    for (const { database, model } of found) {
      held.set(database.name, model.asOf(await opsOf(database), `${model.label} at ${lsn}`));
    }
    this.marks.push({ lsn, wallMs, held });
  }

  /** See (2). */
  async #newest(life: Life): Promise<number> {
    const { env } = life;
    const { ranges } = await Manager.restorePoints(this.bucket(life), { env });
    const newest = ranges.at(-1)?.to.lsn;
    promise(newest !== undefined, () => "what was shipped can be restored at no moment");
    return newest;
  }

  /** What the bucket gives back of a moment, opened for itself. */
  async restored(
    life: Life,
    at: Date | { readonly lsn: number },
    look: (manager: Manager) => Promise<void>,
  ): Promise<void> {
    this.#copies += 1;
    const { simulation } = this;
    const { env } = life;
    const directory = `/past-${this.#copies}`;
    const openKeyValueStore = simulation.stores.openerFor(env);
    await Manager.restore({ from: this.bucket(life), directory, at, env, openKeyValueStore });
    const place = { directory, env, openKeyValueStore, sink: "none" };
    const manager = await Manager.open({ ...storeLimits(simulation.options), ...place });
    await look(manager);
    await manager.close();
    simulation.tally.add("moments restored");
  }

  async checkMark(life: Life, mark: Mark): Promise<void> {
    const { random } = this.simulation;
    const at = random.chance(0.5) ? { lsn: mark.lsn } : new Date(mark.wallMs);
    await this.restored(life, at, async (manager) => {
      const names = (await manager.list()).map(({ name }) => name).sort();
      const wanted = [...mark.held.keys()].sort();
      promise(`${names}` === `${wanted}`, () => `at ${mark.lsn} there is ${names}, not ${wanted}`);
      for (const [name, model] of mark.held) {
        await verifyMoment(await manager.database(name, { create: false }), model);
      }
    });
  }
}
