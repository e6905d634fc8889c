/** A simulated world with a store that is shipped, and directories that it is restored to. */
import type { Env } from "../base/env.ts";
import { simulatedWorld } from "../io/index.ts";
import { Manager } from "../manager/index.ts";
import { memoryStores } from "../manifest/index.ts";
import { SimulatedStore, simulatedService } from "../sink/index.ts";
import { prepareEngines } from "../sqlite/index.ts";
import { openBucket } from "./open-bucket.ts";
import { Shipping } from "./shipped.fixture.ts";
import { restoreStore, type StoreRestore } from "./store.ts";

export const STORE = "/store";
export const SEGMENT_BYTES = 2 ** 20;

export class RestoreRig {
  readonly world: ReturnType<typeof simulatedWorld>;
  readonly stores: ReturnType<typeof memoryStores>;
  readonly service: ReturnType<typeof simulatedService>;
  readonly shipping: Shipping;
  env: Env;

  constructor(seed = 1, batchesPerObject?: number) {
    this.world = simulatedWorld({ seed });
    this.stores = memoryStores(this.world.random.fork());
    this.env = this.world.start();
    this.service = simulatedService(seed);
    this.shipping = new Shipping(this.objects(), batchesPerObject);
  }

  objects(): SimulatedStore {
    return new SimulatedStore({ service: this.service, clock: this.env.clock });
  }

  async open(directory = STORE): Promise<Manager> {
    await prepareEngines("sqlite", 1);
    const openKeyValueStore = this.stores.openerFor(this.env);
    const { env } = this;
    const options = { directory, env, openKeyValueStore, segmentBytes: SEGMENT_BYTES };
    return this.world.run(() => Manager.open({ ...options, transactionMemoryBytes: 2 ** 20 }));
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.world.run(work);
  }

  ship(options?: { readonly state?: boolean }): Promise<void> {
    return this.run(() => {
      const openKeyValueStore = this.stores.openerFor(this.env);
      const { env } = this;
      const place = { env, directory: STORE, openKeyValueStore, objects: this.objects() };
      return this.shipping.ship(place, options);
    });
  }

  /** A process that ended without a word, and the next one. */
  kill(how: "kill" | "powerCut" = "kill"): void {
    this.world[how]();
    this.env = this.world.start();
  }

  restore(directory: string, options: Partial<StoreRestore> = {}) {
    const { env } = this;
    return this.run(async () => {
      const opened = await openBucket(this.objects(), { env });
      try {
        const openKeyValueStore = this.stores.openerFor(env);
        const place = { env, openKeyValueStore, directory, segmentBytes: SEGMENT_BYTES };
        return await restoreStore({ ...place, ...opened, ...options });
      } finally {
        await opened.close();
      }
    });
  }

  /** Every row of every database, by name. */
  async contentOf(manager: Manager): Promise<Record<string, unknown>> {
    return this.run(async () => {
      const content: Record<string, unknown> = {};
      for (const { name } of await manager.list()) {
        const database = await manager.database(name);
        const check = await database.pragma("integrity_check");
        const rows = await database
          .prepare("select id, hex(body) as body from t order by id")
          .all();
        content[name] = { check, rows };
      }
      return content;
    });
  }
}
