/**
 * MANIFEST: many hands change the manifest of a process that dies again and again, at any moment,
 * while commits are refused now and then. Some submit and are answered when it is durable; some
 * enqueue and are answered when it is accepted. What was answered is there afterwards; nothing that
 * was refused is; what was enqueued has taken place in order, once.
 */
import { StorageError } from "../../src/index.ts";
import { type DeadLetterRow, type Manifest, openManifest } from "../../src/manifest/index.ts";
import { type Operation, put } from "../../src/manifest/rows/table.ts";
import { deadLetters } from "../../src/manifest/tables/dead-letters.ts";
import { pendingBatches } from "../../src/manifest/tables/pending-batches.ts";
import { withEchoes } from "../echoes.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";

const DIRECTORY = `${STORE}/manifest`;
const HANDS = 6;
const LIFE_MS = 60;
/** Rows 1, 2, … hold what each hand wrote last; the others are one for each batch of the journal. */
const JOURNAL_ROW = 1000;
const FIRST_BATCH_ROW = 2000;

interface Register {
  asked: number;
  answered: number;
  /** Values that were refused: they must not be found. */
  readonly refused: Set<number>;
}

const register = (of?: Register): Register => ({
  ...(of ?? { asked: 0, answered: 0 }),
  refused: new Set(of?.refused),
});

/** What the manifest must hold, over all lives. */
class Model {
  readonly hands: readonly Register[];
  readonly journal: Register;
  readonly answered: Set<number>;

  constructor(of?: Model) {
    this.hands = of?.hands.map(register) ?? Array.from({ length: HANDS }, () => register());
    this.journal = register(of?.journal);
    this.answered = new Set(of?.answered);
  }

  check(rows: ReadonlyMap<number, number>): void {
    for (const [index, { asked, answered, refused }] of this.hands.entries()) {
      const found = rows.get(index + 1) ?? 0;
      promise(
        found >= answered,
        () => `hand ${index}: ${found} is there, ${answered} was answered`,
      );
      promise(found <= asked, () => `hand ${index}: ${found} was never asked for`);
      promise(!refused.has(found), () => `hand ${index}: ${found} was refused, and is there`);
    }
    this.#checkJournal(rows);
  }

  #checkJournal(rows: ReadonlyMap<number, number>): void {
    let newest = 0;
    for (let batch = 1; batch <= this.journal.asked; batch++) {
      const isThere = rows.has(FIRST_BATCH_ROW + batch);
      promise(
        isThere || !this.answered.has(batch),
        () => `batch ${batch} was accepted, and is lost`,
      );
      const { refused } = this.journal;
      promise(!isThere || !refused.has(batch), () => `batch ${batch} was refused, and took place`);
      if (isThere) newest = batch;
    }
    const last = rows.get(JOURNAL_ROW) ?? 0;
    promise(last === newest, () => `batch ${last} took place last, and ${newest} is the newest`);
  }
}

export async function manifest(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: withEchoes });
  const { random, tally } = simulation;
  const model = new Model();
  simulation.echoed = () => {
    const echo = new Model(model);
    return async (life) => {
      await open(life);
      echo.check(await found(life));
    };
  };
  for (let n = 2 + random.below(4); n > 0; n--) {
    const how = random.pick(["kill", "power"] as const);
    const lifeMs = random.fraction() * LIFE_MS;
    const survived = await simulation.live((life) => work(life, model, lifeMs));
    if (survived) simulation.end(how);
    else tally.add("lives that ended by themselves");
  }
  await simulation.live(async (life) => {
    const opened = await open(life);
    model.check(await found(life));
    const { journal } = opened.stats;
    promise(journal.entries === 0, () => `${journal.entries} batches are left in the journal`);
    promise(journal.dead === 0, () => `${journal.dead} batches of the journal are dead letters`);
    await opened.close();
    const left = await pendingIn(life);
    promise(left === 0, () => `${left} batches of the journal are never struck`);
  });
  simulation.end("kill");
}

