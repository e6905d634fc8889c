/** A STORE WHOSE CALLER FALLS ASLEEP now and then: before it asks, or before it hears the answer. */
import type { Clock } from "../../src/base/env.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import { ForwardingStore, type ObjectStore, type StoreCall } from "../../src/sink/index.ts";

export interface Stalls {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly chance: number;
  readonly msMax: number;
}

export class StallingStore extends ForwardingStore {
  readonly #stalls: Stalls;

  constructor(store: ObjectStore, stalls: Stalls) {
    super(store);
    this.#stalls = stalls;
  }

  protected override async around<T>(_call: StoreCall, send: () => Promise<T>): Promise<T> {
    await this.#stall();
    try {
      return await send();
    } finally {
      await this.#stall();
    }
  }

  async #stall(): Promise<void> {
    const { clock, random, chance, msMax } = this.#stalls;
    if (random.chance(chance)) await clock.sleep(random.fraction() * msMax);
  }
}
