import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/io/index.ts";
import { readCorpus } from "./corpus-files.ts";
import { startCoverage } from "./coverage.ts";
import { Fuzzer, type FuzzFailure } from "./fuzzer.ts";
import { type FuzzTarget, holds, putCrc, u32At } from "./target.ts";
import { TARGETS } from "./targets/index.ts";

const ROUNDS = 4;
const ROUND_INPUTS = 500;

function told(target: string, { bytes, error }: FuzzFailure): string {
  const why = error instanceof Error ? error.stack : String(error);
  const hex = Buffer.from(bytes).toString("hex");
  return `${why}\n\nreplay: npm run fuzz -- ${target} --replay ${hex}`;
}

describe("decoders under any bytes", () => {
  // evidence: G4
  test.each(TARGETS.map((target) => [target.name, target] as const))(
    "%s refuses or decodes, never anything else, and writes back what it read",
    async (name, target) => {
      const fuzzer = new Fuzzer({ target, corpus: readCorpus(name), random: seeded(7) });
      let failure = await fuzzer.begin();
      for (let round = 0; round < ROUNDS && failure === undefined; round += 1) {
        failure = await fuzzer.round(ROUND_INPUTS);
      }
      expect(failure && told(name, failure)).toBeUndefined();
      expect(fuzzer.inputs).toBe(ROUNDS * ROUND_INPUTS);
    },
  );
});

/** A decoder with a bug behind a magic number, a checksum and a flag. */
const BUGGY: FuzzTarget = {
  name: "buggy",
  bytesMax: 64,
  seeds: () => [new Uint8Array(12)],
  mend: (bytes) => putCrc(bytes, 0, crc32(bytes.subarray(4))),
  check(bytes) {
    const right = bytes.slice();
    putCrc(right, 0, crc32(right.subarray(4)));
    if (bytes.length < 12 || u32At(right, 0) !== u32At(bytes, 0)) return;
    holds((bytes[5] ?? 0) < 128, "no input reaches the bug");
  },
};

describe("the fuzzer", () => {
  test("finds a bug behind a checksum, and makes its input smaller", async () => {
    const fuzzer = new Fuzzer({ target: BUGGY, corpus: [], random: seeded(1) });
    let failure: FuzzFailure | undefined;
    for (let round = 0; round < 50 && failure === undefined; round += 1) {
      failure = await fuzzer.round(100);
    }
    expect(failure?.error).toMatchObject({ message: "does not hold: no input reaches the bug" });
    expect(failure?.bytes).toHaveLength(12);
  });

  test("does the same with the same seed, so that a failure can be had again", async () => {
    const inputsOf = async () => {
      const seen: string[] = [];
      const check = (bytes: Uint8Array) => void seen.push(Buffer.from(bytes).toString("hex"));
      const target = { ...BUGGY, check };
      await new Fuzzer({ target, corpus: [], random: seeded(3) }).round(200);
      return seen;
    };
    expect(await inputsOf()).toEqual(await inputsOf());
  });

  test("a decoder that changes its input fails, since its caller may need it", async () => {
    const check = (bytes: Uint8Array) => void bytes.fill(7);
    const fuzzer = new Fuzzer({ target: { ...BUGGY, check }, corpus: [], random: seeded(3) });
    expect((await fuzzer.begin())?.error).toMatchObject({ message: /were changed/ });
  });

  test("keeps an input that reached code that none before it reached", async () => {
    const coverage = startCoverage();
    try {
      // Loaded only now, so that it is compiled with counters.
      const { StatementSplitter } = await import("../../src/cli/shell/splitter.ts");
      const check = (bytes: Uint8Array) => {
        new StatementSplitter().push(Buffer.from(bytes).toString("latin1"));
      };
      const target = { ...BUGGY, seeds: () => [Uint8Array.of(32)], words: ["/*", "'"], check };
      const fuzzer = new Fuzzer({ target, corpus: [], random: seeded(5), coverage });
      await fuzzer.begin();
      for (let round = 0; round < 4; round += 1) await fuzzer.round();
      expect(fuzzer.found.length).toBeGreaterThan(0);
    } finally {
      coverage.stop();
    }
  });
});
