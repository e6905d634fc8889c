/**
 * MOVES OF SHIPPING that a store seldom makes, each brought about on purpose: what comes between a
 * state and what usually follows it. `sim/moves.test.ts` makes them, beside all others.
 */

import { assert } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { SimulatedStore } from "../../sink/index.ts";
import { Bucket } from "../lineage/bucket.ts";
import { claimEpoch } from "../lineage/claim-epoch.ts";
import { NumberedWriter } from "../lineage/numbered-writer.ts";
import { takeOver } from "../lineage/take-over.ts";
import type { FlushState } from "./flush-state.ts";
import type { ManifestPump } from "./ports.ts";
import {
  Machine,
  type OpenOptions,
  pumpOver,
  type RunningStore,
  STORE_ID,
  shipping,
} from "./ship.fixture.ts";

const WAIT_MS = 120_000;

interface Scene {
  readonly machine: Machine;
  readonly env: Env;
  readonly store: RunningStore;
}

type Drive = readonly [what: string, run: (seed: number) => Promise<void>];

/** A store that is opened and about to ship, and closed whatever becomes of it. */
async function beginning(
  { seed, before, ...options }: OpenOptions & { seed: number; before?: (on: Machine) => void },
  run: (scene: Scene) => Promise<void>,
): Promise<void> {
  const machine = new Machine(seed);
  await machine.live(async (env) => {
    const first = await shipping(machine, env);
    await first.remote(await first.commit(100));
    await first.checkpoint();
    await first.close();
    before?.(machine);
    const store = await machine.open(env, options);
    store.controller.start().catch(() => undefined); // What keeps it from shipping is the point.
    await run({ machine, env, store });
    await store.close(1000);
    assert(store.controller.facts.state === "closed", "it is closed in the end");
  });
}

async function reaches({ env, store }: Scene, state: FlushState): Promise<void> {
  const { clock } = env;
  const endMs = clock.monotonicMs() + WAIT_MS;
  while (store.controller.facts.state !== state) {
    assert(clock.monotonicMs() < endMs, () => `never ${state}: ${store.controller.facts.state}`);
    await clock.sleep(0.5);
  }
}

/** Another process claims the next epoch, ends all before it, and begins its own. */
async function overtake({ machine, env }: Scene): Promise<void> {
  const { clock, random } = env;
  const bucket = new Bucket(new SimulatedStore({ service: machine.service, clock }), STORE_ID);
  const dice = { random, wallMs: 1 };
  const epoch = await claimEpoch(bucket, dice);
  await takeOver(bucket, { ...dice, epoch });
  await new NumberedWriter({ bucket, kind: "wal", epoch, random }).append(new Uint8Array(0)).catch(
    () => undefined, // Its fences are what matters.
  );
}

const closedWhile = (state: FlushState): Drive => [
  `${state}, and the store is closed`,
  (seed) => beginning({ seed }, (scene) => reaches(scene, state)),
];

const awayWhile = (state: FlushState): Drive => [
  `${state}, and the bucket cannot be reached; then it can`,
  (seed) =>
    beginning({ seed }, async (scene) => {
      await reaches(scene, state);
      scene.machine.service.faults.state.down = true;
      await reaches(scene, "offline");
      scene.machine.service.faults.state.down = false;
      await reaches(scene, "shipping");
    }),
];

const overtakenWhile = (state: FlushState): Drive => [
  `${state}, and another process takes the bucket over`,
  (seed) =>
    beginning({ seed }, async (scene) => {
      await reaches(scene, state);
      await overtake(scene);
      await reaches(scene, "fenced");
    }),
];

async function refused(scene: Scene): Promise<void> {
  const { machine, store } = scene;
  await reaches(scene, "shipping");
  await store.remote(await store.commit(100)); // So that the log is refused, and no state.
  machine.service.faults.state.denied = true;
  await store.commit(100);
  await reaches(scene, "halted");
}

async function decide(scene: Scene, how: "retry" | "discard"): Promise<void> {
  const { controller } = scene.store;
  scene.machine.service.faults.state.denied = false;
  for (const { id } of controller.deadLetters) {
    await (how === "retry" ? controller.retryDeadLetter(id) : controller.discardDeadLetter(id));
  }
}

