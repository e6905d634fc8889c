/**
 * npm run fuzz: every decoder, fed with what its encoder never writes.
 *
 *   npm run fuzz                                   ten seconds a target
 *   npm run fuzz -- page-chunk --minutes 5         one target
 *   npm run fuzz -- --minutes 10                   ten minutes, shared by all targets
 *   npm run fuzz -- --minutes-each 1               a minute each
 *   npm run fuzz -- page-chunk --replay 424f5043…  one input, as a failure prints it
 *
 * Inputs that reach new code are kept in sim/fuzz/corpus (not with --dry). Exit code 0: nothing was
 * found. 1: an input failed; its bytes and the command that replays it are printed. 2: wrong usage.
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { seeded } from "../../src/io/index.ts";
import { keepInCorpus, readCorpus } from "./corpus-files.ts";
import { type Coverage, startCoverage } from "./coverage.ts";
import { Fuzzer, type FuzzFailure, failureOf } from "./fuzzer.ts";
import type { FuzzTarget } from "./target.ts";

const DEFAULT_SECONDS_EACH = 10;
/** A round of thousands of inputs takes seconds; far more is a check whose work grows too fast. */
const ROUND_MS_MAX = 180_000;

interface Wanted {
  readonly targets: readonly FuzzTarget[];
  readonly millisecondsEach: number;
  readonly seed: number;
  readonly replay: Uint8Array | undefined;
  readonly dry: boolean;
}

async function main(): Promise<number> {
  const coverage = startCoverage();
  // Imported only now: see coverage.ts.
  const { TARGETS } = await import("./targets/index.ts");
  const wanted = parse(TARGETS);
  if (typeof wanted === "string") {
    console.error(`fuzz: ${wanted}`);
    return 2;
  }
  if (wanted.replay !== undefined) return replay(wanted.targets, wanted.replay);
  let failures = 0;
  for (const target of wanted.targets) {
    const failure = await fuzz(target, wanted, coverage);
    if (failure === undefined) continue;
    failures += 1;
    report(target, failure);
  }
  coverage.stop();
  return failures === 0 ? 0 : 1;
}

async function fuzz(
  target: FuzzTarget,
  { seed, millisecondsEach, dry }: Wanted,
  coverage: Coverage,
): Promise<FuzzFailure | undefined> {
  const corpus = readCorpus(target.name);
  const fuzzer = new Fuzzer({ target, corpus, random: seeded(seed), coverage });
  const startMs = performance.now();
  let failure = await fuzzer.begin();
  let roundMs = 0;
  while (failure === undefined && performance.now() - startMs < millisecondsEach) {
    const roundStartMs = performance.now();
    failure = await fuzzer.round();
    roundMs = performance.now() - roundStartMs;
    if (roundMs > ROUND_MS_MAX) {
      failure ??= { bytes: new Uint8Array(0), error: new Error("a round took too long: a hang") };
    }
  }
  const kept = dry ? 0 : keepInCorpus(target.name, fuzzer.found);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  const { inputs, corpusSize, found } = fuzzer;
  console.error(
    `${target.name.padEnd(16)} ${String(inputs).padStart(9)} inputs in ${seconds} s, ` +
      `${corpusSize} in the corpus, ${found.length} new (${kept} kept)`,
  );
  return failure;
}

async function replay(targets: readonly FuzzTarget[], bytes: Uint8Array): Promise<number> {
  const [target] = targets;
  const failure = target && (await failureOf(target, bytes));
  if (target === undefined || failure === undefined) {
    console.error("fuzz: these bytes are fine");
    return 0;
  }
  report(target, { bytes, error: failure.error });
  return 1;
}

function report(target: FuzzTarget, { bytes, error }: FuzzFailure): void {
  const hex = Buffer.from(bytes).toString("hex");
  console.error(`\n${target.name}: ${bytes.length} bytes fail:`);
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  console.error(`\nreplay: npm run fuzz -- ${target.name} --replay ${hex}\n`);
}

function parse(all: readonly FuzzTarget[]): Wanted | string {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: "string" },
      "minutes-each": { type: "string" },
      seed: { type: "string", default: "1" },
      replay: { type: "string" },
      dry: { type: "boolean", default: false },
    },
  });
  const targets =
    positionals.length === 0 ? all : all.filter((it) => positionals.includes(it.name));
  const names = all.map(({ name }) => name).join(", ");
  if (targets.length < positionals.length) return `no such target; there are: ${names}`;
  if (values.replay !== undefined && targets.length !== 1) return "--replay needs one target";
  const shared = Number(values.minutes ?? Number.NaN) / targets.length;
  const minutes = Number(values["minutes-each"] ?? shared);
  const millisecondsEach = Number.isNaN(minutes) ? DEFAULT_SECONDS_EACH * 1000 : minutes * 60_000;
  const bytes = values.replay === undefined ? undefined : Buffer.from(values.replay, "hex");
  const replayed = bytes && new Uint8Array(bytes);
  return {
    targets,
    millisecondsEach,
    seed: Number(values.seed),
    replay: replayed,
    dry: values.dry,
  };
}

process.exitCode = await main();
