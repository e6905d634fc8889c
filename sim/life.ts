/**
 * ONE LIFE of the process that owns the store: what was opened in it, and what its calls have ended
 * with.
 *
 * (1) An error that the world may cause settles the model; one that nothing can excuse is a broken
 *     promise. What may be excused depends on whether the disk was made to fail.
 * (2) Only BOP_OUTCOME_UNKNOWN leaves open whether a transaction is there; every other error says
 *     that it is not.
 */
import type { Env } from "../src/base/env.ts";
import {
  type Database,
  isStorageError,
  type Manager,
  SqliteError,
  StorageError,
} from "../src/index.ts";
import {
  type Crash,
  DeadProcessError,
  type SeededRandom,
  type SimulatedWorld,
} from "../src/io/index.ts";
import type { MemoryStores } from "../src/manifest/index.ts";
import type { CatalogueModel } from "./catalogue-model.ts";
import type { DatabaseModel, NewTransaction, Submitted } from "./database-model.ts";
import { BrokenPromise } from "./failure.ts";
import { isChangeOfMind, type Place } from "./operations.ts";
import type { SwarmOptions } from "./swarm.ts";
import type { Tally } from "./tally.ts";
import type { Trace } from "./trace.ts";

/** What may end a call although nothing is wrong with the disk. */
const EXCUSED = [
  "BOP_BACKPRESSURE",
  "BOP_CLOSED",
  "BOP_DROPPED",
  "BOP_NOT_FOUND",
  "BOP_TIMEOUT",
  "SQLITE_BUSY",
  "SQLITE_BUSY_SNAPSHOT",
];
/** What may end a call when the disk fails. */
const EXCUSED_BY_FAULTS = [
  "BOP_DISK_FULL",
  "BOP_EXISTS",
  "BOP_IO",
  "BOP_READ_ONLY",
  "SQLITE_FULL",
  "SQLITE_IOERR",
];

/** What a life is lived in: a simulation, as far as one life of it needs to know. */
export interface Surroundings {
  readonly world: SimulatedWorld;
  readonly random: SeededRandom;
  readonly options: SwarmOptions;
  readonly stores: MemoryStores;
  readonly trace: Trace;
  readonly tally: Tally;
  readonly catalogue: CatalogueModel;
  /** The disk may fail, and so may calls. */
  faulty: boolean;
  /** A process was left at work that nobody listens to, since it was last looked at what there is. */
  isUnheard: boolean;
  /** Errors that mean that nothing was done, beside those that any seed may meet. */
  excuses: (error: unknown) => boolean;
  openManager(env: Env): Promise<Manager>;
  /** This life has closed what it had opened, and that is no manager. */
  closed(): void;
}

interface Settled {
  outcome: Submitted["outcome"];
}

export class Life {
  readonly env: Env;
  readonly simulation: Surroundings;
  readonly isAlive: () => boolean;
  /** The newest that was opened. */
  manager: Manager | undefined;
  /**
   * Transactions of handles queue in the order of their calls. They do not while pages are away that it
   * takes to compile a text: order is then kept within each handle (manager/queries/handle-runner.ts (6)).
   */
  queuesInOrder = true;

  constructor(options: {
    readonly simulation: Surroundings;
    readonly env: Env;
    readonly isAlive: () => boolean;
  }) {
    this.simulation = options.simulation;
    this.env = options.env;
    this.isAlive = options.isAlive;
  }

  /** From its n-th change from now on the disk has no process any more. */
  planCrash(n: number, how: Crash): void {
    this.simulation.world.disk.crashAt(n, how);
    this.simulation.trace.note(`${how} planned in ${n} changes`);
  }

  async open(): Promise<Manager> {
    const manager = await this.simulation.openManager(this.env);
    this.manager = manager;
    const { recoveredFromCrash, replayedCommits, log } = manager.diagnostics();
    const { tally } = this.simulation;
    if (recoveredFromCrash) tally.add("recoveries");
    tally.add("replayed commits", replayedCommits);
    this.simulation.trace.note(`open: ${replayedCommits} replayed, durable ${log.durableLsn}`);
    return manager;
  }

  place(database: Database, model: DatabaseModel): Place {
    const { random } = this.simulation;
    return {
      database,
      model,
      random,
      clock: this.env.clock,
      commit: (what, run) => this.#commit(model, what, run),
      attempt: (run) => this.attempt(run),
      show: (ids, acknowledgedBefore) => {
        this.assertAlive();
        model.show(ids, acknowledgedBefore);
      },
      reveal: (id) => {
        this.assertAlive();
        model.reveal(id);
      },
    };
  }

  /** Ends what code of a dead process still does. */
  assertAlive(): void {
    if (!this.isAlive()) throw new DeadProcessError();
  }

  async attempt(run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.outcomeOf(error);
    }
    this.assertAlive();
  }

  /** Runs a change that the model knows of, and tells the model how it ended. See (2). */
  async settle<T>(
    submitted: Settled,
    acknowledge: () => void,
    run: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      const answer = await run();
      this.assertAlive();
      acknowledge();
      return answer;
    } catch (error) {
      submitted.outcome = this.outcomeOf(error);
      return undefined;
    }
  }

  /** What an error says of the change that it ended. Throws what nothing excuses. */
  outcomeOf(error: unknown): "refused" | "unknown" {
    this.assertAlive();
    if (isChangeOfMind(error)) return "refused";
    if (error instanceof BrokenPromise) throw error;
    const { faulty, tally, trace } = this.simulation;
    const code = codeOf(error);
    trace.note(`error ${code}`);
    tally.add(`errors: ${code}`);
    if (faulty && isStorageError(error, "BOP_OUTCOME_UNKNOWN")) return "unknown";
    if (EXCUSED.includes(code) || this.simulation.excuses(error)) return "refused";
    if (faulty && EXCUSED_BY_FAULTS.some((each) => code.startsWith(each))) return "refused";
    const text = error instanceof Error ? error.stack : String(error);
    throw new BrokenPromise(`nothing excuses ${code}: ${text}`, { cause: error });
  }

  async #commit(
    model: DatabaseModel,
    what: NewTransaction,
    run: (id: number) => Promise<unknown>,
  ): Promise<void> {
    const submitted = model.submit(this.queuesInOrder ? what : { ...what, queued: false });
    const { id } = submitted;
    const { tally, trace } = this.simulation;
    trace.note(`${model.label}: ${what.kind} ${id}`);
    await this.settle(
      submitted,
      () => model.acknowledge(submitted),
      () => run(id),
    );
    trace.note(`${model.label}: ${id} ${submitted.outcome}`);
    tally.add(`transactions: ${submitted.outcome}`);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof SqliteError) return error.sqliteCode;
  if (error instanceof StorageError) return error.code;
  return error instanceof Error ? error.name : String(error);
}
