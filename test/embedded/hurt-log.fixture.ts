/** A store over a simulated disk with either kind of driver, of which the log can be hurt. */
import type { Env } from "../../src/base/env.ts";
import { type Database, isStorageError, Manager, type ManagerOptions } from "../../src/index.ts";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";

const STORE = "/store";
export const WAL = /\/wal\/.*\.wal$/;
export const DRIVERS = ["standard", "direct"] as const;
export const FLUSH = { standard: "sync", direct: "write" } as const;

type Rest = Omit<ManagerOptions, "directory" | "env" | "openKeyValueStore">;

export interface Place {
  readonly world: SimulatedWorld;
  readonly env: Env;
  readonly manager: Manager;
  readonly notes: Database;
  reopen(): Promise<Manager>;
}

export async function within(options: Rest, body: (place: Place) => Promise<void>): Promise<void> {
  const world = simulatedWorld({ seed: 3 });
  const stores = memoryStores(seeded(4));
  const open = (env: Env) =>
    Manager.open({
      directory: STORE,
      env,
      openKeyValueStore: stores.openerFor(env),
      segmentBytes: 256 * 1024,
      checkpointLogBytes: 1024 * 1024,
      ...options,
    });
  const env = world.start();
  await world.run(async () => {
    const manager = await open(env);
    const notes = await manager.database("notes");
    await notes.exec("create table note (id integer primary key, body text)");
    const reopen = () => open(env);
    await body({ world, env, manager, notes, reopen });
  });
}

export const refusalOf = (call: Promise<unknown>) =>
  call.then(
    () => "done",
    (error: unknown) => (isStorageError(error, "BOP_BACKPRESSURE") ? error.details.full : error),
  );
