/**
 * A STORE IN A WORLD OF ITS OWN that loses its manifest and gets it back: whole stores, of which one
 * process at a time is alive.
 */
import type { Env } from "../../base/env.ts";
import { type SeededRandom, type SimulatedWorld, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareReusedEngine } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";
import type { ManagerOptions } from "../options.ts";
import { rebuildManifest } from "./rebuild.ts";

export const STORE = "/store";
export const MANIFEST = `${STORE}/manifest`;

type Settings = Omit<ManagerOptions, "directory" | "env" | "openKeyValueStore">;

export class Place {
  readonly world: SimulatedWorld;
  readonly stores: ReturnType<typeof memoryStores>;
  readonly random: SeededRandom;
  env: Env;

  constructor(seed: number) {
    this.world = simulatedWorld({ seed });
    this.stores = memoryStores(this.world.random.fork());
    this.random = this.world.random.fork();
    this.env = this.world.start();
  }

  async open(settings: Settings = {}): Promise<Manager> {
    await prepareReusedEngine("sqlite");
    const options = { ...this.#options(), segmentBytes: 2 ** 20, ...settings };
    return this.world.run(() => Manager.open(options));
  }

  lose(): void {
    this.stores.lose(MANIFEST);
  }

  rebuild(replace = false): ReturnType<typeof rebuildManifest> {
    return this.world.run(() => rebuildManifest({ ...this.#options(), replace }));
  }

  /** Begins one, and the power goes after a while. */
  async rebuildCutOff(afterMs: number): Promise<void> {
    void rebuildManifest(this.#options()).catch(() => undefined);
    await this.world.pass(afterMs);
    this.world.powerCut();
    this.env = this.world.start();
  }

  crash(): void {
    if (this.random.below(2) === 0) this.world.kill();
    else this.world.powerCut();
    this.env = this.world.start();
  }

  #options() {
    const openKeyValueStore = this.stores.openerFor(this.env);
    return { directory: STORE, env: this.env, openKeyValueStore };
  }
}
