/** A MACHINE IS LOST: what its bucket has is restored into another directory, and held against the oracle. */
import { Manager } from "../src/index.ts";
import { type SimulatedService, SimulatedStore } from "../src/sink/index.ts";
import type { Life } from "./life.ts";
import { verify } from "./oracle.ts";
import type { Simulation } from "./simulation.ts";

export interface LostMachine {
  readonly simulation: Simulation;
  readonly service: SimulatedService;
  /** Opens what was restored. */
  readonly open: (life: Life, directory: string) => Promise<Manager>;
}

export async function restoreElsewhere({ simulation, service, open }: LostMachine): Promise<void> {
  await simulation.live(async (life) => {
    const { env } = life;
    const directory = "/restored";
    const from = new SimulatedStore({ service, clock: env.clock });
    const openKeyValueStore = simulation.stores.openerFor(env);
    await Manager.restore({ from, directory, env, openKeyValueStore });
    const manager = await open(life, directory);
    await verify(life, manager);
    await manager.close();
    simulation.tally.add("restores");
  });
  simulation.end("kill");
}
