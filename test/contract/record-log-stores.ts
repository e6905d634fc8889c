/** Log stores for the contract: record logs on this machine, and in a simulated world. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Manager, type ManagerOptions, type RecordLog } from "../../src/index.ts";
import { type SimulatedWorld, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";
import type { LogStore } from "../../src/record-log/contract/index.ts";

/** Small, so that entries leave memory, and chunks and segments are many. */
const SMALL = { segmentBytes: 1024 * 1024, logCacheBytes: 0 } as const;

/** What `log` hands out may be wrapped: see the planted bugs. */
export type Wrap = (log: RecordLog) => RecordLog;
const asItIs: Wrap = (log) => log;

interface Process {
  readonly manager: Manager;
  /** How to open what is there after this process. */
  again(how: "close" | "crash"): Promise<Process>;
  end(): Promise<void>;
  failWrites?(): void;
}

function storeOf(first: Process, wrap: Wrap, unwrap: Wrap): LogStore {
  let process = first;
  const { failWrites } = first;
  return {
    log: async (name) => wrap(await process.manager.log(name)),
    commitLogs: (members) => {
      return process.manager.commitLogs(
        members.map((each) => ({ ...each, log: unwrap(each.log) })),
      );
    },
    settle: () => process.manager.checkpoint(),
    reopen: async () => {
      process = await process.again("close");
    },
    crash: async () => {
      process = await process.again("crash");
    },
    close: () => process.end(),
    ...(failWrites && { failWrites }),
  };
}

/** On this machine, without crashes: those of real processes are in test/crash. */
export async function storeOnDisk(wrap: Wrap = asItIs, unwrap: Wrap = asItIs): Promise<LogStore> {
  const home = await mkdtemp(join(tmpdir(), "bop-contract-"));
  const directory = join(home, "store");
  const start = async (): Promise<Process> => {
    const manager = await Manager.open({ ...SMALL, directory });
    return {
      manager,
      again: async () => {
        await manager.close();
        return start();
      },
      end: async () => {
        await manager.close();
        await rm(home, { recursive: true, force: true });
      },
    };
  };
  const { crash: _none, ...store } = storeOf(await start(), wrap, unwrap);
  return store;
}

/** In a world of its own. A crash is a power cut. */
export async function simulatedStore(
  world: SimulatedWorld,
  wrap: Wrap = asItIs,
  unwrap: Wrap = asItIs,
): Promise<LogStore> {
  const stores = memoryStores(world.random.fork());
  const start = async (): Promise<Process> => {
    const env = world.start();
    const openKeyValueStore = stores.openerFor(env);
    const options: ManagerOptions = { ...SMALL, directory: "/store", env, openKeyValueStore };
    const manager = await Manager.open(options);
    return {
      manager,
      again: async (how) => {
        if (how === "close") await manager.close();
        else world.powerCut();
        return start();
      },
      end: () => manager.close(),
      failWrites: () => {
        for (const operation of ["write", "sync"] as const) {
          world.disk.failNext({
            operation,
            pathPattern: /\.wal$/,
            times: Number.POSITIVE_INFINITY,
          });
        }
      },
    };
  };
  return storeOf(await start(), wrap, unwrap);
}

export const newWorld = (seed: number): SimulatedWorld => simulatedWorld({ seed });
