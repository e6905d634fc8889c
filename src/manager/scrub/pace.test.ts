/** The rate of reading, and when passes are due, for any sizes, pauses and clocks. */
import { describe, expect, test } from "vitest";
import { type SeededRandom, seeded } from "../../io/index.ts";
import { Pace } from "./pace.ts";
import { PassPlan } from "./pass-plan.ts";
import { decodePass, encodePass, NEW_PASS } from "./scrub-rows.ts";

const SEEDS = 60;

describe("reading at a pace", () => {
  test("never begins more in any stretch of time than the rate and one piece", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seeded(seed);
      const rate = 1000 * (1 + random.below(5000));
      const pace = new Pace(rate);
      const begun: { readonly atMs: number; readonly bytes: number }[] = [];
      let nowMs = random.below(1e6);
      for (let n = 0; n < 40; n++) {
        const bytes = 1 + random.below(1e6);
        nowMs += pace.take(bytes, nowMs);
        begun.push({ atMs: nowMs, bytes });
        if (random.chance(0.3)) nowMs += random.below(2000);
      }
      let excess = 0;
      for (const [first, { atMs: fromMs }] of begun.entries()) {
        let sum = 0;
        for (const { atMs, bytes } of begun.slice(first)) {
          excess = Math.max(excess, sum - ((atMs - fromMs) * rate) / 1000);
          sum += bytes;
        }
      }
      expect(excess).toBeLessThanOrEqual(1);
    }
  });
});

const EVERY_MS = 1_000_000;

interface Reader {
  readonly sizes: readonly number[];
  plan: PassPlan;
  nowMs: number;
  /** When each piece was read last. */
  readonly readAtMs: number[];
  /** Of the piece that is read next. */
  next: number;
}

const begin = ({ plan, sizes, nowMs, next }: Reader): void => {
  const sum = (some: readonly number[]) => some.reduce((total, size) => total + size, 0);
  plan.begin(nowMs, { doneBytes: sum(sizes.slice(0, next)), leftBytes: sum(sizes.slice(next)) });
};

/** Waits until a piece is due and reads it, or ends the pass. */
function step(reader: Reader, readMs: number): void {
  const { plan, sizes, readAtMs } = reader;
  reader.nowMs += plan.dueInMs(reader.nowMs);
  if (!plan.isUnderWay) begin(reader);
  const bytes = sizes[reader.next];
  if (bytes === undefined) {
    plan.end(reader.nowMs);
    reader.next = 0;
    return;
  }
  readAtMs[reader.next] = reader.nowMs;
  plan.took({ position: String(reader.next), bytes, problem: "" });
  reader.next += 1;
  reader.nowMs += readMs;
}

/** The process ends, and the next one has what was noted. */
function restart(reader: Reader): void {
  const row = decodePass(encodePass("local", reader.plan.row));
  reader.plan = new PassPlan(EVERY_MS, row);
  reader.next = row.position === "" ? 0 : Number(row.position) + 1;
  if (reader.plan.isUnderWay) begin(reader);
}

const readerOf = (random: SeededRandom): Reader => ({
  sizes: Array.from({ length: 1 + random.below(30) }, () => 1 + random.below(1e6)),
  plan: new PassPlan(EVERY_MS, NEW_PASS),
  nowMs: 1e12,
  readAtMs: [],
  next: 0,
});

describe("passes one after the other", () => {
  test("read every piece once in an interval, whatever sizes, restarts and pauses there are", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seeded(seed);
      const reader = readerOf(random);
      const { sizes } = reader;
      const readMs = random.below(EVERY_MS / 16 / sizes.length);
      const endMs = reader.nowMs + 5 * EVERY_MS;
      let oldestMs = 0;
      while (reader.nowMs < endMs) {
        step(reader, readMs);
        if (random.chance(0.1)) restart(reader);
        oldestMs = Math.max(oldestMs, reader.nowMs - Math.min(reader.nowMs, ...reader.readAtMs));
      }
      expect(oldestMs).toBeLessThanOrEqual(EVERY_MS * 1.07);
      expect(reader.readAtMs).toHaveLength(sizes.length);
    }
  });

  test("are spread over their time: no more is read in any half of it than its share and a piece", () => {
    const random = seeded(3);
    const reader = { ...readerOf(random), sizes: Array.from({ length: 100 }, () => 1000) };
    for (let n = 0; n < 100; n++) step(reader, 0);
    const [first = 0] = reader.readAtMs;
    const half = reader.readAtMs.filter((atMs) => atMs - first < EVERY_MS * (7 / 16));
    expect(half.length).toBeGreaterThanOrEqual(49);
    expect(half.length).toBeLessThanOrEqual(51);
  });

  test("go on when the clock is put back or forward, and read everything in the next interval", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seeded(seed);
      const reader = readerOf(random);
      for (let n = random.below(3 * reader.sizes.length); n > 0; n--) step(reader, 1);
      reader.nowMs += random.chance(0.5) ? random.below(1e11) : -random.below(1e11);
      if (random.chance(0.5)) restart(reader);
      const jumpedMs = reader.nowMs;
      reader.readAtMs.length = 0;
      while (reader.nowMs < jumpedMs + 1.1 * EVERY_MS) step(reader, 1);
      expect(Object.keys(reader.readAtMs)).toHaveLength(reader.sizes.length);
    }
  });

  test("never begin where their interval is 0, and note nothing", () => {
    const plan = new PassPlan(0, NEW_PASS);
    expect(plan.dueInMs(1e12)).toBe(Number.POSITIVE_INFINITY);
    expect(plan.row).toEqual(NEW_PASS);
  });

  test("are good only if nothing was left damaged, and keep what they found until the next", () => {
    const reader = readerOf(seeded(1));
    begin(reader);
    reader.plan.took({ position: "0", bytes: 1, problem: "a: damaged" });
    restart(reader);
    reader.plan.took({ position: "1", bytes: 1, problem: "" });
    reader.plan.end(reader.nowMs + 5);
    const { lastTriedMs, lastGoodMs, problem } = reader.plan.row;
    expect({ lastTriedMs, lastGoodMs, problem }).toEqual({
      lastTriedMs: reader.nowMs + 5,
      lastGoodMs: 0,
      problem: "a: damaged",
    });
  });
});
