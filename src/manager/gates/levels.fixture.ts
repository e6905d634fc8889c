/** A store whose sink takes what a test lets through: for tests of what answers wait for. */
import type { Clock, Env } from "../../base/env.ts";
import type { StorageError } from "../../base/errors.ts";
import { LSN_ZERO, type Lsn } from "../../base/units.ts";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { type SimulatedService, SimulatedStore, simulatedService } from "../../sink/index.ts";
import type { Database } from "../api/database.ts";
import { StoreManager } from "../manager.ts";
import { openStore } from "../opening/opening.ts";
import type { ManagerOptions } from "../options.ts";
import { resolveManagerOptions } from "../resolve-options.ts";
import type { Sink } from "../shipping/open-sink.ts";
import type { Shipper } from "../shipping/shipper.ts";
import type { SinkFacts } from "../shipping/sink-facts.ts";

/** Ships by hand: what is durable when `ship` is called, and nothing by itself. */
export class HandShipper implements Shipper {
  readonly deadLetters = [];
  remoteLsn: Lsn;
  /** What somebody said that he waits for. */
  wantedLsn: Lsn = LSN_ZERO;
  checkpoints = 0;
  closedAfterMs: number | undefined;
  starting: Promise<void> = Promise.resolve();
  readonly #durableLsn: () => Lsn;
  readonly #sink: Pick<Sink, "store" | "retrier">;
  #told: (lsn: Lsn) => void = () => {};
  #lost: (error: StorageError) => void = () => {};

  /** `remoteLsn`: what an earlier process has shipped. */
  constructor(
    durableLsn: () => Lsn,
    sink: Pick<Sink, "store" | "retrier">,
    remoteLsn: Lsn = LSN_ZERO,
  ) {
    this.#durableLsn = durableLsn;
    this.#sink = sink;
    this.remoteLsn = remoteLsn;
  }

  get facts(): SinkFacts {
    return {
      location: "by hand",
      state: "shipping",
      epoch: 1,
      remoteLsn: this.remoteLsn,
      unshippedBytes: this.#durableLsn() - this.remoteLsn,
      oldestUnshippedMs: 0,
      lastError: undefined,
      deadLetters: 0,
      lostWindows: [],
      requests: this.#sink.store.counts,
      retries: this.#sink.retrier.stats,
    };
  }

  /** What is durable now is in the sink now. */
  ship(): void {
    this.remoteLsn = this.#durableLsn();
    this.#told(this.remoteLsn);
  }

  lose(error: StorageError): void {
    this.#lost(error);
  }

  start(): Promise<void> {
    return this.starting;
  }

  onRemote(listener: (lsn: Lsn) => void): void {
    this.#told = listener;
  }

  onState(): void {}

  onBaseWanted(): void {}

  onLost(listener: (error: StorageError) => void): void {
    this.#lost = listener;
  }

  onFault(): void {}

  wanted(lsn: Lsn): void {
    this.wantedLsn = lsn;
  }

  newBase(): void {}

  checkpointed(): void {
    this.checkpoints += 1;
  }

  async retryDeadLetter(): Promise<void> {}

  async discardDeadLetter(): Promise<void> {}

  async close({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    this.closedAfterMs = timeoutMs;
  }
}

export interface HandShipped {
  readonly manager: StoreManager;
  readonly shipper: HandShipper;
  readonly world: SimulatedWorld;
  readonly clock: Clock;
  /** "open" if it has not settled a second from now, else what came of it. */
  outcome(promise: Promise<unknown>): Promise<string>;
}

type Options = Omit<ManagerOptions, "directory" | "env" | "sink">;

/** Where a store lies, whatever process has it open. */
interface Place {
  readonly world: SimulatedWorld;
  readonly service: SimulatedService;
  readonly stores: ReturnType<typeof memoryStores>;
  remoteLsn: Lsn;
}

/**
 * Runs `work` on a store that ships by hand, in a world of its own, and closes it. The process of each
 * work but the last is killed when that is done; the next begins on what it has left.
 */
export async function shippedByHand(
  options: Options,
  ...lives: readonly ((it: HandShipped) => Promise<void>)[]
): Promise<void> {
  const world = simulatedWorld({ seed: 7 });
  const stores = memoryStores(seeded(7));
  const place: Place = { world, service: simulatedService(7), stores, remoteLsn: LSN_ZERO };
  const last = lives.at(-1);
  for (const work of lives) {
    const env = world.start();
    await world.run(async () => {
      const it = await openIn(place, env, options);
      try {
        await work(it);
      } finally {
        if (work === last) await it.manager.close();
      }
      place.remoteLsn = it.shipper.remoteLsn;
    });
    if (work !== last) world.kill();
  }
}

async function openIn(place: Place, env: Env, options: Options): Promise<HandShipped> {
  const { world, service, stores, remoteLsn } = place;
  const { clock } = env;
  const sink = new SimulatedStore({ service, clock });
  const openKeyValueStore = stores.openerFor(env);
  const given = { directory: "/store", env, openKeyValueStore, sink, inlineFlushMs: 0 };
  const resolved = resolveManagerOptions({ segmentBytes: 256 * 1024, ...given, ...options });
  const made: HandShipper[] = [];
  const store = await openStore(resolved, ({ log }, sink) => {
    const shipper = new HandShipper(() => log.durableLsn, sink, remoteLsn);
    made.push(shipper);
    return shipper;
  });
  const [shipper] = made;
  if (shipper === undefined) throw new Error("a store with a sink has who ships");
  const outcome = async (promise: Promise<unknown>): Promise<string> => {
    const settled = promise.then(
      (value) => JSON.stringify(value) ?? "done",
      (error: { code?: string; message: string }) => error.code ?? error.message,
    );
    return Promise.race([settled, clock.sleep(1000).then(() => "open")]);
  };
  return { manager: new StoreManager(store), shipper, world, clock, outcome };
}

export const INSERT = "insert into note (body) values ('x')";

/** A database with one row, all of it in the sink. */
export async function begin(
  { manager, shipper }: Pick<HandShipped, "manager" | "shipper">,
  name: string,
  durability: "local" | "remote",
): Promise<Database> {
  const local = await manager.database(name, { durability: "local" });
  await local.exec("create table note (id integer primary key, body text)");
  await local.exec(INSERT);
  shipper.ship();
  return manager.database(name, { durability });
}
