/** MACHINES with one bucket, in one simulated world; each has a disk, which is a directory there. */
import type { Env } from "../../base/env.ts";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores, type OpenKeyValueStore } from "../../manifest/index.ts";
import { type SimulatedService, SimulatedStore, simulatedService } from "../../sink/index.ts";

/** A disk, as a process finds it that has just been started. */
export interface Disk {
  readonly directory: string;
  readonly env: Env;
  readonly openKeyValueStore: OpenKeyValueStore;
}

export class Machines {
  readonly world: SimulatedWorld;
  readonly service: SimulatedService;
  readonly #stores: ReturnType<typeof memoryStores>;

  constructor(seed: number) {
    this.service = simulatedService(seed);
    this.world = simulatedWorld({ seed });
    this.#stores = memoryStores(seeded(seed));
  }

  disk(name: string): Disk {
    const env = this.world.start();
    return { directory: `/${name}`, env, openKeyValueStore: this.#stores.openerFor(env) };
  }

  bucket({ clock }: Pick<Env, "clock">, latencyMsMax?: number): SimulatedStore {
    const { service } = this;
    return new SimulatedStore({
      service,
      clock,
      ...(latencyMsMax !== undefined && { latencyMsMax }),
    });
  }
}
