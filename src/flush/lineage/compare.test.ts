import { describe, expect, test } from "vitest";
import { assertGoesOn, compareHistories, type DiskHistory } from "./compare.ts";
import { type Lineage, NO_LINEAGE } from "./lineage.ts";

const NEW_DISK: DiskHistory = {
  epochs: [],
  durableLsn: 0,
  shipped: undefined,
  nextState: undefined,
};
const DISK: DiskHistory = {
  ...NEW_DISK,
  epochs: [{ epoch: 1, startLsn: 0 }],
  durableLsn: 800,
  shipped: { lsn: 500, epoch: 1, number: 4 },
  nextState: { epoch: 1, number: 4 },
};
const state = (epoch: number, number: number) => {
  const marks = { generation: 1, checkpointLsn: 0, maxLsn: 0, wallMs: 0 };
  const wal = { walEpoch: 0, walNumber: 0, walEndLsn: 0 };
  return { epoch, number, ...marks, ...wal, baseNumber: 0 };
};
const upTo = (endLsn: number): Lineage => {
  return { ...NO_LINEAGE, endLsn, newestState: state(1, 3) };
};
/** The log of the bucket is the disk's up to here. */
const equalUpTo = (lsn: number) => async (from: number, to: number) =>
  Math.max(from, Math.min(to, lsn));
const NOT_ASKED = async () => {
  throw new Error("nothing is to be compared");
};

describe("a disk", () => {
  test.each([
    ["new, and an empty bucket: both hold nothing", NEW_DISK, NO_LINEAGE, 0, "same"],
    [
      "with a log, and an empty bucket: it begins",
      { ...NEW_DISK, durableLsn: 9 },
      NO_LINEAGE,
      0,
      "ahead",
    ],
    ["that has all, and more", DISK, upTo(500), 500, "ahead"],
    ["that has all, and did not hear that it was shipped", DISK, upTo(700), 800, "ahead"],
    ["that has exactly that", DISK, upTo(800), 800, "same"],
    ["that lacks the end", DISK, upTo(900), 800, "older"],
    ["that is empty", NEW_DISK, upTo(900), 0, "older"],
    ["that went another way, and is shorter", DISK, upTo(900), 600, "diverged"],
    ["that went another way, and is longer", DISK, upTo(700), 600, "diverged"],
    ["whose bucket lost what it had confirmed", DISK, upTo(400), 800, "diverged"],
    ["whose bucket was emptied", DISK, NO_LINEAGE, 800, "diverged"],
    [
      "that has begun an epoch since the newest state, and put none in it",
      { ...DISK, nextState: { epoch: 2, number: 0 } },
      upTo(800),
      800,
      "same",
    ],
    [
      "of whose epoch there is a newer state, as of a copy or of what it was restored from",
      { ...DISK, nextState: { epoch: 1, number: 3 } },
      upTo(800),
      800,
      "older",
    ],
    [
      "that has more than the bucket, where there is a newer state",
      { ...DISK, nextState: { epoch: 1, number: 3 } },
      upTo(700),
      800,
      "diverged",
    ],
    [
      "that never heard of the epoch of the newest state",
      { ...DISK, nextState: { epoch: 0, number: 9 } },
      upTo(800),
      800,
      "older",
    ],
    ["that knows of no state", { ...DISK, nextState: undefined }, upTo(800), 800, "older"],
  ] as const)("%s", async (_, disk, lineage, equalLsn, type) => {
    expect(await compareHistories(disk, lineage, equalUpTo(equalLsn))).toMatchObject({ type });
  });

  test("is compared only behind what the bucket has confirmed", async () => {
    const found = await compareHistories(DISK, upTo(500), NOT_ASKED);
    expect(found).toEqual({ type: "ahead", bucketLsn: 500, diskLsn: 800, sharedLsn: 500 });
    const asked: number[][] = [];
    await compareHistories(DISK, upTo(900), async (...range) => {
      asked.push(range);
      return 800;
    });
    expect(asked).toEqual([[500, 800]]);
  });

  test("that may not go on is told what to do by the code, with the three positions", async () => {
    const told = async (lineage: Lineage, equalLsn: number) => {
      const found = await compareHistories(DISK, lineage, equalUpTo(equalLsn));
      try {
        assertGoesOn(found, "memory://bucket");
        return "goes on";
      } catch (error) {
        const { code, details } = error as { code: string; details: unknown };
        return [code, details];
      }
    };
    expect(await told(upTo(700), 700)).toBe("goes on");
    expect(await told(upTo(900), 800)).toEqual([
      "BOP_SINK_AHEAD",
      { bucketLsn: 900, diskLsn: 800 },
    ]);
    expect(await told(upTo(900), 600)).toEqual([
      "BOP_DIVERGED",
      { bucketLsn: 900, diskLsn: 800, sharedLsn: 600 },
    ]);
  });
});
