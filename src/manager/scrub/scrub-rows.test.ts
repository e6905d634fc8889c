/** What is remembered of passes, as bytes. */
import { describe, expect, test } from "vitest";
import { streamId } from "../../base/units.ts";
import { seeded } from "../../io/index.ts";
import { chooseSample, sampleDueInMs } from "./choose-sample.ts";
import { decodePass, encodePass, NEW_PASS } from "./scrub-rows.ts";

const PASS = {
  lastGoodMs: 1_763_856_000_000,
  lastTriedMs: 1_763_856_000_001,
  beganMs: 1_763_856_000_002,
  position: "4 00000000000000ff",
  bytes: 12_345,
  problem: "chunks/ff/00000000000000ff.chunk: checksum",
};

describe("the row of a pass", () => {
  test("has these bytes, so that other versions read it", () => {
    const { body } = encodePass("local", PASS);
    expect(Buffer.from(body).toString("hex")).toBe(
      "0102a402ae9a010000" + "342030303030303030303030303030306666",
    );
    expect(decodePass(encodePass("local", PASS))).toEqual(PASS);
    expect(encodePass("remote", { ...PASS, beganMs: 0 }).body).toHaveLength(0);
  });

  test("with any other body is that of a pass that rests", () => {
    const random = seeded(1);
    const row = encodePass("local", PASS);
    let strange = 0;
    for (let n = 0; n < 2000; n++) {
      const body = row.body.slice(0, random.below(row.body.length + 1));
      for (let flips = random.below(3); flips > 0; flips--) {
        const at = random.below(Math.max(1, body.length));
        body[at] = random.below(256);
      }
      const { beganMs, position } = decodePass({ ...row, body });
      const isPass = Number.isSafeInteger(beganMs) && beganMs >= 0;
      if (!isPass || (beganMs === 0 && position !== "")) strange += 1;
    }
    expect(strange).toBe(0);
    expect(decodePass({ ...row, body: Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0, 0) })).toMatchObject({
      beganMs: 0,
    });
  });
});

describe("the database that is tried next", () => {
  const [first, second, third] = [streamId(1), streamId(2), streamId(3)];
  const tried = (lastTriedMs: number) => ({ ...NEW_PASS, lastTriedMs });

  test("is one that was never tried, or else the one tried longest ago", () => {
    const rows = new Map([
      [first, tried(20)],
      [second, tried(10)],
    ]);
    expect(chooseSample([first, second, third], rows, seeded(1))).toBe(third);
    expect(chooseSample([first, second], rows, seeded(1))).toBe(second);
    expect(chooseSample([], rows, seeded(1))).toBeUndefined();
    const drawn = Array.from({ length: 40 }, (_, seed) =>
      chooseSample([first, second, third], new Map(), seeded(seed)),
    );
    expect(new Set(drawn)).toEqual(new Set([first, second, third]));
  });

  test("is due one interval after the last, at once before the first, never where that is off", () => {
    const due = (rows: ReturnType<typeof tried>[], everyMs = 100) =>
      sampleDueInMs(rows, { everyMs, nowMs: 1000 });
    expect(due([tried(950), tried(960)])).toBe(60);
    expect(due([tried(800)])).toBe(0);
    expect(due([])).toBe(0);
    expect(due([tried(5000)])).toBe(100); // The clock was put back.
    expect(due([], 0)).toBe(Number.POSITIVE_INFINITY);
  });
});