function refusingStates(real: ManifestPump): ManifestPump {
  const details = {
    store: "bucket",
    operation: "put",
    key: "manifest/",
    reason: "request",
  } as const;
  const round = async () => {
    throw new StorageError("BOP_SINK_REFUSED", "it does not take that", { details });
  };
  return pumpOver(real, { round });
}

export const SHIPPING_DRIVES: readonly Drive[] = [
  ...(["claiming", "comparing", "taking-over", "shipping"] as const).map(closedWhile),
  ...(["claiming", "comparing", "taking-over"] as const).map(awayWhile),
  ...(["comparing", "taking-over", "shipping"] as const).map(overtakenWhile),
  [
    "away from the beginning, and the store is closed",
    (seed) => {
      const before = ({ service }: Machine) => {
        service.faults.state.down = true;
      };
      return beginning({ seed, before }, (scene) => reaches(scene, "offline"));
    },
  ],
  [
    "a bucket of another store",
    (seed) => {
      const storeId = new Uint8Array(16).fill(7);
      const options = { seed, shipping: { storeId } };
      return beginning(options, (scene) => reaches(scene, "diverged"));
    },
  ],
  [
    "a bucket that another disk of the same store has filled",
    async (seed) => {
      const first = new Machine(seed);
      await first.live(async (env) => {
        const store = await shipping(first, env);
        await store.remote(await store.commit(100));
        await store.close();
      });
      const second = new Machine(seed + 1, first.service);
      await second.live(async (env) => {
        const store = await second.open(env);
        for (let n = 0; n < 2; n++) await store.commit(100);
        store.controller.start().catch(() => undefined);
        await reaches({ machine: second, env, store }, "diverged");
        await store.close();
      });
    },
  ],
  [
    "refused before it ships, then retried",
    (seed) => {
      const before = ({ service }: Machine) => {
        service.faults.state.denied = true;
      };
      return beginning({ seed, before }, async (scene) => {
        await reaches(scene, "halted");
        await decide(scene, "retry");
        await reaches(scene, "shipping");
      });
    },
  ],
  [
    "refused while it ships, then retried",
    (seed) =>
      beginning({ seed }, async (scene) => {
        await refused(scene);
        await decide(scene, "retry");
        await reaches(scene, "shipping");
      }),
  ],
  [
    "refused while it ships, then discarded: a new epoch begins",
    (seed) =>
      beginning({ seed }, async (scene) => {
        await refused(scene);
        await decide(scene, "discard");
        await reaches(scene, "claiming");
        await reaches(scene, "shipping");
      }),
  ],
  [
    "refused while it ships, and the store is closed",
    (seed) => beginning({ seed }, (scene) => refused(scene)),
  ],
  [
    "a state is refused while the log ships, and another process takes the bucket over",
    (seed) =>
      beginning({ seed, pump: refusingStates }, async (scene) => {
        await reaches(scene, "halted");
        await overtake(scene);
        await scene.store.commit(100);
        await reaches(scene, "fenced");
      }),
  ],
  [
    "a letter of an earlier process is retried, and the bucket is not fit yet",
    (seed) => {
      let asked = 0;
      const ready = async () => {
        asked += 1;
        if (asked < 9) throw new Error("the service does not answer yet");
      };
      return leftBehind({ seed, shipping: { ready } });
    },
  ],
  [
    "an epoch that is old gives way to the next",
    (seed) =>
      beginning({ seed, shipping: { epochMs: 60_000 } }, async (scene) => {
        await reaches(scene, "shipping");
        await scene.store.remote(await scene.store.commit(100));
        await scene.store.checkpoint();
        await scene.env.clock.sleep(58_000);
        await reaches(scene, "claiming");
      }),
  ],
];

/** A letter that is kept, and the process that finds it. */
async function leftBehind({ seed, ...options }: OpenOptions & { seed: number }): Promise<void> {
  const machine = new Machine(seed);
  await machine.live(async (env) => {
    const first = await shipping(machine, env);
    await refused({ machine, env, store: first });
    await first.close(1000);
    const store = await machine.open(env, options);
    const scene = { machine, env, store };
    store.controller.start().catch(() => undefined);
    await reaches(scene, "halted");
    await decide(scene, "retry");
    await reaches(scene, "offline");
    await reaches(scene, "shipping");
    await store.close(1000);
  });
}
