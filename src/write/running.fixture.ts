/** A log that runs in a world of its own, for as long as a test looks at it. */
import type { Env } from "../base/env.ts";
import type { SimulatedWorld } from "../io/index.ts";
import type { LogLimits, StoredLog } from "./index.ts";
import { LogStore, worldOf } from "./log.fixture.ts";

export interface Running {
  readonly world: SimulatedWorld;
  readonly env: Env;
  readonly store: LogStore;
  readonly log: StoredLog;
}

export const DRIVERS = ["standard", "direct"] as const;
export type DriverKind = (typeof DRIVERS)[number];

/** What fails when a flush of this driver does. */
export const FLUSH = { standard: "sync", direct: "write" } as const;

export async function within(
  options: Partial<LogLimits> & { readonly io?: DriverKind },
  body: (running: Running) => Promise<void>,
): Promise<Running> {
  const { io = "standard", ...limits } = options;
  const world = await worldOf(5);
  const env = world.start();
  const store = new LogStore(limits);
  store.io = io;
  const log = await world.run(() => store.open(env));
  const running = { world, env, store, log };
  await world.run(() => body(running));
  return running;
}

/** What a power cut now would leave, checked against what was acknowledged. */
export async function survivesPowerCut({ world, store }: Running): Promise<void> {
  world.powerCut();
  const env = world.start();
  await world.run(async () => (await store.open(env)).close());
}

/** The code of what a call throws; "nothing" if it does not. */
export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "nothing";
}
