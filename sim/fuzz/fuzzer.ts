/**
 * THE FUZZER of one target: mutates what it has, keeps what reached code that nothing reached before.
 *
 *   corpus ─► mutate ─► mend ─► check ─► a failure, or
 *     ▲                           │
 *     └── inputs with new blocks ◄┘  found by halving the round
 *
 * (1) The same seed, corpus and code give the same inputs. Coverage only decides what is kept.
 * (2) An input that fails ends the run; it is made smaller as long as it fails in the same way.
 */
import type { SeededRandom } from "../../src/io/index.ts";
import type { Coverage } from "./coverage.ts";
import { mutate } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

export interface FuzzerOptions {
  readonly target: FuzzTarget;
  readonly random: SeededRandom;
  /** Inputs that were found before, besides the seeds. */
  readonly corpus: readonly Uint8Array[];
  /** Without it nothing is kept: the inputs are mutations of the corpus alone. */
  readonly coverage?: Coverage;
}

export interface FuzzFailure {
  readonly bytes: Uint8Array;
  readonly error: unknown;
}

const ROUND_INPUTS_MIN = 256;
const ROUND_INPUTS_MAX = 8192;
/** Bytes that are right are behind checksums; some of the time they are left wrong. */
const MEND_CHANCE = 0.9;
const SHRINK_TRIES = 300;

export class Fuzzer {
  readonly #options: FuzzerOptions;
  readonly #corpus: Uint8Array[];
  /** Grows while nothing new is found: a look at the coverage costs as much as hundreds of inputs. */
  #roundInputs = ROUND_INPUTS_MIN;
  /** Inputs of this run that reached something new. */
  readonly found: Uint8Array[] = [];
  inputs = 0;

  constructor(options: FuzzerOptions) {
    this.#options = options;
    this.#corpus = [...options.target.seeds(), ...options.corpus];
  }

  get corpusSize(): number {
    return this.#corpus.length;
  }

  /** Runs what is known already. */
  async begin(): Promise<FuzzFailure | undefined> {
    const failure = await this.#run(this.#corpus);
    const { coverage } = this.#options;
    coverage?.learn(coverage.fresh());
    return failure;
  }

  /** One round of mutations. */
  async round(count = this.#roundInputs): Promise<FuzzFailure | undefined> {
    const inputs = Array.from({ length: count }, () => this.#input());
    const failure = await this.#run(inputs);
    this.inputs += inputs.length;
    if (failure !== undefined) return { ...failure, bytes: await this.#shrunk(failure) };
    const { coverage } = this.#options;
    if (coverage === undefined) return undefined;
    const foundBefore = this.found.length;
    await this.#keepNew(inputs, coverage);
    const isNew = this.found.length > foundBefore;
    const next = isNew ? this.#roundInputs >>> 1 : this.#roundInputs * 2;
    this.#roundInputs = Math.min(ROUND_INPUTS_MAX, Math.max(ROUND_INPUTS_MIN, next));
    return undefined;
  }

  #input(): Uint8Array {
    const { random, target } = this.#options;
    const { words = [], bytesMax } = target;
    const source = { random, words, bytesMax, corpus: this.#corpus };
    const bytes = mutate(random.pick(this.#corpus), source);
    if (random.chance(MEND_CHANCE)) target.mend?.(bytes);
    return bytes;
  }

  async #run(inputs: readonly Uint8Array[]): Promise<FuzzFailure | undefined> {
    for (const bytes of inputs) {
      const error = await failureOf(this.#options.target, bytes);
      if (error !== undefined) return { bytes, error: error.error };
    }
    return undefined;
  }

  /** Of inputs that were just run: halves them until those are found that did something new. */
  async #keepNew(inputs: readonly Uint8Array[], coverage: Coverage): Promise<void> {
    const fresh = coverage.fresh();
    if (fresh.length === 0) return;
    if (inputs.length === 1) {
      coverage.learn(fresh);
      const [bytes] = inputs;
      if (bytes !== undefined) {
        this.#corpus.push(bytes);
        this.found.push(bytes);
      }
      return;
    }
    const middle = inputs.length >>> 1;
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      await this.#run(half);
      await this.#keepNew(half, coverage);
    }
  }

  /** See (2). */
  async #shrunk({ bytes, error }: FuzzFailure): Promise<Uint8Array> {
    const { random, target } = this.#options;
    let smallest = bytes;
    for (let tries = 0; tries < SHRINK_TRIES && smallest.length > 1; tries += 1) {
      const length = 1 + random.below(Math.max(1, smallest.length >>> 1));
      const at = random.below(smallest.length - length + 1);
      const parts = [smallest.subarray(0, at), smallest.subarray(at + length)];
      const shorter = new Uint8Array(Buffer.concat(parts));
      if (random.chance(0.5)) target.mend?.(shorter);
      const failure = await failureOf(target, shorter);
      if (failure !== undefined && messageOf(failure.error) === messageOf(error))
        smallest = shorter;
    }
    return smallest;
  }
}

/** What `check` throws for these bytes; undefined if they are fine. With a stack. */
export async function failureOf(
  target: FuzzTarget,
  bytes: Uint8Array,
): Promise<{ readonly error: unknown } | undefined> {
  const quick = await quickFailureOf(target, bytes);
  return quick === undefined ? undefined : ((await runOf(target, bytes)) ?? quick);
}

/** Without a stack: most inputs are refused by an error, and its stack costs more than the check. */
async function quickFailureOf(
  target: FuzzTarget,
  bytes: Uint8Array,
): Promise<{ readonly error: unknown } | undefined> {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await runOf(target, bytes);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

async function runOf(
  target: FuzzTarget,
  bytes: Uint8Array,
): Promise<{ readonly error: unknown } | undefined> {
  const before = bytes.slice();
  try {
    // Awaiting what is no promise would cost more than most checks.
    const pending = target.check(bytes);
    if (pending !== undefined) await pending;
  } catch (error) {
    return { error };
  }
  if (Buffer.compare(before, bytes) === 0) return undefined;
  return { error: new Error("the bytes were changed by reading them") };
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // Numbers differ from input to input.
  return text.split("\n")[0]?.replace(/\d+/g, "#") ?? "";
}
