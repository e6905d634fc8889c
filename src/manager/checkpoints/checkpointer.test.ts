/** When a checkpoint starts by itself, and when it must not. */
import { expect, test } from "vitest";
import { StorageError } from "../../base/errors.ts";
import { lsn } from "../../base/units.ts";
import { type SimulatedWorld, simulatedEnv } from "../../io/index.ts";
import { Checkpointer } from "./checkpointer.ts";

const LIMIT_BYTES = 1000;
const AGE_MS = 60_000;
const SEGMENTS_MAX = 8;

interface State {
  changedBytes: number;
  /** What a checkpoint cannot let go. */
  heldBytes: number;
  newestLsn: number;
  checkpointLsn: number;
  isDirty: boolean;
  fails: boolean;
  /** It is in the manifest, and fails behind that: its log is not let go. */
  failsBehind: boolean;
  segments: number;
  /** Segments that no checkpoint lets go. */
  staying: number;
  /** How many leave something to compact. */
  cuts: number;
  readonly ranAtMs: number[];
}

function refused(file: string): StorageError {
  const details = { operation: "write", file };
  return new StorageError("BOP_IO", "the device refused", { details });
}

interface Rig {
  readonly world: SimulatedWorld;
  readonly state: State;
  readonly checkpointer: Checkpointer;
}

function rig(): Rig {
  const { env, world } = simulatedEnv({ seed: 1 });
  const state: State = {
    changedBytes: 0,
    heldBytes: 0,
    newestLsn: 0,
    checkpointLsn: 0,
    isDirty: true,
    fails: false,
    failsBehind: false,
    segments: 1,
    staying: 1,
    cuts: 0,
    ranAtMs: [],
  };
  const limits = {
    checkpointLogBytes: LIMIT_BYTES,
    overlayBytes: LIMIT_BYTES,
    checkpointAgeMs: AGE_MS,
    maxInflightSegments: SEGMENTS_MAX,
  };
  const checkpointer = new Checkpointer({
    clock: env.clock,
    limits,
    newestLsn: () => lsn(state.newestLsn),
    checkpointLsn: () => lsn(state.checkpointLsn),
    inflightSegments: () => state.segments,
    changedBytes: () => state.changedBytes,
    isDirty: () => state.isDirty,
    run: async () => {
      state.ranAtMs.push(Math.round(world.nowMs));
      if (state.fails) throw refused("chunk");
      const isLoop = state.ranAtMs.length > 30; // Let it end, so that the test can say so.
      state.changedBytes = isLoop ? 0 : state.heldBytes;
      state.checkpointLsn = state.newestLsn;
      if (state.failsBehind) throw refused("superblock");
      state.segments = state.staying;
      state.cuts -= 1;
      return { atLsn: lsn(state.newestLsn), pages: 3, bytes: 4096, isCut: state.cuts >= 0 };
    },
    onFailure: () => {},
  });
  return { world, state, checkpointer };
}

test("pages that readers hold through a checkpoint start no other one, and new ones do", async () => {
  const { state, checkpointer } = rig();
  state.changedBytes = state.heldBytes = 5 * LIMIT_BYTES;
  await checkpointer.now();
  checkpointer.consider();
  await checkpointer.stop();
  expect(state.ranAtMs).toHaveLength(1);
});

test("what comes on top of pages that readers hold is folded when it reaches the limit", async () => {
  const { state, checkpointer } = rig();
  state.changedBytes = state.heldBytes = 5 * LIMIT_BYTES;
  await checkpointer.now();
  state.changedBytes += LIMIT_BYTES;
  checkpointer.consider();
  expect(state.ranAtMs).toHaveLength(1);
  state.changedBytes += 1;
  checkpointer.consider();
  expect(state.ranAtMs).toHaveLength(2);
  await checkpointer.stop();
});

test("it says why the last one ran, and what it did", async () => {
  const { state, checkpointer } = rig();
  expect(checkpointer.last).toBeUndefined();
  state.newestLsn = 500;
  await checkpointer.now();
  expect(checkpointer.last).toMatchObject({ reason: "call", atLsn: 500, pages: 3, bytes: 4096 });
  state.newestLsn = 1501;
  checkpointer.consider();
  await checkpointer.stop();
  expect(checkpointer.last).toMatchObject({ reason: "log", atLsn: 1501 });
  await checkpointer.now("close");
  expect(checkpointer.last).toMatchObject({ reason: "close" });
});