/** Batches that the next start would apply. */
async function pendingIn({ simulation, env }: Life): Promise<number> {
  const store = await simulation.stores.openerFor(env)(DIRECTORY);
  const { from, to } = pendingBatches.range();
  const left = [...store.range(from, to)].length;
  await store.close();
  return left;
}

/** Ends when the time is over, with whatever is under way then. */
async function work(life: Life, model: Model, lifeMs: number): Promise<void> {
  const { random, stores, tally } = life.simulation;
  const opened = await open(life);
  model.check(await found(life));
  const hands = model.hands.map((hand, index) => submitting({ opened, hand, row: index + 1 }));
  const all = [...hands, enqueueing(opened, model), enqueueing(opened, model)];
  const faults = random.chance(0.5) ? random.below(4) : 0;
  for (let n = 0; n < faults; n++) {
    await life.env.clock.sleep((random.fraction() * lifeMs) / faults);
    // What a full disk refused is not there; of the other, only the commit behind it says so.
    if (n < faults - 1) stores.failNextCommit({ applied: false, error: "ENOSPC" });
    else stores.failNextCommit({ applied: random.chance(0.5), error: "EIO" });
    tally.add("refused commits");
  }
  await Promise.race([life.env.clock.sleep(lifeMs), Promise.all(all)]);
}

/** A fault that the life before did not meet may be met in opening: then it is tried again. */
async function open(life: Life): Promise<Manifest> {
  try {
    return await tryToOpen(life);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    life.simulation.tally.add("openings refused");
    return await tryToOpen(life);
  }
}

function tryToOpen({ simulation, env }: Life): Promise<Manifest> {
  return openManifest({
    openStore: simulation.stores.openerFor(env),
    directory: DIRECTORY,
    storeIdForNew: new Uint8Array(16),
    clock: env.clock,
    delayMs: simulation.random.pick([0, 0, 3]),
  });
}

/** One after the other, until one is refused for good: nothing that the device does is. */
async function submitting(of: {
  readonly opened: Manifest;
  readonly hand: Register;
  readonly row: number;
}): Promise<void> {
  const { opened, hand, row } = of;
  while (true) {
    hand.asked += 1;
    const value = hand.asked;
    try {
      await opened.submit({ operations: [write(row, value)] });
      hand.answered = value;
    } catch (error) {
      if (isFull(error)) hand.refused.add(value);
      else if (!isUnsure(error)) return;
    }
  }
}

async function enqueueing(opened: Manifest, { journal, answered }: Model): Promise<void> {
  let unsure: number[] = [];
  while (true) {
    journal.asked += 1;
    const batch = journal.asked;
    try {
      await opened.enqueue([write(JOURNAL_ROW, batch), write(FIRST_BATCH_ROW + batch, batch)]);
      answered.add(batch);
      for (const earlier of unsure) journal.refused.add(earlier); // It is taken back by now.
      unsure = [];
    } catch (error) {
      if (isFull(error)) journal.refused.add(batch);
      else if (isUnsure(error)) unsure.push(batch);
      else return;
    }
  }
}

const isFull = (error: unknown): boolean =>
  ["BOP_DISK_FULL", "BOP_BACKPRESSURE"].includes((error as { code?: string }).code ?? "");

/** A crash before the next commit may show that it was made. */
const isUnsure = (error: unknown): boolean => (error as { code?: string }).code === "BOP_IO";

/** A row of a table that has no invariants of its own. */
function write(row: number, value: number): Operation {
  const letter: DeadLetterRow = {
    sequence: row,
    kind: "log",
    atMs: value,
    attempts: 0,
    subject: "",
    reason: "",
    bytes: 0,
    body: new Uint8Array(),
  };
  return put(deadLetters, letter);
}

/** Values by row. */
async function found({ simulation, env }: Life): Promise<ReadonlyMap<number, number>> {
  const store = await simulation.stores.openerFor(env)(DIRECTORY);
  const { from, to } = deadLetters.range();
  const rows = [...store.range(from, to)].map((pair) => {
    const { sequence, atMs } = deadLetters.decode({ ...pair, file: DIRECTORY });
    return [sequence, atMs] as const;
  });
  await store.close();
  return new Map(rows);
}
