/**
 * A FURTHER IMAGE OF A CRASH OF A PAGE STORE: what the crash could have left of its disk and its manifest,
 * with a log of which as much is durable as could have been; opened in a world of its own.
 */
import type { Lsn } from "../../src/base/units.ts";
import type { SeededRandom, SimulatedWorld } from "../../src/io/index.ts";
import type { Rig } from "../../src/page-store/rig.fixture.ts";
import { type PageLife, RECOVERY_CHANGES_MAX } from "./page-life.ts";

const CRASHES_AGAIN = 0.25;
const CHECKPOINTS = 0.1;

export class PageEcho {
  readonly rig: Rig;
  readonly #life: PageLife;
  readonly #random: SeededRandom;

  /** `moments`: up to which the log could be durable. */
  constructor(of: PageLife, world: SimulatedWorld, moments: readonly Lsn[]) {
    this.#random = world.random.fork();
    this.rig = of.rig.echo(world, this.#random.pick(moments));
    this.#life = of.echo(this.rig, this.#random.fork());
  }

  /** How many images were recovered. */
  async live(): Promise<number> {
    const { world } = this.rig;
    let images = 1;
    if (this.#random.chance(CRASHES_AGAIN)) {
      images += 1;
      const how = this.#random.pick(["kill", "power"] as const);
      world.disk.crashAt(1 + this.#random.below(RECOVERY_CHANGES_MAX), how);
      try {
        await this.rig.start();
      } catch (error) {
        if (world.alive) throw error;
      }
      await this.rig.restart(how); // And with that a crash that did not come is called off.
    } else await this.rig.start();
    this.#life.reopened();
    this.#life.check();
    if (this.#random.chance(CHECKPOINTS)) {
      await this.rig.checkpoint();
      this.#life.check();
    }
    world.kill();
    return images;
  }
}
