/** Memory for a log without a device: zeroed when it is new, spoilt when it is given back. */
import type { WriteMemory } from "../base/driver.ts";

export function plainMemory(): WriteMemory {
  return {
    allocate: (bytes) => new Uint8Array(bytes),
    release: (memory) => {
      memory.fill(0xdb);
    },
  };
}
