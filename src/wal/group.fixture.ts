/** A log without a disk, with small buffers. */
import { LSN_ZERO, type Lsn } from "../base/units.ts";
import { LogCore } from "./core.ts";
import { plainMemory } from "./memory.fixture.ts";

export function memoryCore(start: Lsn = LSN_ZERO): LogCore {
  return new LogCore({
    storeId: new Uint8Array(16).fill(7),
    lsn: start,
    bufferBytes: 128 * 1024,
    memory: plainMemory(),
    wallMs: 0,
  });
}
