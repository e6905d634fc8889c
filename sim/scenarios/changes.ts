/**
 * CHANGES: an indexer reads the change log of a store that is cut off again and again, and
 * acknowledges what it likes. A change that it was told of never becomes another; it is told of every
 * change in order, none twice in one life; what it acknowledged is not told again, and what it did
 * not is. At the end, what it was told makes up the catalogue that there is.
 */
import type { Change, Manager } from "../../src/index.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";

const CURSOR = "indexer";
const NAMES = 12;

/** What the indexer knows, over all lives. */
class Indexer {
  /** Told at sequence n + 1, as text. */
  readonly told: string[] = [];
  /** Newest sequence whose acknowledgement was answered, and the newest that was asked for. */
  acknowledged = 0;
  asked = 0;
  /** Names of databases, and of record logs, that there are, as the changes say. */
  readonly names = new Set<string>();
  readonly logs = new Set<string>();

  take(change: Change, previous: number | undefined): void {
    const { sequence } = change;
    if (previous === undefined) {
      const begins = sequence > this.acknowledged && sequence <= this.asked + 1;
      promise(begins, () => `begins at ${sequence}: acknowledged up to ${this.acknowledged}`);
    } else {
      promise(sequence === previous + 1, () => `${sequence} is told after ${previous}`);
    }
    const text = JSON.stringify(change);
    const before = this.told[sequence - 1];
    if (before === undefined) {
      promise(this.told.length === sequence - 1, () => `${sequence} leaves a gap`);
      this.told.push(text);
      this.#apply(change);
    } else {
      promise(before === text, () => `${sequence} was ${before}, and now is ${text}`);
    }
  }

  #apply(change: Change): void {
    if (change.kind === "created") come(this.names, change.database);
    if (change.kind === "dropped") go(this.names, change.database);
    if (change.kind === "renamed") {
      go(this.names, change.previousName);
      come(this.names, change.database);
    }
    if (change.kind === "log-created") come(this.logs, change.log);
    if (change.kind === "log-dropped") go(this.logs, change.log);
    if (change.kind === "advanced" || change.kind === "checkpoint") {
      for (const { database, lsn } of change.databases) {
        promise(lsn <= change.lsn, () => `${database} is at ${lsn}, told of at ${change.lsn}`);
      }
    }
  }
}

function come(names: Set<string>, name: string): void {
  promise(!names.has(name), () => `${name} is told to come twice`);
  names.add(name);
}

function go(names: Set<string>, name: string): void {
  promise(names.delete(name), () => `${name} is told to go, and never came`);
}

export async function changes(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: administrated });
  const { random, world, tally } = simulation;
  const indexer = new Indexer();
  for (let n = 0; n < simulation.options.lives; n++) {
    const how = random.pick(["kill", "power"] as const);
    const survived = await simulation.live((life) => interruptedLife({ life, indexer }, how));
    if (survived) simulation.end(how);
    else tally.add(`crashes: ${how} at a change`);
    promise(!world.alive, "a process outlived its world");
  }
  await simulation.live((life) => lastLife({ life, indexer }));
  simulation.end("kill");
}

function administrated(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  return { ...drawn, lives: 2 + random.below(4), changesMax: random.pick([40, 150, 600]) };
}

interface Part {
  readonly life: Life;
  readonly indexer: Indexer;
}

async function interruptedLife({ life, indexer }: Part, how: "kill" | "power"): Promise<void> {
  const { random, options } = life.simulation;
  const early = random.chance(options.crashInRecovery);
  if (early) life.planCrash(1 + random.below(options.changesMax), how);
  const manager = await life.open();
  if (!early) life.planCrash(1 + random.below(options.changesMax), how);
  const leaving = new AbortController();
  const reading = read({ life, indexer }, manager, leaving.signal);
  await administrate(life, manager);
  await life.env.clock.sleep(random.below(500));
  leaving.abort();
  await reading;
  if (random.chance(0.3)) await manager.close();
}

/** Reads until it is told to leave, in loops of all lengths. */
async function read({ life, indexer }: Part, manager: Manager, signal: AbortSignal): Promise<void> {
  const { random, tally } = life.simulation;
  const acknowledging: Promise<void>[] = [];
  while (!signal.aborted) {
    let previous: number | undefined;
    let left = 1 + random.below(30);
    try {
      for await (const change of manager.changes({ cursor: CURSOR, signal })) {
        life.assertAlive();
        indexer.take(change, previous);
        previous = change.sequence;
        tally.add(`changes: ${change.kind}`);
        if (random.chance(0.4)) acknowledging.push(acknowledge({ life, indexer }, change));
        if (--left === 0) break;
      }
    } catch (error) {
      life.assertAlive();
      if (!signal.aborted) throw error;
    }
    // Else the next loop may begin before or behind what is on its way.
    await Promise.all(acknowledging.splice(0));
  }
}

async function acknowledge({ life, indexer }: Part, change: Change): Promise<void> {
  indexer.asked = Math.max(indexer.asked, change.sequence);
  await change.ack();
  life.assertAlive();
  indexer.acknowledged = Math.max(indexer.acknowledged, change.sequence);
}

/** Creates, renames, drops and writes. */
async function administrate(life: Life, manager: Manager): Promise<void> {
  const { random, options } = life.simulation;
  const name = () => `database-${random.below(NAMES)}`;
  for (let n = 5 + random.below(30); n > 0; n--) {
    const kind = random.pick([
      "log",
      "dropLog",
      "create",
      "create",
      "rename",
      "drop",
      "write",
      "checkpoint",
    ] as const);
    await life.attempt(async () => {
      if (kind === "create") await manager.database(name(), { pageBytes: options.pageBytes });
      if (kind === "rename") await excuse(() => manager.rename(name(), name()));
      if (kind === "drop") await manager.drop(name());
      if (kind === "log") await manager.log(name());
      if (kind === "dropLog") await manager.dropLog(name());
      if (kind === "checkpoint") await manager.checkpoint();
      if (kind === "write") {
        const database = await manager.database(name(), { create: false });
        await database.exec("create table if not exists t (v); insert into t values (1)");
      }
    });
    if (random.chance(0.3)) await life.env.clock.sleep(random.below(120));
  }
}

/** The name that was drawn may be taken. */
async function excuse(run: () => Promise<void>): Promise<void> {
  await run().catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== "BOP_EXISTS") throw error;
  });
}

/** What was told is what there is. */
async function lastLife({ life, indexer }: Part): Promise<void> {
  const manager = await life.open();
  await manager.checkpoint();
  await life.env.clock.sleep(1000);
  const { newest } = manager.diagnostics().changes;
  let previous: number | undefined;
  const cursor = await manager.createCursor(CURSOR); // Its last acknowledgement may have got there.
  if (cursor.lag > 0) {
    for await (const change of manager.changes({ cursor: CURSOR })) {
      indexer.take(change, previous);
      previous = change.sequence;
      if (previous >= newest) break;
    }
  }
  same(indexer.names, await manager.list());
  same(indexer.logs, await manager.logs());
  await manager.close();
}

function same(told: ReadonlySet<string>, listed: readonly { readonly name: string }[]): void {
  const [is, be] = [listed.map(({ name }) => name).sort(), [...told].sort()];
  promise(
    JSON.stringify(is) === JSON.stringify(be),
    () => `the changes make up ${be}, and there are ${is}`,
  );
}
