/**
 * THE DRIVER OF A SIMULATED PROCESS: behaves as one of the two real ones, by the choice of whoever
 * opens the store or, where that is "auto", of the world.
 *
 * (1) Memory that is released is spoilt at once: a batch that is still being written would show it.
 */
import type { Driver, DriverOptions, LogFile } from "../../base/driver.ts";
import { KIB } from "../../base/units.ts";
import { PlainMemory } from "../plain-memory.ts";

const BLOCK_BYTES = 4 * KIB;
const SPOILT = 0xdb;

export interface SimulatedDriverOptions extends DriverOptions {
  readonly autoIsDirect: boolean;
  readonly open: (path: string, how: { readonly durably: boolean }) => Promise<LogFile>;
}

export function simulatedDriver(options: SimulatedDriverOptions): Driver {
  const { io, autoIsDirect, open } = options;
  const memory = new PlainMemory(BLOCK_BYTES, (released) => released.fill(SPOILT));
  const durably = io === "auto" ? autoIsDirect : io === "direct";
  return {
    kind: "simulated",
    backend: "threads",
    fallback: io === "auto" && !durably ? "this world has no direct writes" : undefined,
    warnings: [],
    blockBytes: BLOCK_BYTES,
    allocate: (bytes) => memory.allocate(bytes),
    release: (released) => memory.release(released),
    open: async (path) => checked(await open(path, { durably }), memory),
    close: async () => undefined,
  };
}

function checked(file: LogFile, memory: PlainMemory): LogFile {
  return {
    writesAreDurable: file.writesAreDurable,
    async write(from, at) {
      memory.assertWritable(from, at);
      await file.write(from, at);
    },
    writeSync(from, at) {
      memory.assertWritable(from, at);
      file.writeSync(from, at);
    },
    sync: () => file.sync(),
    syncSync: () => file.syncSync(),
    close: () => file.close(),
  };
}
