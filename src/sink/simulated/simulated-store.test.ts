import { describe, test } from "vitest";
import { systemEnv } from "../../io/index.ts";
import { runObjectStoreContract } from "../contract/index.ts";
import { simulatedService } from "./service.ts";
import { SimulatedStore } from "./simulated-store.ts";

runObjectStoreContract({ describe, test }, "memory", async () => {
  const { clock } = systemEnv({ scratchDirectory: "/tmp" });
  const service = simulatedService(1);
  const store = new SimulatedStore({ service, clock });
  return {
    store,
    another: async () => new SimulatedStore({ service, clock }),
    close: () => store.close(),
    damage: async (key) => {
      const found = service.bucket.find(key, clock.monotonicMs());
      if (found !== undefined) found.body[100] = (found.body[100] ?? 0) ^ 4;
    },
  };
});
