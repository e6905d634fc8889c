/** When a checkpoint starts by itself, and when it must not. */
import { expect, test } from "vitest";
import { lsn } from "../base/units.ts";
import { simulatedEnv } from "../io/index.ts";
import { Checkpointer } from "./checkpointer.ts";

const LIMIT_BYTES = 1000;

function rig() {
  const { env } = simulatedEnv({ seed: 1 });
  const state = { changedBytes: 0, heldBytes: 0, runs: 0 };
  const checkpointer = new Checkpointer({
    clock: env.clock,
    checkpointLogBytes: LIMIT_BYTES,
    overlayBytes: LIMIT_BYTES,
    newestLsn: () => lsn(0),
    checkpointLsn: () => lsn(0),
    changedBytes: () => state.changedBytes,
    run: async () => {
      state.runs += 1;
      const isLoop = state.runs > 3; // Let it end, so that the test can say so.
      state.changedBytes = isLoop ? 0 : state.heldBytes;
    },
    onFailure: (error) => {
      throw error;
    },
  });
  return { state, checkpointer };
}

test("pages that readers hold through a checkpoint start no other one, and new ones do", async () => {
  const { state, checkpointer } = rig();
  state.changedBytes = state.heldBytes = 5 * LIMIT_BYTES;
  await checkpointer.now();
  checkpointer.consider();
  await checkpointer.stop();
  expect(state.runs).toBe(1);
});

test("what comes on top of pages that readers hold is folded when it reaches the limit", async () => {
  const { state, checkpointer } = rig();
  state.changedBytes = state.heldBytes = 5 * LIMIT_BYTES;
  await checkpointer.now();
  state.changedBytes += LIMIT_BYTES;
  checkpointer.consider();
  expect(state.runs).toBe(1);
  state.changedBytes += 1;
  checkpointer.consider();
  expect(state.runs).toBe(2);
  await checkpointer.stop();
});
