import { describe, test } from "vitest";
import { systemEnv } from "../../io/index.ts";
import { runObjectStoreContract } from "../contract/index.ts";
import { simulatedService } from "../simulated/service.ts";
import { SimulatedStore } from "../simulated/simulated-store.ts";
import { Retrier } from "./retrier.ts";
import { RetryingStore } from "./retrying-store.ts";

const QUICK = { attemptsMax: 50, baseMs: 1, maxMs: 1, pauseMs: 1, pauseMsMax: 1 };
let places = 0;

/** Of every fault but those that break another promise: late puts, and gets that lag. */
runObjectStoreContract({ describe, test }, "a service that often fails, with retries", async () => {
  const env = systemEnv({ scratchDirectory: "/tmp" });
  const service = simulatedService(++places);
  service.faults.failSometimes(0.15, { except: ["delayed", "twice", "missing"] });
  const another = async () => {
    const store = new SimulatedStore({ service, clock: env.clock, timeoutMs: 2 });
    return new RetryingStore(store, new Retrier(env, { what: "s", ...QUICK }));
  };
  const store = await another();
  return { store, another, close: () => store.close() };
});