test("a commit is folded when it is old, however little there is, and nothing more comes after it", async () => {
  const { world, state, checkpointer } = rig();
  state.newestLsn = 10;
  await world.run(async () => checkpointer.consider());
  await world.pass(AGE_MS - 1);
  state.newestLsn = 20;
  checkpointer.consider(); // A later commit does not make the first one younger.
  expect(state.ranAtMs).toEqual([]);
  await world.pass(1);
  expect(state.ranAtMs).toEqual([AGE_MS]);
  expect(checkpointer.last).toMatchObject({ reason: "age", atLsn: 20 });
  await world.pass(10 * AGE_MS);
  expect(state.ranAtMs).toHaveLength(1);
  await checkpointer.stop();
});

test("a log that moved on without a commit is not folded, and a commit behind it is", async () => {
  const { world, state, checkpointer } = rig();
  state.newestLsn = 10;
  state.isDirty = false;
  checkpointer.consider();
  await world.pass(2 * AGE_MS);
  checkpointer.consider();
  await world.pass(2 * AGE_MS);
  expect(state.ranAtMs).toEqual([]);
  state.newestLsn = 20;
  state.isDirty = true;
  checkpointer.consider();
  await world.pass(AGE_MS);
  expect(state.ranAtMs).toEqual([5 * AGE_MS]);
  await checkpointer.stop();
});

test("one that fails is tried again by itself, with longer and longer pauses, until it succeeds", async () => {
  const { world, state, checkpointer } = rig();
  state.fails = true;
  state.newestLsn = 2000;
  checkpointer.consider();
  await world.pass(14_500);
  expect(state.ranAtMs).toEqual([0, 1000, 3000, 7000]);
  expect(checkpointer.failure).toMatchObject({ code: "BOP_IO" });
  checkpointer.consider(); // Commits go on meanwhile, and do not shorten the pause.
  expect(state.ranAtMs).toHaveLength(4);
  state.fails = false;
  await world.pass(501);
  expect(state.ranAtMs).toEqual([0, 1000, 3000, 7000, 15_000]);
  expect(checkpointer.failure).toBeUndefined();
  await checkpointer.stop();
});

test("one that failed behind the manifest is tried again though nobody writes, until its log is let go", async () => {
  const { world, state, checkpointer } = rig();
  state.failsBehind = true;
  state.newestLsn = 2000;
  checkpointer.consider();
  await world.pass(3500);
  expect(state.ranAtMs).toEqual([0, 1000, 3000]);
  state.failsBehind = false;
  await world.pass(60_000);
  expect(state.ranAtMs).toEqual([0, 1000, 3000, 7000]);
  expect(checkpointer.failure).toBeUndefined();
  await checkpointer.stop();
});

test("segments that hold next to nothing are let go before there are too many to write", async () => {
  const { state, checkpointer } = rig();
  state.newestLsn = 10;
  state.segments = SEGMENTS_MAX / 2;
  checkpointer.consider();
  expect(state.ranAtMs).toEqual([]);
  state.segments += 1;
  checkpointer.consider();
  await checkpointer.stop();
  expect(checkpointer.last).toMatchObject({ reason: "log", atLsn: 10 });
});

test("segments that a checkpoint could not let go do not make the next one due at once", async () => {
  const { world, state, checkpointer } = rig();
  state.staying = SEGMENTS_MAX;
  state.newestLsn = 10;
  state.segments = SEGMENTS_MAX;
  checkpointer.consider();
  await world.pass(100);
  expect(state.ranAtMs).toEqual([0]);
  state.segments += 1;
  state.newestLsn = 20;
  checkpointer.consider();
  await world.pass(100);
  expect(state.ranAtMs).toEqual([0, 100]);
  await checkpointer.stop();
});

test("one that was due by age alone is tried again as well", async () => {
  const { world, state, checkpointer } = rig();
  state.newestLsn = 10;
  state.fails = true;
  checkpointer.consider();
  await world.pass(AGE_MS);
  state.fails = false;
  await world.pass(1000);
  expect(state.ranAtMs).toEqual([AGE_MS, AGE_MS + 1000]);
  await checkpointer.stop();
});

test("dead space that one leaves is followed up with pauses, though nobody writes, and no further", async () => {
  const { world, state, checkpointer } = rig();
  state.cuts = 2;
  await checkpointer.now();
  await world.pass(20_000);
  expect(state.ranAtMs).toEqual([0, 1000, 2000]);
  expect(checkpointer.last).toMatchObject({ reason: "space" });
  state.cuts = 1;
  await checkpointer.now();
  await checkpointer.stop();
  await world.pass(20_000);
  expect(state.ranAtMs).toHaveLength(4);
});

test("once stopped it starts nothing, whatever timers were waiting", async () => {
  const { world, state, checkpointer } = rig();
  state.newestLsn = 10;
  checkpointer.consider();
  await checkpointer.stop();
  await world.pass(10 * AGE_MS);
  expect(state.ranAtMs).toEqual([]);
});
